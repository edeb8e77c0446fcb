"""The admin of data sets and API tokens: who sees what in it, and what it does."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps_registry.datasets.publishing import publish
from apps_registry.models import ApiToken, Dataset, DatasetGrant

from .sent_forms import form_with
from .test_admin import MAX_QUERIES, act, allow, form_data, messages, table, text, url

pytestmark = pytest.mark.django_db

CSV = b"region,price\nnorth,1.5\nsouth,2.5\n"


@pytest.fixture(autouse=True)
def storage(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_CACHE_DIR": str(tmp_path / "copies")}


@pytest.fixture
def users() -> dict[str, User]:
    """``editor`` may change all data sets; ``owner`` owns sales, and ``maker`` may only make some."""
    users = {
        name: User.objects.create_user(name, is_staff=True) for name in ("editor", "owner", "maker", "staff")
    }
    users |= {"root": User.objects.create_superuser("root"), "bob": User.objects.create_user("bob")}
    allow(users["editor"], "change_dataset")
    for name in ("owner", "maker"):
        users[name].user_permissions.add(Permission.objects.get(codename="publish_data"))
    return users


@pytest.fixture
def sales(users: dict[str, User]) -> Dataset:
    dataset = Dataset.objects.create(name="sales", title="Sales by region", owner=users["owner"])
    publish(dataset, io.BytesIO(CSV), user=users["owner"], format="csv", note="The first one")
    Dataset.objects.create(name="payroll", owner=users["root"])
    dataset.refresh_from_db()
    return dataset


@pytest.fixture
def login(users: dict[str, User]) -> Callable[[str], Client]:
    def login(name: str) -> Client:
        client = Client()
        client.force_login(users[name])
        return client

    return login


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("root", {"sales", "payroll"}),
        ("editor", {"sales", "payroll"}),
        ("owner", {"sales"}),
        ("maker", set()),
    ],
)
def test_the_list_names_what_the_user_manages(
    login: Callable[[str], Client], sales: Dataset, name: str, named: set[str]
):
    page = table(login(name).get(url("dataset_changelist")))
    assert {known for known in ("sales", "payroll") if known in page} == named


def test_who_manages_nothing_finds_no_list(login: Callable[[str], Client], sales: Dataset):
    assert login("staff").get(url("dataset_changelist")).status_code == 403
    assert login("bob").get(url("dataset_changelist")).status_code == 302


@pytest.mark.parametrize("name", ["editor", "owner"])
def test_the_page_of_a_data_set(login: Callable[[str], Client], sales: Dataset, name: str):
    client = login(name)
    page = text(client.get(url("dataset_change", sales.pk)))
    assert "The first one" in page
    assert "2 rows" in page
    hidden = Dataset.objects.get(name="payroll")
    assert client.get(url("dataset_change", hidden.pk)).status_code == (200 if name == "editor" else 302)


@pytest.mark.parametrize("page", ["dataset_changelist", "apitoken_changelist"])
def test_lists_ask_few_questions(
    login: Callable[[str], Client],
    users: dict[str, User],
    sales: Dataset,
    page: str,
    django_assert_max_num_queries: Any,
):
    for number in range(5):
        dataset = Dataset.objects.create(name=f"set{number}", owner=users["root"])
        publish(dataset, io.BytesIO(CSV), user=users["root"], format="csv")
        ApiToken.objects.issue(users["bob"], ["read"], dataset=dataset)
    client = login("root")
    with django_assert_max_num_queries(MAX_QUERIES):
        assert "set4" in table(client.get(url(page)))


def test_the_fields_are_changed(login: Callable[[str], Client], sales: Dataset, users: dict[str, User]):
    client, address = login("owner"), url("dataset_change", sales.pk)
    data = form_data(client.get(address))
    assert not {"name", "kind", "owner"} & data.keys()
    data |= {"title": "Sales", "tags": "a, b", "row_rule": "groups", "row_column": "region"}
    data |= {"grants-TOTAL_FORMS": "1", "grants-0-user": str(users["bob"].pk), "grants-0-role": "open"}
    assert client.post(address, data).status_code == 302
    sales.refresh_from_db()
    assert (sales.title, sales.tags, sales.row_rule, sales.owner) == (
        "Sales",
        ["a", "b"],
        "groups",
        users["owner"],
    )
    assert sales.newest is not None
    assert DatasetGrant.objects.get(dataset=sales).user == users["bob"]


def test_a_page_saves_what_was_changed_on_it(login: Callable[[str], Client], sales: Dataset):
    """Two tabs are open; the second one is saved when its page shows no longer what is."""
    client, address = login("editor"), url("dataset_change", sales.pk)
    late = form_with(client.get(address), "row_rule")
    rule = {"row_rule": "groups", "row_column": "region", "tags": "a, b", "keep_days": "7"}
    assert client.post(address, form_with(client.get(address), "row_rule") | rule).status_code == 302
    assert client.post(address, late | {"access": "login"}).status_code == 302
    sales.refresh_from_db()
    assert (sales.access, sales.row_rule, sales.row_column) == ("login", "groups", "region")
    assert (sales.tags, sales.keep_days, sales.title) == (["a", "b"], 7, "Sales by region")
    refused = client.post(address, form_with(client.get(address), "row_rule") | {"keep_days": "1-2"})
    assert "Enter a whole number." in text(refused)
    assert form_with(refused, "row_rule")["keep_days"] == "1-2"
    broken = {key: "\0[" for key in late if key.startswith("initial-")}
    assert client.post(address, late | broken | {"row_rule": "", "row_column": "x"}).status_code == 302
    sales.refresh_from_db()
    assert (sales.row_rule, sales.row_column) == ("", "")


def test_one_row_is_one(login: Callable[[str], Client], users: dict[str, User], sales: Dataset):
    publish(sales, io.BytesIO(b"a\n1\n"), user=users["owner"], format="csv")
    assert "2: 1 row " in table(login("root").get(url("dataset_changelist")))


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"row_rule": "groups", "row_column": "price"}, "row_column", "'price' is none"),
        ({"row_rule": "groups", "row_column": ""}, "row_column", "A row rule needs"),
        ({"schema": '[{"name": "a", "type": "wrong"}]'}, "schema", "'wrong' is not a type"),
    ],
)
def test_rules_that_cannot_be_are_refused(
    login: Callable[[str], Client], sales: Dataset, values: dict[str, str], field: str, said: str
):
    client, address = login("owner"), url("dataset_change", sales.pk)
    answer = client.post(address, form_data(client.get(address)) | values)
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert said in str(errors.get(field) or errors["__all__"]).replace("&#x27;", "'")
    assert Dataset.objects.get(pk=sales.pk).row_rule == ""


def test_a_new_one_is_that_of_who_makes_it(login: Callable[[str], Client], users: dict[str, User]):
    client, address = login("maker"), url("dataset_add")
    data = form_data(client.get(address)) | {"name": "mine", "access": "login"}
    assert client.post(address, data).status_code == 302
    assert Dataset.objects.get(name="mine").owner == users["maker"]


def test_users_for_grants_are_found_by_owners(login: Callable[[str], Client], sales: Dataset):
    query = {"app_label": "apps_registry", "model_name": "datasetgrant", "field_name": "user", "term": "bo"}
    found = login("owner").get(url("vizapp_people", **query))
    assert [one["text"] for one in found.json()["results"]] == ["bob"]
    assert login("staff").get(url("vizapp_people", **query)).status_code == 403


def test_a_version_is_published(login: Callable[[str], Client], sales: Dataset):
    client = login("owner")
    asked = act(client, "dataset", "publish_version", sales)
    assert 'enctype="multipart/form-data"' in asked.content.decode()
    bad = SimpleUploadedFile("a.csv", b"region,price\nnorth\n")
    wrong = act(client, "dataset", "publish_version", sales, answered="1", key="k", file=bad)
    assert "Row 2" in text(wrong)
    good = SimpleUploadedFile("a.csv", CSV + b"west,3\n")
    done = act(client, "dataset", "publish_version", sales, answered="1", key="k", file=good, note="More")
    assert "version 2 is published" in messages(done)
    sales.refresh_from_db()
    assert sales.newest is not None
    assert (sales.newest.number, sales.newest.rows, sales.newest.note) == (2, 3, "More")
    assert LogEntry.objects.filter(object_id=sales.pk, change_message="Published version 2.").exists()


def test_nothing_is_published_where_the_user_may_not(login: Callable[[str], Client], sales: Dataset):
    # Who changes data sets need not be a publisher of them
    good = SimpleUploadedFile("a.csv", CSV)
    done = act(login("editor"), "dataset", "publish_version", sales, answered="1", key="k", file=good)
    assert "You may not" in messages(done)
    assert sales.versions.count() == 1


def test_deleting_asks_twice_and_can_be_undone(login: Callable[[str], Client], sales: Dataset):
    client = login("owner")
    asked = act(client, "dataset", "delete", sales)
    assert "Hide them from everybody" in text(asked)
    act(client, "dataset", "delete", sales, answered="1")
    assert Dataset.objects.existing().filter(pk=sales.pk).exists()
    done = act(client, "dataset", "delete", sales, answered="1", sure="1")
    assert "Deleted: sales" in messages(done)
    assert not Dataset.objects.existing().filter(pk=sales.pk).exists()
    assert "Brought back: sales" in messages(act(client, "dataset", "undelete", sales))
    assert Dataset.objects.existing().filter(pk=sales.pk).exists()


def test_another_ones_data_set_is_out_of_reach(login: Callable[[str], Client], sales: Dataset):
    hidden = Dataset.objects.get(name="payroll")
    act(login("owner"), "dataset", "delete", hidden, answered="1", sure="1")
    hidden.refresh_from_db()
    assert hidden.deleted_at is None


# Tokens


def test_tokens_are_revoked_and_their_hash_is_not_shown(
    login: Callable[[str], Client], users: dict[str, User]
):
    token, secret = ApiToken.objects.issue(users["bob"], ["read"], note="Nightly")
    client = login("root")
    for page in (url("apitoken_changelist"), url("apitoken_change", token.pk)):
        answer = client.get(page)
        assert "Nightly" in text(answer)
        assert token.digest not in answer.content.decode()
        assert secret not in answer.content.decode()
    done = act(client, "apitoken", "revoke", token)
    assert "Revoked" in messages(done)
    assert ApiToken.objects.of(secret) is None
    assert client.get(url("apitoken_add")).status_code == 403


def test_tokens_are_for_who_has_the_permission(login: Callable[[str], Client], users: dict[str, User]):
    token, secret = ApiToken.objects.issue(users["bob"], ["read"])
    client = login("staff")
    assert client.get(url("apitoken_changelist")).status_code == 403
    allow(users["staff"], "view_apitoken")
    client = login("staff")
    assert token.start in table(client.get(url("apitoken_changelist")))
    act(client, "apitoken", "revoke", token)
    assert ApiToken.objects.of(secret) is not None


@pytest.mark.parametrize("state", ["valid", "expired", "revoked"])
def test_tokens_by_their_state(login: Callable[[str], Client], users: dict[str, User], state: str):
    now = timezone.now()
    for note, values in {
        "valid": {},
        "expired": {"expires_at": now - timedelta(1)},
        "revoked": {"revoked_at": now},
    }.items():
        token, _ = ApiToken.objects.issue(users["bob"], ["read"], note=f"is {note}")
        ApiToken.objects.filter(pk=token.pk).update(**values)
    page = table(login("root").get(url("apitoken_changelist", state=state)))
    assert [note for note in ("valid", "expired", "revoked") if f"is {note}" in page] == [state]
