"""The admin: who sees what in it, and what its pages and actions do."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.core.files.base import ContentFile
from django.test import AsyncClient, Client
from django.urls import reverse
from django.utils import timezone

from apps_registry.models import (
    Access,
    Failure,
    Grant,
    GuestLink,
    Host,
    LiveSession,
    Notice,
    Opening,
    VizApp,
)
from tests.sent_forms import form_with
from tests.serving import APPS, SAMPLES

pytestmark = pytest.mark.django_db

LISTS = ("vizapp", "livesession", "failure", "opening")
#: Fewer than ten.
MAX_QUERIES = 9
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
)


def url(page: str, *args: Any, **query: str) -> str:
    """The address of a page of the admin about what the package registers."""
    return reverse(f"admin:apps_registry_{page}", args=args, query=query or None)


def make_app(name: str, **values: Any) -> VizApp:
    """A row whose files are a sample app's."""
    return VizApp.objects.create(**{"name": name, "source": "sliders.py", "enabled": True, **values})


def allow(user: User, *permissions: str) -> None:
    """Give a user permissions of Django's own kind."""
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))


@pytest.fixture
def sales() -> VizApp:
    return make_app("sales", title="Sales by region", access=Access.GRANT)


@pytest.fixture
def payroll() -> VizApp:
    """A row that the manager of ``sales`` may know nothing of."""
    return make_app("payroll", title="Salaries", access=Access.GRANT)


@pytest.fixture
def users(sales: VizApp, payroll: VizApp) -> dict[str, User]:
    """One of each kind; ``manager`` has a grant on ``sales``, ``viewer`` may view all models and no more."""
    users = {
        "root": User.objects.create_superuser("root"),
        "editor": User.objects.create_user("editor", is_staff=True),
        "manager": User.objects.create_user("manager", is_staff=True),
        "viewer": User.objects.create_user("viewer", is_staff=True),
        "customer": User.objects.create_user("customer"),
        "alice": User.objects.create_user("alice", first_name="Alice", email="alice@example.org"),
    }
    allow(users["editor"], "change_vizapp")
    allow(users["viewer"], *(f"view_{name}" for name in LISTS))
    Grant.objects.create(app=sales, role="manage", user=users["manager"])
    # Without a place in the staff, a grant opens no admin
    Grant.objects.create(app=sales, role="manage", user=users["customer"])
    return users


@pytest.fixture
def login(users: dict[str, User]) -> Callable[[str], Client]:
    """``login(name)`` is the browser of that user."""

    def login(name: str) -> Client:
        client = Client()
        client.force_login(users[name])
        return client

    return login


@pytest.fixture
def app_dir(tmp_path: Path, settings: Any) -> Path:
    """The one directory of apps, with ``sliders.py``, ``new.py``, and ``broken``, a link that leads out."""
    folder = tmp_path / "apps"
    folder.mkdir()
    (folder / "sliders.py").write_text((SAMPLES / "sliders.py").read_text())
    (folder / "broken").symlink_to(APPS / "broken")
    (folder / "new.py").write_text("raise RuntimeError('not ready')\n")
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "APP_DIRS": [folder]}
    return folder


@pytest.fixture
def host() -> Host:
    now = timezone.now()
    return Host.objects.create(name="box:4711:a1", started_at=now, seen_at=now)


def live(host: Host, app: VizApp, session: str, user: User | None = None, **values: Any) -> LiveSession:
    now = timezone.now()
    return LiveSession.objects.create(
        host=host,
        session=session,
        app=app,
        app_name=app.name,
        user=user,
        username=user.username if user else "",
        **{"started_at": now, "active_at": now, "tabs": 1, "memory": 3_500_000, **values},
    )


def fail(app: VizApp, reference: str, **values: Any) -> Failure:
    return Failure.objects.create(
        app=app,
        app_name=app.name,
        reference=reference,
        **{
            "summary": "A callback failed.",
            "detail": "",
            "at": timezone.now(),
            **values,
        },
    )


def opening(app: VizApp, username: str = "alice", **values: Any) -> Opening:
    now = timezone.now()
    return Opening.objects.create(
        app=app,
        app_name=app.name,
        username=username,
        **{"outcome": "opened", "door": "socket", "address": "192.0.2.7", "started_at": now, **values},
    )


@pytest.fixture
def records(sales: VizApp, payroll: VizApp, host: Host) -> None:
    """One of everything, of both apps."""
    for number, app in enumerate((sales, payroll)):
        live(host, app, f"{app.name}-session")
        fail(app, f"REF{number}", summary=f"What {app.name} did wrong.")
        opening(app, f"visitor-of-{app.name}")


def text(response: Any) -> str:
    """What a page says, without its markup."""
    assert response.status_code == 200, response
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def table(response: Any) -> str:
    """What the list of a page says."""
    assert response.status_code == 200, response
    page = response.content.decode()
    found = re.search(r'<table id="result_list">.*?</table>', page, re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", found[0]))) if found else ""


def messages(response: Any) -> str:
    """What the page after a redirect says of what was done."""
    return " | ".join(map(str, response.context["messages"]))


def act(client: Client, model: str, action: str, *objects: Any, **data: Any) -> Any:
    """Choose objects in a list, run an action, and see the page that follows."""
    data |= {"action": action, "_selected_action": [str(chosen.pk) for chosen in objects]}
    return client.post(url(f"{model}_changelist"), data, follow=True)


def form_data(response: Any) -> dict[str, Any]:
    """What a browser sends when the form of a page is saved as it is."""
    data: dict[str, Any] = {"_continue": "1"}
    context = response.context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for form in forms:
        for field in form:
            widget = field.field.widget
            if widget.needs_multipart_form:
                continue
            values = widget.decompress(field.value()) if hasattr(widget, "decompress") else [field.value()]
            names = [field.html_name + part for part in getattr(widget, "widgets_names", [""])]
            sent = zip(names, values, strict=True)
            data |= {name: value for name, value in sent if value is not None and value is not False}
    return data


def save(client: Client, app: VizApp, **changes: Any) -> Any:
    """Change fields on the page of an app, and save."""
    page = client.get(url("vizapp_change", app.pk))
    return client.post(url("vizapp_change", app.pk), form_data(page) | changes, follow=True)


def errors(response: Any) -> str:
    """What a page that was not saved complains of."""
    context = response.context
    found = [context["adminform"].form.errors]
    for inline in context["inline_admin_formsets"]:
        found += [*inline.formset.errors, inline.formset.non_form_errors()]
    return str(found)


# Who sees what


def test_only_what_people_need_is_registered():
    ours = {model.__name__ for model in admin.site._registry if model._meta.app_label == "apps_registry"}
    assert ours == {"VizApp", "LiveSession", "Failure", "Opening", "Dataset", "ApiToken"}


@pytest.mark.parametrize("name", ["root", "editor"])
@pytest.mark.usefixtures("records")
def test_who_manages_apps_sees_everything(login, name: str):
    client = login(name)
    assert "Live sessions" in text(client.get(reverse("admin:index")))
    for model in LISTS:
        shown = table(client.get(url(f"{model}_changelist")))
        assert "sales" in shown, model
        assert "payroll" in shown, model


@pytest.mark.usefixtures("records")
def test_who_manages_a_row_sees_what_belongs_to_it_and_nothing_else(login):
    client = login("manager")
    for model in LISTS:
        page = text(client.get(url(f"{model}_changelist")))
        assert "sales" in page, model
        for secret in ("payroll", "Salaries"):
            assert secret not in page, model


def test_pages_of_other_rows_are_not_there(login, payroll, host):
    client = login("manager")
    others = {
        "vizapp": payroll,
        "livesession": live(host, payroll, "p1"),
        "failure": fail(payroll, "P1"),
        "opening": opening(payroll),
    }
    for model, other in others.items():
        for page in ("change", "history", "delete"):
            answer = client.get(url(f"{model}_{page}", other.pk))
            # Django says the same of what was never there
            assert answer.status_code in (302, 403), (model, page)
    assert client.get(url("vizapp_thumbnail", payroll.pk)).status_code == 404


@pytest.mark.parametrize("name", ["viewer", "customer", "alice"])
@pytest.mark.usefixtures("records")
def test_nobody_else_sees_anything(login, name: str, sales):
    client = login(name)
    index = client.get(reverse("admin:index"))
    assert index.status_code == (200 if name == "viewer" else 302)
    assert b"apps_registry" not in index.content
    refusal = 403 if name == "viewer" else 302
    pages = [url(f"{model}_changelist") for model in LISTS]
    pages += [url("vizapp_change", sales.pk), url("vizapp_add"), url("opening_export")]
    pages += [url("vizapp_people", field_name="user", term="a")]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == refusal, page
        assert b"sales" not in answer.content
    assert client.post(url("vizapp_look")).status_code == refusal


def test_a_user_who_is_switched_off_sees_nothing(login, users):
    client = login("manager")
    users["manager"].is_active = False
    users["manager"].save()
    assert client.get(url("vizapp_changelist")).status_code == 302


# The list of apps


def test_the_list_says_how_each_app_is(login, sales, payroll, host):
    payroll.enabled, payroll.missing_since = False, timezone.now()
    payroll.save()
    live(host, sales, "one")
    live(host, sales, "two")
    fail(sales, "OLD", summary="An old failure.", at=timezone.now() - timedelta(days=2))
    fail(sales, "NEW", summary="No such region.", at=timezone.now() - timedelta(hours=3))
    page = login("root").get(url("vizapp_changelist")).content.decode()
    rows = {row.split("</tr>")[0] for row in page.split("<tr>") if "field-app" in row}
    of_sales = next(row for row in rows if "Sales by region" in row)
    of_payroll = next(row for row in rows if "Salaries" in row)
    assert ">on<" in of_sales
    assert "files missing" not in of_sales
    assert f'<a href="{url("livesession_changelist", app="sales")}">2</a>' in of_sales
    assert "No such region." in of_sales
    assert "An old failure." not in of_sales
    assert "3\xa0hours ago" in of_sales
    assert 'href="/apps/sales"' in of_sales
    assert "By grant: 2" in of_sales
    assert ">off<" in of_payroll
    assert "files missing" in of_payroll
    assert "No such region." not in of_payroll


def test_the_list_is_searched_and_filtered(login, sales, payroll):
    client = login("root")
    payroll.enabled = False
    payroll.save()
    fail(sales, "R1")
    for query, expected in (
        ({"q": "by region"}, "sales"),
        ({"q": "payr"}, "payroll"),
        ({"state": "on"}, "sales"),
        ({"state": "off"}, "payroll"),
        ({"state": "failing"}, "sales"),
    ):
        shown = table(client.get(url("vizapp_changelist", **query)))
        assert {name for name in ("sales", "payroll") if name in shown} == {expected}, query
    nothing = client.get(url("vizapp_changelist", state="missing"))
    assert not table(nothing)
    assert "Nothing fits" in text(nothing)
    VizApp.objects.all().delete()
    assert "There are no apps yet" in text(client.get(url("vizapp_changelist")))


def test_the_order_is_changed_in_the_list(login, sales, payroll):
    sent = {
        "form-TOTAL_FORMS": 2,
        "form-INITIAL_FORMS": 2,
        "form-0-id": payroll.pk,
        "form-0-order": 7,
        "form-1-id": sales.pk,
        "form-1-order": 3,
        "_save": "Save",
    }
    assert login("root").post(url("vizapp_changelist"), sent).status_code == 302
    assert list(VizApp.objects.values_list("name", "order")) == [("sales", 3), ("payroll", 7)]
    login("manager").post(url("vizapp_changelist"), sent | {"form-0-order": 1, "form-1-order": 2})
    payroll.refresh_from_db()
    assert payroll.order == 7


@pytest.mark.parametrize("name", ["root", "manager"])
@pytest.mark.parametrize("model", LISTS)
def test_long_lists_ask_few_questions(login, users, host, django_assert_max_num_queries, model: str, name):
    groups = [Group.objects.create(name=f"group {number}") for number in range(30)]
    for number in range(30):
        app = make_app(f"app-{number}")
        Grant.objects.create(app=app, role="manage", user=users["manager"])
        for group in groups[:3]:
            Grant.objects.create(app=app, group=group)
        for part in range(3):
            live(host, app, f"s{number}-{part}", users["alice"])
            fail(app, f"F{number}-{part}", user=users["alice"])
            opening(app, user=users["alice"])
    client = login(name)
    with django_assert_max_num_queries(MAX_QUERIES):
        assert "app-29" in table(client.get(url(f"{model}_changelist")))


def test_a_page_with_many_grants_asks_few_questions(login, sales, django_assert_max_num_queries):
    for number in range(30):
        Grant.objects.create(app=sales, user=User.objects.create_user(f"user-{number}"))
        Grant.objects.create(app=sales, group=Group.objects.create(name=f"group-{number}"))
    client = login("root")
    with django_assert_max_num_queries(MAX_QUERIES):
        page = client.get(url("vizapp_change", sales.pk))
    assert "user-29" in text(page)
    assert "group-29" in text(page)


def test_pictures_are_shown_to_who_manages_the_row(login, sales, app_dir, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    client = login("manager")
    assert "apps_registry/thumbnail.svg" in client.get(url("vizapp_changelist")).content.decode()
    assert client.get(url("vizapp_thumbnail", sales.pk)).status_code == 404
    sales.thumbnail.save("sales.png", ContentFile(PIXEL))
    assert url("vizapp_thumbnail", sales.pk) in client.get(url("vizapp_changelist")).content.decode()
    answer = client.get(url("vizapp_thumbnail", sales.pk))
    assert answer.content == PIXEL
    assert answer["Content-Type"] == "image/png"
    assert login("viewer").get(url("vizapp_thumbnail", sales.pk)).status_code == 404


# One app


def test_a_row_is_made_of_what_lies_in_the_directories(login, app_dir):
    client = login("editor")
    page = client.get(url("vizapp_add"))
    choices = [value for value, _ in page.context["adminform"].form.fields["source"].choices]
    assert choices == ["", "new.py", "sliders.py"]
    data = form_data(page) | {"name": "waves", "source": "sliders.py", "access": "login"}
    answer = client.post(url("vizapp_add"), data, follow=True)
    assert answer.status_code == 200
    assert VizApp.objects.get(name="waves").source == "sliders.py"
    # `broken` is a link that leads out of the directory
    for wrong in ("../secret.py", "/etc/passwd", "gone.py", "broken"):
        answer = client.post(url("vizapp_add"), data | {"name": "other", "source": wrong})
        assert "Select a valid choice" in errors(answer), wrong


def test_a_row_without_files_can_be_changed_all_the_same(login, sales, app_dir):
    sales.source, sales.missing_since = "gone.py", timezone.now()
    sales.save()
    page = login("editor").get(url("vizapp_change", sales.pk))
    assert "gone.py (not there)" in text(page)
    save(login("editor"), sales, title="Lost")
    sales.refresh_from_db()
    assert (sales.title, sales.source) == ("Lost", "gone.py")
    assert sales.missing_since is not None
    save(login("editor"), sales, source="new.py")
    sales.refresh_from_db()
    assert sales.missing_since is None


def test_another_name_is_saved_with_a_warning(login, sales, app_dir):
    answer = save(login("editor"), sales, name="revenue")
    assert "renamed from sales to revenue" in messages(answer)
    assert VizApp.objects.get(pk=sales.pk).name == "revenue"


def test_a_page_saves_what_was_changed_on_it(login, sales, app_dir):
    """Two tabs are open; the second one is saved when its page shows no longer what is."""
    client, address = login("root"), url("vizapp_change", sales.pk)
    late = form_with(client.get(address), "enabled")
    now = form_with(client.get(address), "enabled") | {"access": "login", "max_sessions": "5"}
    del now["enabled"]
    assert client.post(address, now).status_code == 302
    assert client.post(address, late | {"description": "More"}).status_code == 302
    sales.refresh_from_db()
    assert (sales.access, sales.enabled, sales.max_sessions) == ("login", False, 5)
    assert sales.description == "More"
    # Nothing would mean: no limit
    assert "Enter a whole number." in errors(client.post(address, late | {"max_sessions": "1-2"}))


def test_saving_a_row_tells_all_servers(login, sales, app_dir, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        save(login("editor"), sales, title="Other")
    assert Notice.objects.filter(kind="rows", data={"app": "sales"}).exists()


def test_who_manages_a_row_changes_it_but_not_what_it_serves(login, sales, app_dir):
    client = login("manager")
    save(client, sales, title="Our sales", access="public", name="payroll2", source="new.py")
    sales.refresh_from_db()
    assert (sales.title, sales.access) == ("Our sales", "public")
    assert (sales.name, sales.source) == ("sales", "sliders.py")
    assert client.get(url("vizapp_add")).status_code == 403
    assert client.post(url("vizapp_look")).status_code == 403


@pytest.mark.parametrize(("name", "may"), [("root", True), ("editor", False), ("manager", False)])
def test_deleting_a_row_needs_its_own_permission(login, users, sales, host, name, may):
    client = login(name)
    live(host, sales, "still-here")
    if not may:
        assert client.post(url("vizapp_delete", sales.pk), {"post": "yes"}).status_code == 403
        assert "delete_selected" not in client.get(url("vizapp_changelist")).content.decode()
        allow(users[name], "delete_vizapp")
    answer = client.post(url("vizapp_delete", sales.pk), {"post": "yes"}, follow=True)
    assert "was deleted" in messages(answer)
    assert not VizApp.objects.filter(name="sales").exists()


def test_the_permission_to_delete_reaches_no_other_row(login, users, payroll):
    allow(users["manager"], "delete_vizapp")
    login("manager").post(url("vizapp_delete", payroll.pk), {"post": "yes"})
    act(login("manager"), "vizapp", "delete_selected", payroll, post="yes")
    assert VizApp.objects.filter(name="payroll").exists()


def test_a_user_with_a_live_session_can_be_deleted(login, users, sales, host):
    live(host, sales, "hers", users["alice"])
    page = reverse("admin:auth_user_delete", args=[users["alice"].pk])
    answer = login("root").post(page, {"post": "yes"}, follow=True)
    assert "was deleted" in messages(answer)
    assert not LiveSession.objects.exists()


# Grants


def grants(*added: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """What a browser sends for new grants after ``initial`` saved ones."""
    data: dict[str, Any] = {"grants-TOTAL_FORMS": initial + len(added)}
    for number, grant in enumerate(added, initial):
        data |= {f"grants-{number}-{name}": value for name, value in grant.items()}
    return data


def test_grants_are_given_to_users_and_groups_and_taken_back(login, users, payroll, app_dir):
    group = Group.objects.create(name="finance")
    added = grants({"user": users["alice"].pk, "role": "open"}, {"group": group.pk, "role": "manage"})
    save(login("editor"), payroll, **added)
    given = set(Grant.objects.filter(app=payroll).values_list("user__username", "group__name", "role"))
    assert given == {("alice", None, "open"), (None, "finance", "manage")}
    save(login("editor"), payroll, **{"grants-0-DELETE": "on"})
    assert Grant.objects.filter(app=payroll).count() == 1


@pytest.mark.parametrize(
    ("grant", "said"),
    [
        ({"role": "push"}, "Name either a user or a group."),
        ({"role": "open", "user": True, "group": True}, "Name either a user or a group."),
        ({"role": "manage", "user": True}, "The same grant stands here twice."),
    ],
)
def test_a_grant_that_cannot_be_is_refused_with_a_sentence(login, users, payroll, app_dir, grant, said):
    group = Group.objects.create(name="finance")
    Grant.objects.create(app=payroll, role="manage", user=users["alice"])
    people = {"user": users["alice"].pk, "group": group.pk}
    filled = {name: people[name] if value is True else value for name, value in grant.items()}
    answer = save(login("editor"), payroll, **grants(filled, initial=1))
    assert said in errors(answer)
    assert Grant.objects.filter(app=payroll).count() == 1


def test_the_same_grant_twice_is_refused(login, users, payroll, app_dir):
    twice = {"user": users["alice"].pk, "role": "open"}
    answer = save(login("editor"), payroll, **grants(twice, twice))
    assert "The same grant stands here twice." in errors(answer)
    assert not Grant.objects.filter(app=payroll).exists()


def test_who_manages_a_row_gives_grants_on_it_alone(login, users, sales, payroll, app_dir):
    client = login("manager")
    save(client, sales, **grants({"user": users["alice"].pk, "role": "open"}, initial=2))
    assert Grant.objects.filter(app=sales, user=users["alice"]).exists()
    other = Grant.objects.create(app=payroll, role="open", user=users["alice"])
    forged = {"grants-0-id": other.pk, "grants-0-app": payroll.pk, "grants-0-user": users["manager"].pk}
    save(client, sales, **forged)
    page = client.get(url("vizapp_change", sales.pk))
    client.post(url("vizapp_change", payroll.pk), form_data(page))
    assert list(payroll.grants.values_list("user__username", "role")) == [("alice", "open")]


def test_people_are_found_by_who_manages_a_row(login, users):
    Group.objects.create(name="analysts")
    client = login("manager")
    found = client.get(url("vizapp_people", field_name="user", term="ali")).json()
    assert found["results"] == [{"id": str(users["alice"].pk), "text": "alice"}]
    found = client.get(url("vizapp_people", field_name="group", term="ana")).json()
    assert [person["text"] for person in found["results"]] == ["analysts"]
    assert client.get(url("vizapp_people", field_name="app", term="pay")).status_code == 403


def test_people_are_found_where_the_admin_has_no_page_for_them(login, users, monkeypatch):
    monkeypatch.setattr(admin.site.get_model_admin(User), "search_fields", ())
    monkeypatch.setattr(User, "__str__", lambda user: user.get_full_name())
    users["alice"].last_name = "Ames"
    users["alice"].save()
    found = login("manager").get(url("vizapp_people", field_name="user", term="ali")).json()
    # Two may be called Alice Ames
    assert [person["text"] for person in found["results"]] == ["Alice Ames (alice)"]


# Guest links


def links(number: int = 0, total: int = 1, **values: Any) -> dict[str, Any]:
    """What a browser sends for one line of the guest links."""
    lines = {f"guest_links-{number}-{name}": value for name, value in values.items()}
    return {"guest_links-TOTAL_FORMS": total, **lines}


TOMORROW = timezone.now() + timedelta(days=1)
EXPIRES = {"expires_at": f"{TOMORROW:%Y-%m-%dT12:00}"}


def test_a_guest_link_is_made_and_its_address_shown(login, users, sales, app_dir):
    answer = save(login("manager"), sales, **links(note="the board", **EXPIRES))
    link = GuestLink.objects.get()
    assert (link.app, link.note, link.created_by) == (sales, "the board", users["manager"])
    address = f"http://testserver/apps/sales?guest={link.key}"
    assert address in messages(answer)
    inline = next(part for part in answer.context["inline_admin_formsets"] if part.opts.model is GuestLink)
    assert inline.formset.forms[0].instance == link
    later = login("editor").get(url("vizapp_change", sales.pk))
    assert f'value="{address}"' in later.content.decode()


def test_a_guest_link_is_revoked_for_good(login, sales, app_dir):
    link = GuestLink.objects.create(app=sales, expires_at=timezone.now() + timedelta(days=3))
    client = login("manager")
    save(client, sales, **links(revoke="on"))
    link.refresh_from_db()
    assert not link.is_valid
    page = client.get(url("vizapp_change", sales.pk))
    assert link.key not in page.content.decode()
    assert "revoked" in text(page)
    save(client, sales, **links(note="again", **EXPIRES))
    link.refresh_from_db()
    assert (link.note, link.is_valid) == ("", False)


def test_a_guest_link_is_not_made_for_the_past(login, sales, app_dir):
    answer = save(login("manager"), sales, **links(note="late", expires_at="2020-01-01T12:00"))
    assert "This time is over already." in errors(answer)
    assert not GuestLink.objects.exists()


# Actions on apps


def test_apps_are_switched_off_and_on(login, sales, payroll, django_capture_on_commit_callbacks):
    client = login("root")
    with django_capture_on_commit_callbacks(execute=True):
        answer = act(client, "vizapp", "disable", sales, payroll)
    assert "Switched off: payroll, sales." in messages(answer)
    assert not VizApp.objects.filter(enabled=True).exists()
    assert Notice.objects.filter(kind="rows", data={"app": "payroll"}).exists()
    assert LogEntry.objects.filter(change_message="Switched off.").count() == 2
    sales.missing_since = timezone.now()
    sales.save()
    assert "files are missing of: sales" in messages(act(client, "vizapp", "enable", sales))
    assert "Already on: sales." in messages(act(client, "vizapp", "enable", sales))
    assert VizApp.objects.get(enabled=True).name == "sales"


@pytest.mark.parametrize(("action", "kind"), [("reload_code", "reload"), ("end_sessions", "end_sessions")])
def test_servers_are_told_what_to_do(login, sales, django_capture_on_commit_callbacks, action, kind):
    with django_capture_on_commit_callbacks(execute=True):
        answer = act(login("manager"), "vizapp", action, sales)
    assert [(notice.kind, notice.data) for notice in Notice.objects.all()] == [(kind, {"app": "sales"})]
    assert "sales" in messages(answer)


@pytest.mark.parametrize("action", ["disable", "reload_code", "end_sessions", "make_guest_link", "check"])
def test_actions_reach_no_row_of_others(login, payroll, django_capture_on_commit_callbacks, action):
    with django_capture_on_commit_callbacks(execute=True):
        act(login("manager"), "vizapp", action, payroll, answered="1", **EXPIRES)
    payroll.refresh_from_db()
    assert payroll.enabled
    assert not Notice.objects.exists()
    assert not GuestLink.objects.exists()
    assert not Failure.objects.exists()


def test_an_action_on_the_page_of_an_app_comes_back_to_it(login, sales):
    client = login("manager")
    page = client.get(url("vizapp_change", sales.pk)).content.decode()
    assert 'value="disable"' in page
    assert 'value="enable"' not in page
    answer = act(client, "vizapp", "disable", sales, from_page="1")
    assert answer.redirect_chain[-1][0] == url("vizapp_change", sales.pk)
    sales.refresh_from_db()
    assert not sales.enabled


@pytest.mark.django_db(transaction=True)
def test_a_check_says_whether_an_app_is_well(login, sales, app_dir):
    broken = make_app("unready", source="new.py")
    gone = make_app("gone", source="gone.py")
    answer = act(login("root"), "vizapp", "check", sales, broken, gone)
    said = messages(answer)
    assert re.search(r"sales: well\. \d+ models", said)
    failures = {failure.app_name: failure for failure in Failure.objects.all()}
    assert set(failures) == {"unready", "gone"}
    assert "RuntimeError: not ready" in failures["unready"].detail
    assert failures["unready"].username == "root"
    for failure in failures.values():
        assert url("failure_change", failure.pk) in said
    assert "RuntimeError" not in said


def test_not_all_apps_are_checked_at_once(login):
    rows = [make_app(f"app-{number}") for number in range(11)]
    assert "at most 10" in messages(act(login("root"), "vizapp", "check", *rows))
    assert not Failure.objects.exists()


def test_guest_links_are_made_for_chosen_apps(login, sales, payroll):
    client = login("root")
    asked = act(client, "vizapp", "make_guest_link", sales, payroll)
    assert "Make the link" in asked.content.decode()
    assert not GuestLink.objects.exists()
    answer = act(client, "vizapp", "make_guest_link", sales, payroll, answered="1", note="fair", **EXPIRES)
    made = {link.app.name: link for link in GuestLink.objects.all()}
    assert set(made) == {"sales", "payroll"}
    for name, link in made.items():
        assert f"http://testserver/apps/{name}?guest={link.key}" in messages(answer)
        assert (link.note, link.created_by.username) == ("fair", "root")


def test_the_button_looks_for_apps(login, sales, app_dir):
    sales.delete()
    VizApp.objects.filter(name="payroll").update(source="gone.py")
    client = login("editor")
    assert "Look for apps" in text(client.get(url("vizapp_changelist")))
    assert client.get(url("vizapp_look")).status_code == 405
    said = messages(client.post(url("vizapp_look"), follow=True))
    assert "New: new, sliders." in said
    assert "Files missing: payroll." in said
    # A link that leads out of the directory of apps
    assert "broken" in said
    assert not VizApp.objects.get(name="sliders").enabled
    assert "No app is new" in messages(client.post(url("vizapp_look"), follow=True))


# Live sessions


def test_live_sessions_are_shown_as_their_hosts_describe_them(login, users, sales, host):
    live(host, sales, "abc123", users["alice"], tabs=2)
    live(host, sales, "def456", started_at=timezone.now() - timedelta(hours=2), memory=None)
    old = timezone.now() - timedelta(minutes=5)
    dead = Host.objects.create(name="dead:1:z", started_at=old, seen_at=old)
    live(dead, sales, "ghost1")
    shown = table(login("manager").get(url("livesession_changelist")))
    for word in ("alice", "abc123", "3.3 MB", "box:4711:a1", "visitor", "2 hours ago"):
        assert word in shown, word
    assert "ghost1" not in shown
    found = table(login("root").get(url("livesession_changelist", q="ali")))
    assert "abc123" in found
    assert "def456" not in found


def test_a_session_is_ended(login, users, sales, host, django_capture_on_commit_callbacks):
    session = live(host, sales, "abc123", users["alice"])
    with django_capture_on_commit_callbacks(execute=True):
        answer = act(login("manager"), "livesession", "end", session)
    notice = Notice.objects.get()
    assert (notice.kind, notice.data) == ("end_session", {"session": "abc123"})
    assert "alice in sales" in messages(answer)
    assert "abc123 of alice" in LogEntry.objects.get().change_message


def test_a_message_is_sent_to_tabs(login, sales, host, django_capture_on_commit_callbacks):
    client, session = login("manager"), live(host, sales, "abc123")
    asked = act(client, "livesession", "message", session)
    assert "Send a message to the tabs" in text(asked)
    assert "This field is required" in text(act(client, "livesession", "message", session, answered="1"))
    with django_capture_on_commit_callbacks(execute=True):
        act(client, "livesession", "message", session, answered="1", text="Restart at <noon>")
    notice = Notice.objects.get()
    assert notice.kind == "message"
    assert notice.data == {"session": "abc123", "text": "Restart at <noon>"}


def test_sessions_of_others_are_not_reached(login, payroll, host, django_capture_on_commit_callbacks):
    session = live(host, payroll, "p1")
    with django_capture_on_commit_callbacks(execute=True):
        for action in ("end", "message"):
            act(login("manager"), "livesession", action, session, answered="1", text="hello")
    assert not Notice.objects.exists()


def test_live_sessions_are_read_only(login, sales, host):
    client, session = login("root"), live(host, sales, "abc123")
    assert client.get(url("livesession_add")).status_code == 403
    assert client.post(url("livesession_delete", session.pk), {"post": "yes"}).status_code == 403
    act(client, "livesession", "delete_selected", session, post="yes")
    assert client.post(url("livesession_change", session.pk), {"tabs": 9}).status_code == 403
    page = client.get(url("livesession_change", session.pk))
    assert "Delete" not in text(page)
    session.refresh_from_db()
    assert session.tabs == 1


# Last errors


def test_an_error_is_found_by_its_reference_and_shown_whole(login, sales):
    found = fail(sales, "A1B2C3D4", detail="Traceback:\n  if 1 < 2 & <script>:\nKeyError: 'EU'", host="box:1")
    fail(sales, "FFFFFFFF", summary="Another one.")
    client = login("manager")
    shown = table(client.get(url("failure_changelist", q="A1B2C3D4")))
    assert "A1B2C3D4" in shown
    assert "KeyError: 'EU'" in shown
    assert "FFFFFFFF" not in shown
    page = client.get(url("failure_change", found.pk)).content.decode()
    assert "  if 1 &lt; 2 &amp; &lt;script&gt;:\nKeyError" in page
    assert "box:1" in page


def test_errors_stay_as_they_are_and_are_deleted_by_permission(login, users, sales, payroll):
    first, other = fail(sales, "R1"), fail(payroll, "R2")
    client = login("manager")
    assert client.post(url("failure_change", first.pk), {"summary": "x"}).status_code == 403
    assert client.post(url("failure_delete", first.pk), {"post": "yes"}).status_code == 403
    allow(users["manager"], "delete_failure")
    client = login("manager")
    act(client, "failure", "delete_selected", first, other, post="yes")
    assert list(Failure.objects.values_list("reference", flat=True)) == ["R2"]


# The audit


def test_the_audit_is_filtered_and_searched(login, sales, payroll):
    now = timezone.now()
    opening(sales, "alice", ended_at=now + timedelta(minutes=61, seconds=5))
    opening(sales, "bob", outcome="refused", reason="There is no grant.", door="page", times=4, ended_at=now)
    opening(payroll, "carol", address="2001:db8::5", started_at=now - timedelta(days=20))
    client = login("root")
    names = ("alice", "bob", "carol")
    since = (now - timedelta(days=7)).isoformat()
    for query, expected in (
        ({}, {"alice", "bob", "carol"}),
        ({"app": "sales"}, {"alice", "bob"}),
        ({"outcome__exact": "refused"}, {"bob"}),
        ({"door": "page"}, {"bob"}),
        ({"started_at__gte": since}, {"alice", "bob"}),
        ({"q": "car"}, {"carol"}),
        ({"q": "2001:db8::5"}, {"carol"}),
    ):
        shown = table(client.get(url("opening_changelist", **query)))
        assert {name for name in names if name in shown} == expected, query
    everything = table(client.get(url("opening_changelist")))
    assert "1:01:05" in everything
    assert "refused \N{MULTIPLICATION SIGN}4" in everything


def exported(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(response.getvalue().decode())))


def test_the_audit_is_exported_as_it_is_filtered(login, sales, payroll):
    now = timezone.now()
    opening(sales, "alice", started_at=now, ended_at=now + timedelta(seconds=90))
    opening(sales, '=cmd|"/c calc"!A0', outcome="refused", reason="+1", ended_at=now)
    opening(payroll, "carol")
    client = login("root")
    page = client.get(url("opening_changelist", app="sales", o="1"))
    link = re.search(r'href="([^"]+/export/[^"]*)"', page.content.decode())[1].replace("&amp;", "&")
    answer = client.get(link)
    assert answer.streaming
    assert "attachment" in answer["Content-Disposition"]
    records = {record["outcome"]: record for record in exported(answer)}
    assert set(records) == {"opened", "refused"}
    assert records["opened"]["user"] == "alice"
    assert records["opened"]["seconds"] == "90.0"
    assert records["opened"]["started_at"] == now.isoformat()
    assert records["refused"]["user"] == '\'=cmd|"/c calc"!A0'
    assert records["refused"]["reason"] == "'+1"
    assert records["refused"]["seconds"] == ""


def test_an_export_holds_what_its_reader_may_see(login, sales, payroll):
    opening(sales, "alice")
    opening(payroll, "carol")
    records = exported(login("manager").get(url("opening_export")))
    assert [record["app"] for record in records] == ["sales"]
    assert login("manager").get(url("opening_export", app="payroll")).getvalue().count(b"\n") == 1
    assert login("root").get(url("opening_export", outcome__exact="x")).getvalue().count(b"\n") == 1


@pytest.mark.django_db(transaction=True)
async def test_an_export_of_an_asynchronous_server_comes_in_parts():
    user = await User.objects.acreate(username="boss", is_staff=True, is_superuser=True)
    app = await VizApp.objects.acreate(name="sales", source="sliders.py")
    now = timezone.now()
    await Opening.objects.abulk_create(
        Opening(app=app, app_name="sales", outcome="opened", door="page", started_at=now) for _ in range(1000)
    )
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.get(url("opening_export"))
    assert answer.is_async
    parts = [part async for part in answer]
    assert len(parts) > 3
    assert b"".join(parts).count(b"\n") == 1001


def test_the_records_of_an_app_stay_with_it_under_another_name(login, sales, payroll):
    opening(sales, "alice")
    opening(payroll, "carol")
    gone = make_app("gone & forgotten")
    opening(gone, "bob")
    gone.delete()
    sales.name = "revenue"
    sales.save()
    client = login("root")
    for name, expected in (("revenue", "alice"), ("sales", ""), ("gone & forgotten", "bob")):
        shown = table(client.get(url("opening_changelist", app=name)))
        assert [who for who in ("alice", "bob", "carol") if who in shown] == expected.split(), name
    page = client.get(url("vizapp_change", sales.pk)).content.decode()
    assert url("opening_changelist", app="revenue") in page


def test_nobody_changes_the_audit(login, sales):
    client, record = login("root"), opening(sales)
    assert client.get(url("opening_add")).status_code == 403
    assert client.post(url("opening_change", record.pk), {"username": "x"}).status_code == 403
    assert client.post(url("opening_delete", record.pk), {"post": "yes"}).status_code == 403
    act(client, "opening", "delete_selected", record, post="yes")
    record.refresh_from_db()
    assert record.username == "alice"
