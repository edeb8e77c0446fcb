"""The pages over data sets and tokens: who sees what on each, what each form does, and what is refused."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from playwright.async_api import expect

from apps_registry.datasets.publishing import publish
from apps_registry.models import ApiToken, Dataset, DatasetGrant
from apps_registry.testing import RunningServer

from . import serving
from .browsing import overflows, problems_of, shoot
from .data_world import CSV, DATASETS, furnish, furnish_site
from .sent_forms import form_with
from .serving import ROOT, Site, visit

#: Who there is, as ``furnish`` makes them: alice owns all, bob views, carol publishes, dora has nothing.
VISITORS = ("anonymous", "alice", "bob", "carol", "dora", "root")
GRANT_ONLY = {"granted", "regional", "letter"}
ALL = set(DATASETS)
OPEN_TO_ALL = {"open", "personal", "empty"}
SEEN = {
    "anonymous": OPEN_TO_ALL,
    "dora": ALL - GRANT_ONLY,
    **dict.fromkeys(("alice", "bob", "carol", "root"), ALL),
}
MANAGERS = ("alice", "root")
PUBLISHERS = (*MANAGERS, "carol")


def address(page: str, *args: Any, **query: str) -> str:
    return reverse(f"apps_registry:{page}", args=args, query=query or None)


def text(answer: Any) -> str:
    """What a page says, without its markup."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.fixture
def place(db: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    """The data sets and the people of ``furnish``."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_CACHE_DIR": str(tmp_path / "copies")}
    furnish()
    yield
    # The traceback of a refusal keeps the thread on which Django's client has run the view
    gc.collect()


@pytest.fixture
def as_user(place: None) -> Callable[[str], Client]:
    """``as_user(name)`` is the browser of that user."""

    def as_user(name: str) -> Client:
        client = Client()
        if name != "anonymous":
            client.force_login(User.objects.get(username=name))
        return client

    return as_user


def file(content: str | bytes = CSV, name: str = "more.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


# Who sees which page


def outcome(answer: Any) -> str:
    if answer.status_code == 302:
        return "login" if answer["Location"].startswith("/accounts/login/") else answer["Location"]
    return str(answer.status_code)


def without_token(answer: Any) -> str:
    """A page without what is new in each: the CSRF token."""
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode())


def right(visitor: str, name: str, page: str) -> str:
    """What a page answers to a visitor: the table that all pages are held against."""
    if name not in SEEN[visitor]:
        return (
            "login" if visitor == "anonymous" and DATASETS.get(name, {}).get("access") == "login" else "403"
        )
    allowed = {"dataset": VISITORS, "dataset_versions": VISITORS, "dataset_upload": PUBLISHERS}
    if visitor in allowed.get(page, MANAGERS):
        return "200"
    return "login" if visitor == "anonymous" else "403"


@pytest.mark.parametrize(
    "page",
    ["dataset", "dataset_versions", "dataset_upload", "dataset_sharing", "dataset_edit", "dataset_delete"],
)
def test_each_page_opens_to_whom_it_should(as_user: Callable[[str], Client], page: str):
    wrong = {}
    for visitor in VISITORS:
        client, refusals = as_user(visitor), set()
        for name in (*DATASETS, "nothing"):
            answer = client.get(address(page, name))
            if (found := outcome(answer)) != right(visitor, name, page):
                wrong[visitor, name] = found
            if name not in SEEN[visitor] and found == "403":
                refusals.add(without_token(answer).replace(name, "NAME"))
                assert f"Title of {name}" not in answer.content.decode()
                assert f"You may not see '{name}'." in text(answer)
        # What is hidden is refused as what is not there
        assert len(refusals) <= 1
    assert not wrong


def test_the_list_names_what_the_visitor_may_see(as_user: Callable[[str], Client]):
    for visitor in VISITORS:
        page = as_user(visitor).get(address("datasets")).content.decode()
        assert {name for name in DATASETS if f'href="/data/{name}"' in page} == SEEN[visitor]
        assert {name for name in DATASETS if f"Title of {name}" in page} == SEEN[visitor]
        assert ("alice" in page) == (visitor != "anonymous")


def test_a_visitor_comes_back_from_the_login(as_user: Callable[[str], Client]):
    answer = as_user("anonymous").get(address("dataset", "inside", y="price"))
    assert answer["Location"] == "/accounts/login/?next=/data/inside%3Fy%3Dprice"
    assert "Log in" in text(as_user("anonymous").get(address("dataset", "granted")))


def test_lists_and_pages_ask_few_questions(
    as_user: Callable[[str], Client], django_assert_max_num_queries: Any
):
    client = as_user("alice")
    for page, most in (
        (address("datasets"), 9),
        (address("tokens"), 9),
        (address("dataset", "regional"), 25),
    ):
        with django_assert_max_num_queries(most):
            assert client.get(page).status_code == 200


# The list


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "ünic"}, {"open"}),
        ({"q": "title regional"}, {"regional"}),
        ({"tag": "Zahlen"}, {"open", "inside"}),
        ({"q": "inside", "tag": "Zahlen"}, {"inside"}),
        ({"q": "nowhere"}, set()),
    ],
)
def test_data_sets_are_found(as_user: Callable[[str], Client], query: dict[str, str], found: set[str]):
    Dataset.objects.filter(name__in=["open", "inside"]).update(tags=["Zahlen"])
    Dataset.objects.filter(name="open").update(description="Of Unicorns")
    page = as_user("alice").get(address("datasets", **query))
    results = page.content.decode().partition('id="ar-results"')[2]
    assert {name for name in DATASETS if f'href="/data/{name}"' in results} == found
    assert ("Nothing matches" in text(page)) == (not found)


def test_an_empty_list_says_why(as_user: Callable[[str], Client]):
    Dataset.objects.all().delete()
    assert "You may see more when you log in" in text(as_user("anonymous").get(address("datasets")))
    assert "ask whoever publishes it" in text(as_user("bob").get(address("datasets")))
    makers = text(as_user("mona").get(address("datasets")))
    assert "No data yet" in makers
    assert "http://testserver/api/datasets/sales?filename=sales.csv" in makers


# One data set


@pytest.mark.parametrize(
    ("visitor", "name", "seen"),
    [
        ("alice", "regional", {"bob", "dora", "carol"}),
        ("carol", "regional", {"bob", "dora", "carol"}),
        ("bob", "regional", {"bob", "carol"}),
        ("bob", "personal", {"bob"}),
        ("dora", "personal", {"dora"}),
        ("anonymous", "personal", set()),
        ("anonymous", "open", {"bob", "dora", "carol"}),
    ],
)
def test_the_preview_keeps_to_the_row_rule(
    as_user: Callable[[str], Client], visitor: str, name: str, seen: set[str]
):
    page = as_user(visitor).get(address("dataset", name)).content.decode()
    rows = re.findall(r"<td>(bob|dora|carol)</td>", page)
    assert set(rows) == seen
    drawn = (
        json.loads(found[1]) if (found := re.search(r'id="ar-plot-item"[^>]*>(.*?)</script>', page)) else ""
    )
    assert bool(drawn) == (seen not in (set(), {"carol"}))
    hidden = {"1.5": "bob", "2.5": "dora"}
    for price, who in hidden.items():
        assert (price in json.dumps(drawn)) <= (who in seen)


def test_owners_are_told_who_may_see_it_and_others_are_not(as_user: Callable[[str], Client]):
    for visitor in VISITORS:
        if "granted" in SEEN[visitor]:
            page = text(as_user(visitor).get(address("dataset", "granted")))
            assert ("Who may see it" in page) == (visitor in MANAGERS)
            assert ("How to publish" in page) == (visitor in PUBLISHERS)


def test_nothing_that_people_write_is_markup(as_user: Callable[[str], Client]):
    evil = "<img src=x onerror=alert(1)>"
    dataset = Dataset.objects.get(name="open")
    dataset.title = dataset.description = evil
    dataset.tags = [evil]
    dataset.save()
    publish(
        dataset,
        io.BytesIO(f"{evil},b\n</script>{evil},1\n".encode()),
        user=dataset.owner,
        format="csv",
        note=evil,
    )
    client = as_user("alice")
    for page in ("dataset", "dataset_versions", "dataset_sharing", "dataset_edit"):
        assert "<img src=x" not in client.get(address(page, "open")).content.decode()
    assert "<img src=x" not in client.get(address("datasets")).content.decode()


def test_columns_to_draw_are_chosen(as_user: Callable[[str], Client]):
    dataset = Dataset.objects.get(name="open")
    rows = "\n".join(f"2026-01-{day:02},{day},{day * 2.5},x" for day in range(1, 29))
    publish(dataset, io.BytesIO(f"day,n,price,word\n{rows}\n".encode()), user=dataset.owner, format="csv")
    client = as_user("anonymous")
    assert "price over day, from 2.5 to 70" in text(client.get(address("dataset", "open")))
    assert "n by row, from 1 to 28" in text(client.get(address("dataset", "open", x="", y="n")))
    assert "price over day" in text(client.get(address("dataset", "open", x="nonsense", y="word")))


def test_numbers_are_shown_with_all_their_digits(as_user: Callable[[str], Client]):
    dataset = Dataset.objects.get(name="open")
    rows = "n,x\n1,12345678901.55\n2,0.0001\n3,0.30000000000000004\n4,1e300\n"
    publish(dataset, io.BytesIO(rows.encode()), user=dataset.owner, format="csv")
    page = as_user("anonymous").get(address("dataset", "open", x="", y="x")).content.decode()
    assert re.findall(r'<td class="ar-number">([^<]+)</td>', page)[1::2] == [
        "12345678901.55",
        "0.0001",
        "0.3",
        "1e+300",
    ]
    assert "from 0.0001 to 1e+300" in unescape(page)
    # Formats of other kinds make "0, 0, 0.001" of small numbers, and 300 digits of big ones
    drawn = re.search(r'id="ar-plot-item"[^>]*>(.*?)</script>', page)
    assert drawn is not None
    assert drawn[1].count('"BasicTickFormatter"') == 2
    assert "NumeralTickFormatter" not in drawn[1]
    assert "@y{%.15g}" in drawn[1]


def test_versions_tell_what_changed(as_user: Callable[[str], Client]):
    dataset = Dataset.objects.get(name="open")
    for content in ("who,price,colour\nbob,1,red\n", "who,price,colour\nbob,x,red\n"):
        publish(dataset, io.BytesIO(content.encode()), user=dataset.owner, format="csv")
    publish(
        dataset, io.BytesIO(b"who,price,colour\neve,y,blue\n"), user=dataset.owner, format="csv", append=True
    )
    page = text(as_user("bob").get(address("dataset_versions", "open")))
    for said in (
        "+1 row, added at the end the same columns",
        "as many rows column price: integer, now text",
        "-2 rows new column colour without column region column price: number, now integer",
        "The first one.",
    ):
        assert said in page
    # Names of users are for users
    assert "alice" not in text(as_user("anonymous").get(address("dataset_versions", "open")))


def test_a_file_is_shown_and_downloaded(as_user: Callable[[str], Client]):
    page = as_user("bob").get(address("dataset", "letter"))
    assert "a letter.html" in text(page)
    assert "/api/datasets/letter/file?version=1" in page.content.decode()
    assert "<img class" not in page.content.decode()


# Publishing


def test_a_file_is_published(as_user: Callable[[str], Client]):
    client = as_user("carol")
    form = {"file": file(CSV + "eve,west,7\n"), "note": "With Eve", "key": "one"}
    answer = client.post(address("dataset_upload", "open"), form, follow=True)
    assert answer.redirect_chain == [("/data/open?said=published", 302)]
    assert "It is published." in text(answer)
    assert "With Eve" in text(answer)
    form["file"] = file("who,region,price\nzoe,east,9\n")
    client.post(address("dataset_upload", "open"), form | {"append": "on", "key": "two"})
    newest = Dataset.objects.get(name="open").newest
    assert newest is not None
    assert (newest.number, newest.rows, newest.appended, newest.created_name) == (3, 5, True, "carol")


def test_no_more_is_promised_than_is_kept(as_user: Callable[[str], Client]):
    Dataset.objects.filter(name="open").update(keep_versions=1)
    page = text(as_user("alice").get(address("dataset_upload", "open")))
    assert "Earlier versions stay as long as the data set keeps them." in page


def test_a_form_that_is_sent_twice_publishes_once(as_user: Callable[[str], Client]):
    client = as_user("alice")
    for _ in range(2):
        answer = client.post(address("dataset_upload", "open"), {"file": file(), "key": "same"})
        assert answer["Location"] == "/data/open?said=published"
    assert Dataset.objects.get(name="open").versions.count() == 2
    for _ in range(2):
        form = {"file": file(), "name": "fresh", "access": "grant", "key": "same"}
        assert client.post(address("dataset_new"), form)["Location"] == "/data/fresh?said=published"
    assert Dataset.objects.get(name="fresh").versions.count() == 1
    other = client.post(address("dataset_upload", "open"), {"file": file("a\n1\n"), "key": "same"})
    assert "This form was sent already" in text(other)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"who,region,price\nbob,north\n", "a.csv", "Row 2: "),
        (b"", "a.csv", "The submitted file is empty."),
        (b"%PDF-1.4 \x00", "a.csv", "This is not CSV but a PDF."),
        (b"a,b\n1,2\n", "a.wrong", "Say in which format the file is"),
        (b"x" * 2000, "a.csv", "The file is bigger than 900 bytes."),
    ],
)
def test_bad_data_is_told_by_the_field_and_nothing_is_lost(
    as_user: Callable[[str], Client], settings: Any, content: bytes, name: str, said: str
):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_MAX_BYTES": 900}
    form = {"file": file(content, name), "note": "My words", "append": "on", "key": "k"}
    answer = as_user("alice").post(address("dataset_upload", "regional"), form)
    assert answer.status_code == 422
    page = answer.content.decode()
    by_the_field = unescape(page.partition('data-field="file"')[2].partition("data-field")[0])
    assert said in by_the_field
    assert 'aria-invalid="true"' in by_the_field
    assert 'value="My words"' in page
    assert re.search(r'name="append"[^>]* checked', page)
    assert Dataset.objects.get(name="regional").versions.count() == 1


def test_a_data_set_is_made(as_user: Callable[[str], Client]):
    client = as_user("mona")
    form = {"file": file(), "name": "fresh.1", "title": "Fresh", "access": "login", "key": "k"}
    assert client.post(address("dataset_new"), form)["Location"] == "/data/fresh.1?said=published"
    made = Dataset.objects.get(name="fresh.1")
    assert (made.title, made.access, made.kind, made.owner.username) == ("Fresh", "login", "table", "mona")
    plain = {"file": file(b"%PDF-", "a.pdf"), "name": "paper", "access": "grant", "key": "k"}
    client.post(address("dataset_new"), plain)
    assert Dataset.objects.get(name="paper").kind == "file"


@pytest.mark.parametrize("name", ["open", "granted", "a b", ""])
def test_a_name_that_cannot_be_is_told_by_the_field(as_user: Callable[[str], Client], name: str):
    for visitor in ("mona", "alice"):
        form = {"file": file(), "name": name, "title": "My words", "access": "grant", "key": "k"}
        answer = as_user(visitor).post(address("dataset_new"), form)
        assert answer.status_code == 422
        assert (
            "errorlist"
            in answer.content.decode().partition('data-field="name"')[2].partition("data-field")[0]
        )
        assert 'value="My words"' in answer.content.decode()
    assert Dataset.objects.count() == len(DATASETS)


def test_who_may_not_make_data_sets_is_told_so(as_user: Callable[[str], Client]):
    assert outcome(as_user("anonymous").get(address("dataset_new"))) == "login"
    for answer in (as_user("bob").get(address("dataset_new")), as_user("bob").post(address("dataset_new"))):
        assert answer.status_code == 403
        assert "You may not make data sets." in text(answer)


POSTS = {
    "dataset_upload": {"key": "k"},
    "dataset_sharing": {"do": "access", "access": "public"},
    "dataset_edit": {"title": "Stolen"},
    "dataset_delete": {"name": "granted"},
    "dataset_undelete": {},
}


@pytest.mark.parametrize("page", POSTS)
def test_forms_are_refused_as_their_pages_are(as_user: Callable[[str], Client], page: str):
    before = list(Dataset.objects.values().order_by("pk"))
    allowed = PUBLISHERS if page == "dataset_upload" else MANAGERS
    for visitor in set(VISITORS) - set(allowed):
        values = POSTS[page] | ({"file": file()} if page == "dataset_upload" else {})
        assert outcome(as_user(visitor).post(address(page, "granted"), values)) == "403"
    assert list(Dataset.objects.values().order_by("pk")) == before


@pytest.mark.parametrize("page", [*POSTS, "dataset_new", "tokens", "token_revoke"])
def test_forms_of_other_sites_are_refused(place: None, page: str):
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="alice"))
    args = ["granted"] if page in POSTS else [1] if page == "token_revoke" else []
    assert client.post(address(page, *args), POSTS.get(page, {})).status_code == 403
    assert Dataset.objects.existing().count() == len(DATASETS)


# Sharing, editing, deleting


def test_grants_are_given_and_taken_back(as_user: Callable[[str], Client]):
    client, page = as_user("alice"), address("dataset_sharing", "letter")
    assert outcome(as_user("dora").get(address("dataset", "letter"))) == "403"
    client.post(page, {"do": "grant", "holder": "user", "name": "dora", "role": "open"})
    assert outcome(as_user("dora").get(address("dataset", "letter"))) == "200"
    client.post(page, {"do": "grant", "holder": "user", "name": "dora", "role": "manage"})
    grant = DatasetGrant.objects.get(dataset__name="letter", user__username="dora")
    assert grant.role == "manage"
    # Who takes the right from himself is not left before a closed door
    answer = as_user("dora").post(page, {"do": "revoke", "grant": grant.pk})
    assert answer["Location"] == "/data/?said=shared"
    assert outcome(as_user("dora").get(address("dataset", "letter"))) == "403"
    client.post(page, {"do": "grant", "holder": "group", "name": "north", "role": "publish"})
    assert "group north" in text(client.get(page))


@pytest.mark.parametrize("holder", ["user", "group"])
def test_a_name_that_is_not_there_is_told_by_the_field(as_user: Callable[[str], Client], holder: str):
    form = {"do": "grant", "holder": holder, "name": "nemo", "role": "open"}
    answer = as_user("alice").post(address("dataset_sharing", "letter"), form)
    assert answer.status_code == 422
    assert f"There is no {holder} 'nemo'." in text(answer)
    assert 'value="nemo"' in answer.content.decode()


def test_a_grant_of_another_data_set_is_out_of_reach(as_user: Callable[[str], Client]):
    mine = Dataset.objects.create(name="mine", owner=User.objects.get(username="bob"))
    other = DatasetGrant.objects.get(dataset__name="letter", user__username="carol")
    as_user("bob").post(address("dataset_sharing", mine.name), {"do": "revoke", "grant": other.pk})
    assert DatasetGrant.objects.filter(pk=other.pk).exists()


def test_access_and_row_rule_are_changed(as_user: Callable[[str], Client]):
    client, page = as_user("alice"), address("dataset_sharing", "open")
    values = {"do": "access", "access": "login", "row_rule": "username", "row_column": "who"}
    assert client.post(page, values)["Location"] == "/data/open/sharing?said=shared"
    dataset = Dataset.objects.get(name="open")
    assert (dataset.access, dataset.row_rule, dataset.row_column) == ("login", "username", "who")
    wrong = client.post(page, values | {"row_column": ""})
    assert "Choose the column that the rule reads." in text(wrong)
    # A column of numbers with a fraction is not among the choices
    assert client.post(page, values | {"row_column": "price"}).status_code == 422


def test_a_form_saves_what_was_changed_in_it_and_takes_nothing_back(as_user: Callable[[str], Client]):
    """Two tabs are open; the second one is saved when its page shows no longer what is."""
    client = as_user("alice")
    sharing, edit = address("dataset_sharing", "open"), address("dataset_edit", "open")
    late, late_edit = form_with(client.get(sharing), "access"), form_with(client.get(edit), "title")
    rule = {"row_rule": "username", "row_column": "who"}
    client.post(sharing, form_with(client.get(sharing), "access") | rule)
    client.post(edit, form_with(client.get(edit), "title") | {"tags": "a, b", "keep_versions": "3"})
    assert client.post(sharing, late | {"access": "login"}).status_code == 302
    assert client.post(edit, late_edit | {"description": "More"}).status_code == 302
    dataset = Dataset.objects.get(name="open")
    assert (dataset.access, dataset.row_rule, dataset.row_column) == ("login", "username", "who")
    assert (dataset.description, dataset.tags, dataset.keep_versions) == ("More", ["a", "b"], 3)
    # The rule goes with its column
    client.post(sharing, late | {"initial-row_rule": "groups"})
    dataset.refresh_from_db()
    assert (dataset.access, dataset.row_rule, dataset.row_column) == ("login", "", "")


@pytest.mark.parametrize("broken", ["", "x" * 5000, "\0", "\ufffe", "[", "9" * 5000])
def test_hidden_fields_that_are_broken_do_no_harm(as_user: Callable[[str], Client], broken: str):
    client = as_user("alice")
    for page, name in (("dataset_sharing", "access"), ("dataset_edit", "title")):
        form = form_with(client.get(address(page, "open")), name)
        hidden = {key: broken for key in form if key.startswith("initial-")}
        assert len(hidden) >= 3
        assert client.post(address(page, "open"), form | hidden).status_code == 302
        wrong = client.post(address(page, "open"), form | hidden | {"access": "x", "keep_days": "x"})
        assert wrong.status_code == 422
    assert Dataset.objects.get(name="open").access == "public"


def test_a_refused_form_still_knows_what_it_showed(as_user: Callable[[str], Client]):
    client, page = as_user("alice"), address("dataset_edit", "open")
    form = form_with(client.get(page), "title")
    Dataset.objects.filter(name="open").update(title="Another one's")
    refused = client.post(page, form | {"keep_versions": "1-2", "description": "More"})
    assert refused.status_code == 422
    again = form_with(refused, "title")
    # Nothing would mean: no limit
    assert again["keep_versions"] == "1-2"
    assert "Enter a whole number." in text(refused)
    assert client.post(page, again | {"keep_versions": "2"}).status_code == 302
    dataset = Dataset.objects.get(name="open")
    assert (dataset.title, dataset.description, dataset.keep_versions) == ("Another one's", "More", 2)


def test_browsers_send_what_is_typed_as_a_number(as_user: Callable[[str], Client]):
    page = as_user("alice").get(address("dataset_edit", "open")).content.decode()
    for name in ("keep_versions", "keep_days"):
        field = re.search(rf'<input[^>]* name="{name}"[^>]*>', page)
        assert field is not None
        assert 'type="text"' in field[0]
        assert 'inputmode="numeric"' in field[0]


def test_who_was_logged_out_meanwhile_is_told_that_nothing_is_saved(place: None):
    for page in (*POSTS, "dataset_new", "tokens"):
        args = ["inside"] if page in POSTS else []
        answer = Client().post(address(page, *args), POSTS.get(page, {}))
        assert answer.status_code == 403
        assert "Nothing was saved: you were logged out" in text(answer)
        assert f'href="/accounts/login/?next={address(page, *args)}"' in answer.content.decode()
    assert Dataset.objects.get(name="inside").title == "Title of inside"


def test_a_grant_to_the_owner_is_refused(as_user: Callable[[str], Client]):
    form = {"do": "grant", "holder": "user", "name": "alice", "role": "open"}
    answer = as_user("root").post(address("dataset_sharing", "letter"), form)
    assert answer.status_code == 422
    assert "'alice' is the owner, and may do all of it." in text(answer)
    assert not DatasetGrant.objects.filter(user__username="alice").exists()
    # Of what nobody owns, anybody may get any
    Dataset.objects.filter(name="letter").update(owner=None)
    assert as_user("root").post(address("dataset_sharing", "letter"), form).status_code == 302
    group = {"do": "grant", "holder": "group", "name": "north", "role": "open"}
    assert as_user("root").post(address("dataset_sharing", "letter"), group).status_code == 302


def test_phones_leave_names_as_they_are_typed(as_user: Callable[[str], Client]):
    page = as_user("alice").get(address("dataset_sharing", "letter")).content.decode()
    field = re.search(r'<input[^>]* name="name"[^>]*>', page)
    assert field is not None
    assert {'autocapitalize="off"', 'autocomplete="off"', 'spellcheck="false"'} <= set(field[0].split())


@pytest.mark.parametrize(
    ("name", "viewer", "said"),
    [
        ("regional", "bob", "2 rows that bob may see, of 3 in all"),
        ("regional", "dora", "dora may not see it."),
        ("regional", "gone", "gone may not see it."),
        ("regional", "nemo", "There is no user 'nemo'."),
        ("letter", "bob", "bob may see it."),
        ("empty", "dora", "dora may see it."),
    ],
)
def test_owners_look_as_somebody_else(as_user: Callable[[str], Client], name: str, viewer: str, said: str):
    page = as_user("alice").get(address("dataset_sharing", name, **{"as": viewer}))
    assert said in text(page)


def test_words_and_retention_are_changed(as_user: Callable[[str], Client]):
    client, page = as_user("alice"), address("dataset_edit", "open")
    values = {
        "title": "New",
        "description": "More",
        "tags": " a,  b c,a",
        "keep_versions": "3",
        "same_columns": "on",
    }
    assert client.post(page, values)["Location"] == "/data/open?said=changed"
    dataset = Dataset.objects.get(name="open")
    assert (dataset.title, dataset.tags, dataset.keep_versions) == ("New", ["a", "b c"], 3)
    assert [column["name"] for column in dataset.schema] == ["who", "region", "price"]
    upload = {"file": file("other\n1\n"), "key": "k"}
    assert "not in the file" in text(client.post(address("dataset_upload", "open"), upload))
    del values["same_columns"]
    client.post(page, values)
    assert Dataset.objects.get(name="open").schema is None
    assert client.post(page, values | {"keep_days": "0"}).status_code == 422


def test_deleting_asks_for_the_name_and_can_be_undone(as_user: Callable[[str], Client]):
    client, page = as_user("alice"), address("dataset_delete", "open")
    assert "type its name" in text(client.get(page))
    assert client.post(page, {"name": "opne"}).status_code == 422
    assert outcome(as_user("bob").get(address("dataset", "open"))) == "200"
    assert client.post(page, {"name": "open"})["Location"] == "/data/?said=deleted"
    assert outcome(as_user("bob").get(address("dataset", "open"))) == "403"
    assert "deleted now" in text(client.get(address("datasets")))
    assert "This data set is deleted" in text(client.get(address("dataset", "open")))
    assert "deleted" not in text(as_user("carol").get(address("datasets")))
    assert client.post(address("dataset_undelete", "open"))["Location"] == "/data/open?said=undeleted"
    assert outcome(as_user("bob").get(address("dataset", "open"))) == "200"


# Tokens


def test_a_token_is_made_and_shown_once(as_user: Callable[[str], Client]):
    client, page = as_user("bob"), address("tokens")
    assert outcome(as_user("anonymous").get(page)) == "login"
    values = {"note": "Nightly", "scopes": ["read", "publish"], "dataset": "open", "days": "30"}
    answer = client.post(page, values)
    secret = re.search(r'id="ar-token"[^>]*>(viz_[\w-]+)<', answer.content.decode())
    assert secret is not None
    assert answer["Cache-Control"] == "no-store"
    token = ApiToken.objects.of(secret[1])
    assert token is not None
    assert (token.note, token.scopes, token.dataset.name, token.user.username) == (
        "Nightly",
        ["publish", "read"],
        "open",
        "bob",
    )
    again = client.get(page).content.decode()
    assert "Nightly" in again
    assert secret[1] not in again
    assert token.digest not in again


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"scopes": []}, "Choose at least one."),
        ({"dataset": "granted"}, "You may not see 'granted'."),
        ({"dataset": "nothing"}, "You may not see 'nothing'."),
        ({"app": "nothing"}, "You may not open 'nothing'."),
        ({"scopes": ["push"], "dataset": "open"}, "A data set goes with the scopes read, publish, manage."),
        ({"note": ""}, "This field is required."),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    as_user: Callable[[str], Client], values: dict[str, Any], said: str
):
    before = ApiToken.objects.count()
    form = {"note": "My words", "scopes": ["read"], "days": "30"} | values
    answer = as_user("dora").post(address("tokens"), form)
    assert answer.status_code == 422
    assert said in text(answer)
    assert ApiToken.objects.count() == before


def test_who_has_no_token_is_told_why(as_user: Callable[[str], Client]):
    assert "You have no token yet." in text(as_user("bob").get(address("tokens")))
    ApiToken.objects.issue(User.objects.get(username="bob"), ["read"])[0].revoke()
    assert "None of your tokens is valid any more." in text(as_user("bob").get(address("tokens")))


def test_tokens_are_revoked_by_their_user(as_user: Callable[[str], Client]):
    token, secret = ApiToken.objects.issue(User.objects.get(username="bob"), ["read"], note="Nightly")
    revoke = address("token_revoke", token.pk)
    assert as_user("alice").post(revoke).status_code == 404
    assert ApiToken.objects.of(secret) is not None
    assert as_user("bob").post(revoke)["Location"] == "/tokens/?said=revoked"
    assert ApiToken.objects.of(secret) is None
    page = text(as_user("bob").get(address("tokens")))
    assert "revoked" in page.partition("Revoked and expired")[2]


# In a browser, under a strict policy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("data_pages")
    site = Site(folder, folder / "journal.txt")
    site.make()
    furnish_site(site)
    settings = {
        "DATA_CACHE_DIR": str(folder / "cache"),
        "DATA_MAX_BYTES": 1_000_000,
        "APPS": {},
        "STOP_TIMEOUT": 1,
    }
    with site.serve(env={"DJANGO_SETTINGS_MODULE": "tests.rows_settings"}, **settings) as server:
        yield server
    assert "Traceback" not in server.output, server.output


def test_what_the_page_says_how_to_publish_works(server: RunningServer, tmp_path: Path):
    with visit(server) as client:
        serving.log_in(client, "mona")
        headers = {"Referer": f"{server.url}/tokens/", "X-CSRFToken": client.cookies["csrftoken"]}
        form = {"note": "Snippets", "scopes": ["read", "publish"], "days": "7"}
        made = client.post("/tokens/", data=form, headers=headers).text
        page = client.get("/data/-/new").text
        snippets = [
            unescape(found) for found in re.findall(r'<pre id="ar-publish-[^>]*>(.*?)</pre>', page, re.DOTALL)
        ]
        (tmp_path / "sales.csv").write_text("a,b\n1,2\n")
        token = re.findall(r'id="ar-token"[^>]*>(viz_[\w-]+)<', made)[0]
        env = os.environ | {"VIZSERVER_TOKEN": token, "PYTHONPATH": str(ROOT)}
        curl, python = (["sh", "-c", snippets[0]], [sys.executable, "-c", snippets[1]])
        for number, command in enumerate((curl, python), 1):
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr + done.stdout
            assert f"version {number}, 1 row" in client.get("/data/sales").text
        reading = re.findall(r'<pre id="ar-read-[^>]*>(.*?)</pre>', client.get("/data/sales").text, re.DOTALL)
        frame = unescape(reading[1]) + "\n    print(frame.to_csv(index=False))"
        done = subprocess.run(
            [sys.executable, "-c", frame], env=env, capture_output=True, text=True, timeout=120
        )
        assert done.stdout.strip() == "a,b\n1,2", done.stderr
        done = subprocess.run(
            ["sh", "-c", unescape(reading[2])], cwd=tmp_path, env=env, timeout=120, check=True
        )
        assert (tmp_path / "sales-2.csv").read_text() == '"a","b"\n1,2\n'


def test_an_upload_that_is_too_big_is_stopped_while_it_comes(server: RunningServer):
    with visit(server) as client:
        answer = client.post("/data/open/upload", files={"file": ("a.csv", b"x" * 1_200_000)})
        assert (answer.status_code, answer.json()["code"]) == (413, "TooBig")


async def log_in(page: Any, server: RunningServer, name: str, address: str) -> None:
    await page.goto(f"{server.url}/accounts/login/?next={address}")
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password").fill(name)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"**{address}")


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_a_file_is_uploaded_and_its_version_shown(
    server: RunningServer, new_page: Callable[..., Awaitable[Any]], tmp_path: Path
):
    page = await new_page()
    await log_in(page, server, "alice", "/data/open/upload")
    bad, good, big = tmp_path / "bad.csv", tmp_path / "good.csv", tmp_path / "big.csv"
    bad.write_text("who,price\nbob,1\ncarol\n")
    good.write_text("day,price\n" + "".join(f"2026-01-{day:02},{day}\n" for day in range(1, 30)))
    big.write_bytes(b"x" * 1_000_001)
    chosen = page.get_by_label("File", exact=True)
    await chosen.set_input_files(big)
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("alert")).to_have_text("The file is bigger than 977 KiB.")
    await chosen.set_input_files(bad)
    await page.get_by_label("Note").fill("From the browser")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.locator("[data-field=file] .errorlist")).to_contain_text("Row 3")
    # All is as it was, and can be put right
    await expect(chosen).to_have_value(re.compile(r"bad\.csv$"))
    await expect(page.get_by_label("Note")).to_have_value("From the browser")
    # Who has logged in again in another tab is told so in a sentence
    cookies = await page.context.cookies()
    await page.context.clear_cookies(name="csrftoken")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.locator("[data-field=file] .errorlist")).to_have_text(
        "This page is older than your login. Load it again and send the form once more."
    )
    await page.context.add_cookies(cookies)
    problems = problems_of(page)
    await chosen.set_input_files(good)
    await page.get_by_role("button", name="Publish").click()
    await page.wait_for_url("**/data/open*")
    await expect(page.get_by_role("status").first).to_have_text("It is published.")
    await expect(page.locator(".ar-versions").get_by_text("From the browser")).to_be_visible()
    await page.wait_for_selector("#ar-plot[data-drawn]")
    assert await page.evaluate("Bokeh.documents[0].roots()[0].renderers.length") == 2
    assert await page.evaluate("location.search") == ""
    # By keyboard one comes past other columns, which are not drawn
    await page.get_by_label("over", exact=True).focus()
    await page.keyboard.press("Home")
    await expect(page.get_by_label("over", exact=True)).to_be_focused()
    await expect(page.get_by_label("over", exact=True)).to_have_value("")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("figcaption").first).to_contain_text("price by row")
    await page.wait_for_selector("#ar-plot[data-drawn]")
    await shoot(page, "data-set")
    assert problems == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_a_token_is_shown_once(server: RunningServer, new_page: Callable[..., Awaitable[Any]]):
    page = await new_page(permissions=["clipboard-read", "clipboard-write"])
    problems = problems_of(page)
    await log_in(page, server, "bob", "/tokens/")
    await page.get_by_label("What it is for").fill("From the browser")
    await page.get_by_role("button", name="Make the token").click()
    secret = await page.locator("#ar-token").inner_text()
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == secret
    headers = {"Authorization": f"Bearer {secret}"}
    answer = await page.request.get(f"{server.url}/api/datasets/granted", headers=headers)
    assert answer.status == 200
    await page.reload()
    await expect(page.get_by_role("rowheader", name="From the browser")).to_have_count(1)
    assert secret not in await page.content()
    assert problems == []


@pytest.mark.browser
@pytest.mark.asyncio(loop_scope="session")
async def test_pages_fit_a_phone(server: RunningServer, new_page: Callable[..., Awaitable[Any]]):
    page = await new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    await log_in(page, server, "alice", "/data/regional/edit")
    # The tab where one is can be seen
    await expect(page.locator(".ar-tabs [aria-current]")).to_be_in_viewport(ratio=1)
    # One long word stays within the window; what is wrong is where one is led
    await page.get_by_label("Title").fill("W" * 200)
    await page.get_by_label("Tags").fill("y" * 100)
    await page.get_by_label("Versions to keep").fill("1-2")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Enter a whole number.")).to_be_visible()
    await expect(page.get_by_label("Versions to keep")).to_be_focused()
    await page.get_by_label("Versions to keep").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The changes are saved.")).to_be_visible()
    problems = problems_of(page)
    names = (
        "",
        "regional",
        "regional/versions",
        "regional/upload",
        "regional/sharing?as=bob",
        "regional/edit",
    )
    for path in (*(f"/data/{name}" for name in names), "/data/-/new", "/tokens/"):
        # All of it: what is still on its way when the next page comes counts as failed
        await page.goto(f"{server.url}{path}", wait_until="networkidle")
        assert not await overflows(page), path
        # Each control has a name
        unnamed = await page.evaluate(
            "[...document.querySelectorAll('main :is(input:not([type=hidden]), select, textarea)')]"
            ".filter((field) => !field.labels.length && !field.ariaLabel).map((field) => field.name)"
        )
        assert unnamed == [], path
    assert problems == []
