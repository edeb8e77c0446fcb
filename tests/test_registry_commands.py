"""The commands of the registry: rows, grants, audit and guest links from a shell."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import transaction
from django.utils import timezone

from apps_registry.management.registry_command import RegistryCommand
from apps_registry.models import (
    Access,
    ApiToken,
    Dataset,
    DatasetVersion,
    Failure,
    Grant,
    GuestLink,
    Notice,
    Opening,
    VizApp,
)
from apps_registry.models.roles import ROLES

from . import docs_blocks as docs
from .serving import MANAGE, ROOT, Site

pytestmark = pytest.mark.django_db

COMMANDS = (
    "apitoken",
    "grant",
    "guestlink",
    "listapps",
    "openings",
    "publish",
    "revoke",
    "setapp",
    "syncapps",
)
PAGE = ROOT / "docs" / "commands.md"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Done(NamedTuple):
    """What a command wrote, and the sentence with which it gave up."""

    out: str
    err: str
    error: str

    @property
    def lines(self) -> list[str]:
        """Its output by lines."""
        return self.out.splitlines()


def run(name: str, *args: object, verbosity: int = 1) -> Done:
    """Run a command in this process."""
    out, err, error = StringIO(), StringIO(), ""
    try:
        call_command(name, *map(str, args), stdout=out, stderr=err, verbosity=verbosity)
    except CommandError as raised:
        error = str(raised)
    return Done(out.getvalue(), err.getvalue(), error)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    """The directory of apps, empty."""
    folder = tmp_path / "apps"
    folder.mkdir()
    settings.APPS_REGISTRY = {"APP_DIRS": [folder]}
    return folder


@pytest.fixture
def sales() -> VizApp:
    """An app that is on, for those who have a grant."""
    return VizApp.objects.create(name="sales", source="sales.py", enabled=True, access=Access.GRANT)


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def publisher(alice: User, settings: Any, tmp_path: Path) -> User:
    """Alice, who may make data sets, in a storage of their own."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    alice.user_permissions.add(Permission.objects.get(codename="publish_data"))
    return alice


@pytest.fixture
def analysts() -> Group:
    return Group.objects.create(name="analysts")


def opening(app: str = "sales", user: str = "alice", **columns: Any) -> Opening:
    """A record of the audit."""
    known = {"outcome": "opened", "door": "page", "started_at": NOON, "app_name": app, "username": user}
    return Opening.objects.create(**{**known, **columns})


def rows(**filters: Any) -> list[str]:
    """The names of rows."""
    return list(VizApp.objects.filter(**filters).values_list("name", flat=True))


# All of them


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_it_does_with_examples_that_parse(name: str):
    command = load_command_class("apps_registry", name)
    assert isinstance(command, RegistryCommand)
    parser = command.create_parser("manage.py", name)
    text = parser.format_help()
    assert " ".join(command.help.split()) in " ".join(text.split())
    assert "Exit code: 0" in text
    assert command.examples
    for example in command.examples:
        assert f"  manage.py {example}\n" in text
    for action in parser._actions:
        assert action.help, action


def test_these_are_all_of_them():
    ours = [name for name, package in get_commands().items() if package == "apps_registry"]
    loaded = {name: load_command_class("apps_registry", name) for name in ours}
    assert sorted(name for name in ours if isinstance(loaded[name], RegistryCommand)) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "args", [["setapp", "sale", "--enable"], ["grant", "open", "sale", "--user", "alice"]]
)
def test_a_wrong_name_is_answered_with_the_nearest(sales: VizApp, alice: User, args: list[str]):
    assert run(*args).error == "There is no app sale in the registry. Did you mean sales?"


def test_an_app_without_a_row_is_told_how_to_get_one(folder: Path):
    (folder / "fresh.py").touch()
    assert "manage.py syncapps" in run("setapp", "fresh", "--enable").error


def test_a_database_without_tables_is_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(VizApp._meta, "db_table", "not_there")
    assert "manage.py migrate" in run("listapps").error


#: What Python makes of an argument that is Latin-1.
LATIN = b"M\xe4rz".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "args",
    [
        ["apitoken", "alice", "--scope", "read", "--note", LATIN],
        ["apitoken", "--revoke", LATIN],
        ["grant", "open", LATIN, "--user", "alice"],
        ["setapp", "sales", "--title", LATIN],
        ["publish", __file__, "--format", "file", "--name", "march", "--as", "alice", "--title", LATIN],
    ],
    ids=str,
)
def test_what_is_not_utf_8_is_a_sentence(sales: VizApp, publisher: User, args: list[str]):
    with transaction.atomic():
        assert run(*args).error == "A name or text on the command line is not UTF-8."
        transaction.set_rollback(True)
    assert not ApiToken.objects.exists()
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("args", "code"), [(["listapps", "--json"], 0), (["setapp", "nothing", "--enable"], 1)]
)
def test_exit_codes_are_those_of_the_help(site: Site, args: list[str], code: int):
    command = [sys.executable, str(MANAGE), *args]
    done = subprocess.run(command, env=site.env(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert bool(done.stderr) == bool(code)
    assert "Traceback" not in done.stderr


def test_a_wrong_command_line_has_its_own_exit_code(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        load_command_class("apps_registry", "grant").run_from_argv(["manage.py", "grant", "fly", "sales"])
    assert ended.value.code == 2
    assert "open" in capsys.readouterr().err.rpartition("choose from")[2]


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (["setapp", "sales", "--disable"], "rows"),
        (["revoke", "open", "sales", "--user", "alice"], "rights"),
        (["guestlink", "--revoke=some-key"], "rights"),
    ],
)
def test_running_servers_are_told(
    sales: VizApp,
    alice: User,
    args: list[str],
    kind: str,
    django_capture_on_commit_callbacks: Callable[..., Any],
):
    Grant.objects.create(app=sales, user=alice)
    GuestLink.objects.create(app=sales, key="some-key", expires_at=timezone.now() + timedelta(days=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert run(*args).error == ""
    assert [(notice.kind, notice.data) for notice in Notice.objects.all()] == [(kind, {"app": "sales"})]


def test_the_page_tells_a_true_story(folder: Path, alice: User, analysts: Group):
    for name in ("sales", "tides"):
        (folder / f"{name}.py").touch()
    seen = {"address": "192.0.2.7", "started_at": timezone.now() - timedelta(hours=1)}
    opening(
        door="socket",
        reason="You may no longer open this app.",
        ended_at=seen["started_at"] + timedelta(seconds=250),
        **seen,
    )
    opening(outcome="refused", reason="There is no grant.", **seen)
    for block in [block for block in docs.blocks() if block.page == PAGE and block.language == "console"]:
        for command, shown in docs.console(block):
            _, _, name, *args = shlex.split(command)
            done = run(name, *args)
            assert done.error == ""
            pattern = ".*".join(map(re.escape, shown.strip().split("...")))
            assert re.fullmatch(pattern, done.out.strip(), re.DOTALL), done.out


def test_every_command_has_its_place_on_the_page():
    text = PAGE.read_text()
    assert [name for name in COMMANDS if f"\n## {name}\n" not in text] == []


# syncapps


def test_syncapps_makes_rows_that_are_off(folder: Path):
    (folder / "first.py").touch()
    (folder / "second.py").touch()
    done = run("syncapps")
    assert done.lines == ["first: new, off", "second: new, off"]
    assert done.error == ""
    assert rows(enabled=False) == ["first", "second"]
    assert run("syncapps").lines == ["Nothing is new."]


def test_syncapps_enables_only_what_is_new(folder: Path):
    VizApp.objects.create(name="old", source="old.py")
    (folder / "old.py").touch()
    (folder / "new.py").touch()
    assert run("syncapps", "--enable").lines == ["new: new, on"]
    assert rows(enabled=True) == ["new"]


def test_syncapps_only_says_what_it_would_do(folder: Path, sales: VizApp):
    (folder / "first.py").touch()
    done = run("syncapps", "--enable", "--dry-run")
    assert done.lines == ["first: would be new", "sales: would be missing"]
    assert rows() == ["sales"]
    assert rows(missing_since=None) == ["sales"]


def test_syncapps_tells_of_lost_files_until_the_app_is_off(folder: Path, sales: VizApp):
    lost = run("syncapps")
    assert lost.lines == ["sales: missing"]
    assert "sales: " in lost.err
    assert lost.error == "1 problem; everything else is done."
    again = run("syncapps")
    assert (again.lines, again.error) == (["Nothing is new."], lost.error)
    assert run("setapp", "sales", "--disable").error == ""
    assert run("syncapps").error == ""
    (folder / "sales.py").touch()
    assert run("syncapps").lines == ["sales: back"]
    assert rows(missing_since=None) == ["sales"]


def test_syncapps_does_the_rest_when_there_are_problems(folder: Path, tmp_path: Path):
    (folder / "good.py").touch()
    for name in ("twice.py", "twice.ipynb"):
        (folder / name).touch()
    (tmp_path / "outside.py").touch()
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    done = run("syncapps")
    assert done.lines == ["good: new, off"]
    assert "twice" in done.err
    assert "link" in done.err
    assert done.error == "2 problems; everything else is done."
    assert rows() == ["good"]


def test_syncapps_is_silent_when_told_so(folder: Path):
    (folder / "first.py").touch()
    assert run("syncapps", verbosity=0) == Done("", "", "")
    assert rows() == ["first"]


# listapps


def test_listapps_shows_state_access_grants_and_the_last_error(sales: VizApp, alice: User, analysts: Group):
    Grant.objects.create(app=sales, user=alice)
    Grant.objects.create(app=sales, group=analysts)
    for minute, reference in ((1, "AAAA"), (3, "CCCC"), (2, "BBBB")):
        at = NOON + timedelta(minutes=minute)
        Failure.objects.create(
            app=sales, app_name="sales", reference=reference, summary=f"It broke {minute}.", at=at
        )
    VizApp.objects.create(name="gone", source="gone.py", title="Gone", missing_since=NOON, enabled=True)
    VizApp.objects.create(name="off", source="off.py", access=Access.PUBLIC, order=-1)
    head, *lines = run("listapps").lines
    assert head.split("  ")[0] == "NAME"
    assert [line.split()[:4] for line in lines] == [
        ["off", "off", "public", "0"],
        ["gone", "missing", "grant", "0"],
        ["sales", "on", "grant", "2"],
    ]
    assert lines[1].endswith("Gone")
    assert lines[2].endswith("2026-11-20 12:03:00 It broke 3. (CCCC)")


def test_listapps_writes_json(sales: VizApp):
    sales.embed_origins = "https://a.example\r\nhttps://b.example"
    sales.save()
    [record] = json.loads(run("listapps", "--json").out)
    assert record["name"] == "sales"
    assert record["state"] == "on"
    assert record["access"] == "grant"
    assert record["embed_origins"] == ["https://a.example", "https://b.example"]
    assert record["last_error"] is None
    assert record["max_sessions"] is None
    VizApp.objects.all().delete()
    assert json.loads(run("listapps", "--json").out) == []


def listed(*args: object) -> list[str]:
    """The names in a list."""
    return [record["name"] for record in json.loads(run("listapps", "--json", *args).out)]


def test_listapps_shows_what_somebody_may_open(sales: VizApp, alice: User):
    for access in (Access.PUBLIC, Access.LOGIN):
        VizApp.objects.create(name=access, source=f"{access}.py", access=access, enabled=True)
    VizApp.objects.create(name="off", source="off.py", access=Access.PUBLIC)
    assert listed("--anonymous") == ["public"]
    assert listed("--user", "alice") == ["login", "public"]
    Grant.objects.create(app=sales, user=alice)
    assert listed("--user", "alice") == ["login", "public", "sales"]
    User.objects.create_superuser("root")
    assert listed("--user", "root") == ["login", "off", "public", "sales"]
    User.objects.filter(username="alice").update(is_active=False)
    inactive = run("listapps", "--user", "alice")
    assert "may not log in" in inactive.err
    assert len(inactive.lines) == 2
    assert run("listapps", "--user", "alic").error == "There is no user alic. Did you mean alice?"


def test_listapps_shows_only_problems(sales: VizApp):
    nothing = run("listapps", "--problems")
    assert nothing.out == ""
    assert "No app" in nothing.err
    VizApp.objects.create(name="gone", source="gone.py", missing_since=NOON)
    Failure.objects.create(app=sales, app_name="sales", reference="AAAA", summary="It broke.", at=NOON)
    VizApp.objects.create(name="well", source="well.py")
    assert listed("--problems") == ["gone", "sales"]


def test_listapps_asks_as_often_for_many_as_for_few(
    sales: VizApp, alice: User, django_assert_num_queries: Callable[..., Any]
):
    for number in range(20):
        app = VizApp.objects.create(name=f"app{number}", source=f"app{number}.py", enabled=True)
        Grant.objects.create(app=app, user=alice)
        Failure.objects.create(
            app=app, app_name=app.name, reference=str(number), summary="It broke.", at=NOON
        )
    with django_assert_num_queries(3):
        assert len(run("listapps", "--user", "alice", "--problems").lines) == 21


def test_an_empty_list_says_what_to_do():
    assert "manage.py syncapps" in run("listapps").err
    assert run("listapps", verbosity=0) == Done("", "", "")


def test_lists_do_not_steer_the_terminal(sales: VizApp):
    VizApp.objects.filter(pk=sales.pk).update(title="\x1b[2Jsales\u202e")
    opening(origin="https://\x1b]0;owned\x07", username="al\nice")
    for done in (run("listapps"), run("openings")):
        assert len(done.lines) == 2
        assert all(line.isprintable() for line in done.lines)


def test_colours_are_for_terminals_only(sales: VizApp):
    VizApp.objects.update(enabled=False)
    out = StringIO()
    call_command("listapps", stdout=out)
    assert "\x1b[" not in out.getvalue()
    call_command("listapps", stdout=out, force_color=True)
    assert "\x1b[" in out.getvalue()


# setapp


def test_setapp_changes_what_it_is_told_and_says_so(sales: VizApp, alice: User):
    done = run("setapp", "sales", "--disable", "--access", "login", "--title", "Sales 2026", "--order", "-3")
    assert done == Done(
        "sales: enabled: on -> off\nsales: access: grant -> login\n"
        "sales: title: (empty) -> Sales 2026\nsales: order: 0 -> -3\n",
        "",
        "",
    )
    sales.refresh_from_db()
    assert (sales.enabled, sales.access, sales.title, sales.order) == (False, "login", "Sales 2026", -3)


def test_setapp_sets_and_lifts_limits(sales: VizApp):
    flags = {
        "--max-sessions": "max_sessions",
        "--max-sessions-per-user": "max_sessions_per_user",
        "--idle": "idle_seconds",
        "--unattended": "unattended_seconds",
    }
    run("setapp", "sales", *(word for flag in flags for word in (flag, "30")))
    sales.refresh_from_db()
    assert [getattr(sales, name) for name in flags.values()] == [30] * 4
    done = run("setapp", "sales", *(word for flag in flags for word in (flag, "none")))
    assert "sales: idle_seconds: 30 -> none" in done.lines
    sales.refresh_from_db()
    assert [getattr(sales, name) for name in flags.values()] == [None] * 4


def test_setapp_sets_and_clears_origins(sales: VizApp):
    run("setapp", "sales", "--embed-origin", "https://a.example", "--embed-origin", "https://b.example")
    sales.refresh_from_db()
    assert sales.origins == ["https://a.example", "https://b.example"]
    VizApp.objects.update(embed_origins="https://a.example\r\nhttps://b.example")  # as a form sends it
    same = run(
        "setapp", "sales", "--embed-origin", "https://a.example", "--embed-origin", "https://b.example"
    )
    assert same.lines == ["sales: nothing to change."]
    done = run("setapp", "sales", "--no-embed-origins")
    assert done.lines == ["sales: embed_origins: https://a.example https://b.example -> (empty)"]


def test_setapp_that_changes_nothing_says_so_and_writes_nothing(
    sales: VizApp, django_assert_num_queries: Callable[..., Any]
):
    with django_assert_num_queries(2):  # the row, and whether there are grants
        done = run("setapp", "sales", "--enable", "--access", "grant")
    assert done.lines == ["sales: nothing to change."]
    assert done.error == ""


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--idle", "3"], "--idle:"),
        (["--max-sessions", "0"], "--max-sessions:"),
        (["--max-sessions", "-1"], "--max-sessions:"),
        (["--unattended", "soon"], "soon is no whole number and not 'none'"),
        (["--order", "99999999999999999999"], "--order:"),
        (["--title", "x" * 201], "--title:"),
        (
            ["--embed-origin", "https://a.example", "--embed-origin", "a.example/page"],
            "a.example/page is no origin",
        ),
        (["--access", "friends"], "invalid choice"),
        (["--enable", "--disable"], "not allowed with"),
        ([], "Say what to change"),
    ],
)
def test_setapp_refuses_what_cannot_be(sales: VizApp, args: list[str], told: str):
    before = VizApp.objects.values().get()
    done = run("setapp", "sales", "--description", "New", *args) if args else run("setapp", "sales")
    assert told in done.error
    assert done.out == ""
    assert VizApp.objects.values().get() == before


def test_setapp_leaves_other_columns_alone(sales: VizApp, monkeypatch: pytest.MonkeyPatch):
    """What somebody saves meanwhile stays; what is wrong elsewhere does not hinder."""
    VizApp.objects.update(idle_seconds=1)
    check = VizApp.full_clean

    def and_meanwhile(row: VizApp, *args: Any, **kwargs: Any) -> None:
        check(row, *args, **kwargs)
        VizApp.objects.update(title="Meanwhile")

    monkeypatch.setattr(VizApp, "full_clean", and_meanwhile)
    assert run("setapp", "sales", "--disable").error == ""
    sales.refresh_from_db()
    assert (sales.enabled, sales.title, sales.idle_seconds) == (False, "Meanwhile", 1)


def test_setapp_notes_when_an_app_that_is_on_opens_for_nobody(sales: VizApp, alice: User):
    assert "manage.py grant open sales" in run("setapp", "sales", "--title", "Sales").err
    Grant.objects.create(app=sales, user=alice)
    assert run("setapp", "sales", "--title", "Our sales").err == ""
    VizApp.objects.update(missing_since=NOON)
    assert "files are missing" in run("setapp", "sales", "--title", "Sales").err
    assert run("setapp", "sales", "--disable").err == ""


# grant and revoke


def grants() -> list[str]:
    return sorted(map(str, Grant.objects.select_related("app", "user", "group")))


def test_grants_come_and_go(sales: VizApp, alice: User, analysts: Group):
    who = ["--user", "alice", "--group", "analysts"]
    done = run("grant", "open", "sales", *who)
    assert done.lines == ["Granted open on sales to alice.", "Granted open on sales to group analysts."]
    assert grants() == ["alice: open sales", "group analysts: open sales"]
    done = run("revoke", "open", "sales", *who)
    assert done.lines == ["Revoked open on sales from alice.", "Revoked open on sales from group analysts."]
    assert done.err == done.error == ""
    assert grants() == []


def test_granting_twice_is_no_error(sales: VizApp, alice: User):
    run("grant", "manage", "sales", "--user", "alice")
    done = run("grant", "manage", "sales", "--user", "alice", "--user", "alice")
    assert done == Done("alice has manage on sales already.\n", "", "")
    assert grants() == ["alice: manage sales"]


@pytest.mark.parametrize("role", ROLES)
def test_what_can_be_granted_are_the_roles_of_apps(sales: VizApp, alice: User, role: str):
    done = run("grant", role, "sales", "--user", "alice")
    assert (done.error == "") == bool(ROLES[role].granted_by) == Grant.objects.filter(role=role).exists()


@pytest.mark.parametrize("name", ["grant", "revoke"])
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--user", "alise"], "There is no user alise. Did you mean alice?"),
        (["--user", "zzz"], "There is no user zzz."),
        (["--group", "Analyst"], "There is no group Analyst. Did you mean analysts?"),
        ([], "Say who: --user USER or --group GROUP."),
    ],
)
def test_a_wrong_name_changes_nothing(
    sales: VizApp, alice: User, analysts: Group, name: str, args: list[str], told: str
):
    if name == "revoke":
        Grant.objects.create(app=sales, user=alice)
    before = grants()
    done = run(name, "open", "sales", *(["--user", "alice"] if args else []), *args)
    assert done.error == told
    assert grants() == before


def test_revoking_what_is_not_there_is_an_error_after_the_rest_is_done(
    sales: VizApp, alice: User, analysts: Group
):
    Grant.objects.create(app=sales, user=alice)
    Grant.objects.create(app=sales, group=analysts, role="manage")
    done = run("revoke", "open", "sales", "--user", "alice", "--group", "analysts")
    assert done.out == "Revoked open on sales from alice.\n"
    assert done.error == "There is no grant open on sales for: group analysts."
    assert grants() == ["group analysts: manage sales"]


def test_revoke_says_when_the_right_remains(sales: VizApp, alice: User, analysts: Group):
    Grant.objects.create(app=sales, user=alice)
    Grant.objects.create(app=sales, group=analysts)
    alice.groups.add(analysts)
    assert "alice still has open on sales" in run("revoke", "open", "sales", "--user", "alice").err


def test_grant_says_when_the_grant_is_not_what_decides(sales: VizApp, alice: User):
    assert run("grant", "open", "sales", "--user", "alice").err == ""
    VizApp.objects.update(access=Access.LOGIN)
    assert "--access grant" in run("grant", "open", "sales", "--user", "alice").err
    VizApp.objects.update(enabled=False)
    assert "--enable" in run("grant", "open", "sales", "--user", "alice").err
    assert run("grant", "open", "sales", "--user", "alice", verbosity=0) == Done("", "", "")


def test_users_go_by_the_name_they_log_in_with(sales: VizApp, alice: User, monkeypatch: pytest.MonkeyPatch):
    User.objects.update(email="alice@example.org")
    monkeypatch.setattr(User, "USERNAME_FIELD", "email")
    assert run("grant", "open", "sales", "--user", "alice@example.org").error == ""
    assert Grant.objects.get().user == alice
    wrong = run("grant", "open", "sales", "--user", "alice@example.com")
    assert wrong.error == "There is no user alice@example.com. Did you mean alice@example.org?"


# openings


def test_openings_shows_the_newest_first(sales: VizApp):
    opening(address="192.0.2.1", ended_at=NOON + timedelta(seconds=75))
    later = NOON + timedelta(hours=1)
    opening(
        user="",
        outcome="refused",
        reason="Please log in to open this app.",
        door="socket",
        started_at=later,
        ended_at=later,
        times=4,
    )
    head, first, second = run("openings").lines
    assert head.split()[:3] == ["WHEN", "APP", "USER"]
    assert first.split() == [
        "2026-11-20",
        "13:00:00",
        "sales",
        "-",
        "refused",
        "Please",
        "log",
        "in",
        "to",
        "open",
        "this",
        "app.",
        "socket",
        "4",
    ]
    assert second.split() == [
        "2026-11-20",
        "12:00:00",
        "sales",
        "alice",
        "opened",
        "page",
        "192.0.2.1",
        "0:01:15",
        "1",
    ]


def people(*args: object) -> list[str]:
    """The users of the records that are found."""
    done = run("openings", "--format", "json", *args)
    assert done.error == ""
    return [record["user"] for record in json.loads(done.out)]


def test_openings_can_be_narrowed(sales: VizApp, alice: User):
    now = timezone.now()
    opening(user="alice", started_at=now - timedelta(days=8))
    opening(user="bob", started_at=now - timedelta(hours=2), outcome="refused")
    opening(user="carol", started_at=now - timedelta(minutes=5), app="tides")
    opening(user="was-alice", started_at=now, user_id=alice.pk)
    assert people() == ["was-alice", "carol", "bob", "alice"]
    assert people("--app", "tides") == ["carol"]
    assert people("--refused") == ["bob"]
    assert people("--user", "alice") == ["was-alice", "alice"]
    assert people("--user", "bob") == ["bob"]  # who is no user any more
    assert people("--since", "2w") == people()
    assert people("--since", "7d") == ["was-alice", "carol", "bob"]
    assert people("--since", "1h") == people("--since", "10m") == ["was-alice", "carol"]
    assert people("--limit", "2") == ["was-alice", "carol"]
    assert people("--app", "sales", "--user", "carol") == []


def test_openings_since_a_day_of_the_site(sales: VizApp, settings: Any):
    settings.TIME_ZONE = "America/New_York"  # five hours behind
    opening(user="before", started_at=datetime(2026, 11, 20, 4, 59, tzinfo=UTC))
    opening(user="after", started_at=datetime(2026, 11, 20, 5, 0, tzinfo=UTC))
    assert people("--since", "2026-11-20") == ["after"]
    assert people("--since", "2026-11-19 23:59") == ["after", "before"]
    assert people("--since", "2026-11-20T04:59:00Z") == ["after", "before"]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--since", "yesterday"], "yesterday is no date"),
        (["--since", "2026-02-30"], "2026-02-30 is no date"),
        (["--since", "7x"], "7x is no date"),
        (["--since", "9999999d"], "9999999d is too long ago"),
        (["--since", f"{'9' * 20}w"], "too long ago"),
        (["--limit", "0"], "0 is less than 1"),
        (["--limit", "some"], "some is no whole number"),
        (["--app", "sale"], "Did you mean sales?"),
        (["--user", "alise"], "Did you mean alice?"),
    ],
)
def test_openings_refuses_what_cannot_be(sales: VizApp, alice: User, args: list[str], told: str):
    assert told in run("openings", *args).error


def test_a_table_of_openings_says_that_there_are_more():
    Opening.objects.bulk_create(
        Opening(app_name="sales", outcome="opened", door="page", started_at=NOON) for _ in range(101)
    )
    done = run("openings")
    assert len(done.lines) == 101
    assert done.err == "These are the newest 100 of 101; more with --limit.\n"
    assert len(people()) == 101
    assert len(run("openings", "--limit", "101").lines) == 102
    assert run("openings", "--limit", "101").err == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝"])  # noqa: RUF001
def test_a_spreadsheet_runs_nothing_of_the_audit(start: str):
    evil = f'{start}HYPERLINK("https://evil.example","x")'
    opening(user=evil, origin=evil, reason='a, quoted "word"', ended_at=NOON - timedelta(seconds=2))
    [record] = csv.DictReader(StringIO(run("openings", "--format", "csv").out, newline=""))
    assert record["user"] == record["origin"] == f"'{evil}"
    assert record["reason"] == 'a, quoted "word"'
    assert record["seconds"] == "-2.0"  # a number is no formula
    assert record["started_at"] == "2026-11-20T12:00:00+00:00"


def test_exports_of_nothing_are_whole_files():
    assert people() == []
    assert run("openings", "--format", "csv").out.startswith("started_at,ended_at,seconds,app,user,")
    assert run("openings") == Done("", "Nothing is on record.\n", "")


# guestlink


def test_guestlink_prints_an_address_and_nothing_else(sales: VizApp):
    done = run("guestlink", "sales", "--note", "board", "--base-url", "https://viz.example.org/")
    link = GuestLink.objects.get()
    assert done.out == f"https://viz.example.org/apps/sales?guest={link.key}\n"
    assert link.note == "board"
    assert link.is_valid
    assert timedelta(days=6.9) < link.expires_at - timezone.now() < timedelta(days=7)
    assert f"--revoke={link.key[:8]}" in done.err
    quiet = run("guestlink", "sales", "--days", "3", verbosity=0)
    assert quiet.err == ""
    address = urlsplit(quiet.out.strip())
    assert (address.netloc, address.path) == ("", "/apps/sales")
    made = GuestLink.objects.get(key=parse_qs(address.query)["guest"][0])
    assert timedelta(days=2.9) < made.expires_at - timezone.now() < timedelta(days=3)


def test_guestlink_says_what_is_missing(sales: VizApp):
    assert "--base-url" in run("guestlink", "sales").err
    VizApp.objects.update(enabled=False)
    assert "sales is off" in run("guestlink", "sales").err


def test_a_link_is_valid_to_the_end_of_its_last_day(sales: VizApp, settings: Any):
    settings.TIME_ZONE = "America/New_York"
    day = timezone.localtime(timezone.now()).date() + timedelta(days=2)
    run("guestlink", "sales", "--expires", day)
    expires = timezone.localtime(GuestLink.objects.get().expires_at)
    assert (expires.date(), expires.hour, expires.minute) == (day, 23, 59)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["sale"], "Did you mean sales?"),
        (["sales", "--days", "0"], "0 is not between 1 and"),
        (["sales", "--days", "99999999999"], "is not between 1 and"),
        (["sales", "--expires", "2020-01-01"], "2020-01-01 is over already"),
        (["sales", "--expires", "9999-12-31"], "days away"),
        (["sales", "--expires", "soon"], "soon is no date"),
        (["sales", "--days", "1", "--expires", "2027-01-01"], "not allowed with"),
        (["sales", "--note", "x" * 201], "200"),
        (["sales", "--base-url", "viz.example.org"], "is no address of a site"),
        (["sales", "--base-url", "https://[viz"], "is no address of a site"),
        (["sales", "--base-url", "https://viz.example.org/?a=b"], "is no address of a site"),
        (["--revoke", "abc"], "at least 4 letters"),
        (["--revoke", ""], "at least 4 letters"),
        (["--revoke", "abcdefgh"], "There is no guest link abcdefgh"),
        (["sales", "--revoke", "abcdefgh"], "Name the link alone"),
        (["--list", "sale"], "Did you mean sales?"),
        ([], "Name the app"),
    ],
)
def test_guestlink_refuses_what_cannot_be(sales: VizApp, args: list[str], told: str):
    done = run("guestlink", *args)
    assert told in done.error
    assert done.out == ""
    assert not GuestLink.objects.exists()


def test_guest_links_are_listed_without_their_keys(sales: VizApp):
    tides = VizApp.objects.create(name="tides", source="tides.py")
    soon = timezone.now() + timedelta(days=1)
    GuestLink.objects.create(app=sales, key="valid-key-1234567890", note="board", expires_at=soon)
    GuestLink.objects.create(app=sales, key="expired-key-1234567890", expires_at=NOON)
    GuestLink.objects.create(app=tides, key="revoked-key-1234567890", expires_at=soon, revoked_at=NOON)
    done = run("guestlink", "--list")
    assert {tuple(line.split()[:3]) for line in done.lines[1:]} == {
        ("valid-ke", "sales", "valid"),
        ("expired-", "sales", "expired"),
        ("revoked-", "tides", "revoked"),
    }
    assert "1234567890" not in done.out
    assert len(run("guestlink", "--list", "tides").lines) == 2
    GuestLink.objects.all().delete()
    assert run("guestlink", "--list") == Done("", "There are no guest links.\n", "")


@pytest.mark.parametrize(
    "given",
    [
        "-AbCdEfGhIjKlMnOpQrStU",
        "-AbCdEfG",
        "https://viz.example.org/apps/sales?guest=-AbCdEfGhIjKlMnOpQrStU&x=1",
    ],
)
def test_a_link_is_revoked_by_its_address_its_key_or_the_beginning(sales: VizApp, given: str):
    soon = timezone.now() + timedelta(days=1)
    link = GuestLink.objects.create(app=sales, key="-AbCdEfGhIjKlMnOpQrStU", note="board", expires_at=soon)
    GuestLink.objects.create(app=sales, key="-abcdefghijklmnopqrstu", expires_at=soon)
    assert run("guestlink", f"--revoke={given}").out == "The link sales for board is void.\n"
    assert [left.key for left in GuestLink.objects.valid()] == ["-abcdefghijklmnopqrstu"]
    link.refresh_from_db()
    before = link.revoked_at
    again = run("guestlink", f"--revoke={given}")
    assert "revoked already" in again.out
    assert again.error == ""
    link.refresh_from_db()
    assert link.revoked_at == before


def test_a_beginning_that_two_links_share_revokes_neither(sales: VizApp):
    soon = timezone.now() + timedelta(days=1)
    for key in ("same-1", "same-2"):
        GuestLink.objects.create(app=sales, key=key, expires_at=soon)
    assert "2 guest links begin with same" in run("guestlink", "--revoke=same").error
    assert GuestLink.objects.valid().count() == 2


# Publishing


def published(publisher: User, file: Path | str, *args: object) -> str:
    """The sentence with which ``publish`` gives up; empty if it does not."""
    return run("publish", file, "--name", "march", "--as", publisher, *args).error


def test_a_path_that_cannot_be_is_a_sentence(publisher: User):
    assert published(publisher, "a\0b.csv") == "'a\N{REPLACEMENT CHARACTER}b.csv' is no path of a file."


@pytest.mark.parametrize(("kind", "other"), [("csv", "file"), ("file", "csv")])
def test_a_format_that_the_data_set_cannot_have_is_refused(
    publisher: User, tmp_path: Path, kind: str, other: str
):
    file = tmp_path / "march.csv"
    file.write_text("price\n1.5\n")
    assert published(publisher, file, "--format", kind) == ""
    for more in ([], ["--append"]):
        assert published(publisher, file, "--format", other, *more).startswith("'march' is a ")
    assert published(publisher, file) == ""
    assert DatasetVersion.objects.count() == 2
