"""The audit, the failures and the live sessions: what is written down, and that none of it is lost."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import DataError, OperationalError, connection, connections, transaction
from django.utils import timezone

from apps_registry import records
from apps_registry.exceptions import AppNotFound, EndedByAdmin, LoginRequired
from apps_registry.models import Failure, Host, LiveSession, Opening, VizApp
from apps_registry.presence import Presence, Seen, host_name
from apps_registry.records import Records, Visitor

from . import databases
from .serving import Site, wait_until
from .watched import Refused, Tabs, Watched, busy, copy_of, watch

#: So many failures of one app are written down in a minute.
FLOOD = 20


@pytest.fixture
def row(transactional_db: None) -> VizApp:
    return VizApp.objects.create(name="alpha", source="alpha.py", enabled=True)


@pytest.fixture
def alice(transactional_db: None) -> User:
    return User.objects.create_user("alice")


@pytest.fixture
def book() -> Records:
    return Records("host")


def visitor(user: Any = None, address: str = "10.0.0.1") -> Visitor:
    return Visitor(user or AnonymousUser(), address, "https://www.example.org:8443")


# The audit


def test_an_opening_says_who_when_where_from_and_how_long(book: Records, row: VizApp, alice: User):
    before = timezone.now()
    opening = book.opened(row, visitor(alice), "socket", "secret-session-id")
    book.flush()
    stored = Opening.objects.get()
    assert (stored.app, stored.app_name, stored.user, stored.username) == (row, "alpha", alice, "alice")
    assert (stored.outcome, stored.door, stored.address) == ("opened", "socket", "10.0.0.1")
    assert stored.origin == "www.example.org:8443"
    assert stored.session
    assert "secret" not in stored.session
    assert before <= stored.started_at <= timezone.now()
    assert stored.duration is None
    book.ended(opening, EndedByAdmin())
    book.flush()
    stored = Opening.objects.get()
    assert stored.reason == "This session was ended by an administrator."
    assert timedelta(0) <= stored.duration < timedelta(minutes=1)


def test_what_begins_and_ends_between_two_writings_is_whole(book: Records, row: VizApp):
    book.ended(book.opened(row, visitor(), "socket", "id"), None)
    book.flush()
    stored = Opening.objects.get()
    assert (stored.ended_at is not None, stored.reason, stored.username) == (True, "", "")


def test_equal_refusals_are_one_record(book: Records, row: VizApp, alice: User):
    for number in range(7):
        book.refused(row, visitor(alice), "page", AppNotFound())
        if number == 3:
            book.flush()
    book.refused(row, visitor(alice), "socket", AppNotFound())
    book.refused(row, visitor(alice), "page", LoginRequired())
    book.refused(row, visitor(alice, "10.0.0.2"), "page", AppNotFound())
    book.refused(row, visitor(), "page", AppNotFound())
    book.flush()
    assert Opening.objects.count() == 5
    first = Opening.objects.order_by("pk")[0]
    assert (first.outcome, first.reason, first.times, first.duration) == (
        "refused",
        "There is no grant.",
        7,
        timedelta(0),
    )


def test_after_a_minute_a_refusal_is_a_new_record(
    book: Records, row: VizApp, monkeypatch: pytest.MonkeyPatch
):
    book.refused(row, visitor(), "page", AppNotFound())
    monkeypatch.setattr(records, "_SAME", timedelta(0))
    book.refused(row, visitor(), "page", AppNotFound())
    book.flush()
    assert [opening.times for opening in Opening.objects.all()] == [1, 1]


def test_records_outlive_app_and_user(book: Records, row: VizApp, alice: User):
    opening = book.opened(row, visitor(alice), "socket", "written before")
    book.flush()
    book.opened(row, visitor(alice), "socket", "written after")
    book.failed(row, alice, "REF", "It failed", "Traceback")
    row.delete()
    alice.delete()
    book.ended(opening, None)
    book.flush()
    book.flush()
    assert Opening.objects.count() == 2
    for record in (*Opening.objects.all(), Failure.objects.get()):
        assert (record.app, record.user) == (None, None)
        assert (record.app_name, record.username) == ("alpha", "alice")
    assert Opening.objects.exclude(ended_at=None).count() == 1


@pytest.mark.parametrize("what", ["row", "alice"])
def test_what_is_deleted_while_a_record_is_written_is_deleted(
    book: Records, row: VizApp, alice: User, what: str
):
    thing = row if what == "row" else alice
    book.opened(row, visitor(alice), "page", "a")

    def write() -> None:
        book.flush()
        connections.close_all()

    thread = threading.Thread(target=write)

    def deleting(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        """Let it be written after the records were looked at, and before what they refer to is gone."""
        if sql.startswith(f'DELETE FROM "{thing._meta.db_table}"'):
            thread.start()
            thread.join(0.5)
        return execute(sql, *args)

    with connection.execute_wrapper(deleting):
        thing.delete()
    thread.join()
    # What had to wait for too long is written now
    book.flush()
    opening = Opening.objects.get()
    assert (opening.app is None) == (what == "row")
    assert (opening.user is None) == (what == "alice")


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one write at a time.")
def test_who_deletes_does_not_wait_for_the_records_in_a_circle(book: Records, row: VizApp):
    one, other = (book.opened(row, visitor(), "socket", name) for name in "ab")
    book.flush()
    has_one = threading.Event()

    def noting(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if has_one.is_set():
            # Until the other one waits
            time.sleep(0.1)
        result = execute(sql, *args)
        if sql.startswith("UPDATE"):
            has_one.set()
        return result

    def write() -> None:
        with connection.execute_wrapper(noting):
            book.flush()
        connections.close_all()

    for opening in (one, other):
        book.ended(opening, None)
    writing = threading.Thread(target=write)
    with transaction.atomic():
        Opening.objects.filter(pk=other.pk).update(reason="mine")
        writing.start()
        assert has_one.wait(5)
        Opening.objects.filter(pk=one.pk).update(reason="mine")
    writing.join()
    book.flush()
    assert not Opening.objects.filter(ended_at=None).exists()


def test_a_record_that_was_deleted_while_the_tab_was_open_stays_deleted(book: Records, row: VizApp):
    opening = book.opened(row, visitor(), "socket", "id")
    book.flush()
    Opening.objects.all().delete()
    book.ended(opening, None)
    book.opened(row, visitor(), "socket", "other")
    book.flush()
    assert Opening.objects.count() == 1


def failing(monkeypatch: pytest.MonkeyPatch, error: Callable[[Any], Exception | None]) -> None:
    """Let the database fail as ``error`` says of each record that is to be saved."""
    save = Opening.save

    def saving(self: Opening, *args: Any, **options: Any) -> None:
        if (fault := error(self)) is not None:
            raise fault
        save(self, *args, **options)

    monkeypatch.setattr(Opening, "save", saving)


def test_a_database_that_is_away_loses_nothing(
    book: Records, row: VizApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    answers = iter([None, OperationalError("gone")] + [OperationalError("gone")] * 2)
    with monkeypatch.context() as patch:
        failing(patch, lambda record: next(answers, None))
        openings = [book.opened(row, visitor(), "socket", str(number)) for number in range(3)]
        for _ in range(3):
            book.flush()
        book.ended(openings[0], None)
    assert Opening.objects.count() == 0
    assert len([r for r in caplog.records if "audit waits" in r.message]) == 1
    book.opened(row, visitor(), "socket", "later")
    book.flush()
    assert Opening.objects.count() == 4
    assert Opening.objects.exclude(ended_at=None).count() == 1
    assert list(Opening.objects.order_by("pk").values_list("started_at", flat=True)) == sorted(
        Opening.objects.values_list("started_at", flat=True)
    )


def test_one_record_at_fault_does_not_keep_back_the_others(
    book: Records, row: VizApp, monkeypatch: pytest.MonkeyPatch
):
    bad = book.opened(row, visitor(), "socket", "0")
    for number in range(1, 4):
        book.opened(row, visitor(), "socket", str(number))
    failing(monkeypatch, lambda record: DataError("bad") if record is bad else None)
    book.ended(bad, None)
    book.flush()
    assert Opening.objects.count() == 3


def test_many_records_are_written_in_several_transactions(
    book: Records, row: VizApp, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(records, "_AT_ONCE", 10)
    openings = [book.opened(row, visitor(), "socket", str(number)) for number in range(25)]
    for opening in openings:
        book.ended(opening, None)
    book.flush()
    assert Opening.objects.exclude(ended_at=None).count() == 25


@pytest.mark.parametrize("days", [0, 30])
def test_old_records_are_deleted(settings: Any, row: VizApp, book: Records, days: int):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "AUDIT_DAYS": days, "FAILURE_DAYS": days}
    for number in range(2):
        book.opened(row, visitor(), "socket", str(number))
        book.failed(row, None, str(number), "It failed", "Traceback")
        book.flush()
        if number == 0:
            past = timezone.now() - timedelta(days=31)
            Opening.objects.update(started_at=past)
            Failure.objects.update(at=past)
    records.expire()
    kept = 1 if days else 2
    assert Opening.objects.count() == Failure.objects.count() == kept


# Failures


def test_a_failure_is_kept_with_its_reference(book: Records, row: VizApp, alice: User):
    book.failed(
        row, alice, "4F3A", "RuntimeError: " + "x" * 400, "start" + "y" * 100_000 + "the end \0 \ud800"
    )
    book.flush()
    failure = Failure.objects.get()
    assert (failure.app, failure.user, failure.username, failure.reference) == (row, alice, "alice", "4F3A")
    assert failure.host == "host"
    assert len(failure.summary) == 300
    assert len(failure.detail) == 50_000
    assert failure.detail.endswith("the end \N{REPLACEMENT CHARACTER} ?")


def test_who_fails_in_a_loop_does_not_fill_the_disk(
    book: Records, row: VizApp, monkeypatch: pytest.MonkeyPatch
):
    for number in range(1000):
        book.failed(row, None, f"A{number}", "It failed", "Traceback")
    book.failed(VizApp(name="other"), None, "B", "It failed", "Traceback")
    book.flush()
    assert Failure.objects.filter(app_name="alpha").count() == FLOOD
    assert Failure.objects.filter(app_name="other").count() == 1
    monkeypatch.setattr(records, "_SAME", timedelta(0))
    book.failed(row, None, "C", "It failed", "Traceback")
    book.flush()
    assert Failure.objects.filter(app_name="alpha").count() == FLOOD + 1


# Live sessions


def seen(session: str = "one", **values: Any) -> Seen:
    now = timezone.now()
    line = {
        "session": session,
        "app_name": "alpha",
        "app_id": None,
        "user_id": None,
        "username": "",
        "started_at": now,
        "active_at": now,
        "tabs": 1,
        "memory": None,
    }
    return Seen(**(line | values))


def test_what_changes_of_a_session_is_written_and_what_does_not_is_not(
    row: VizApp, alice: User, django_assert_num_queries: Any
):
    presence = Presence("host")
    line = seen(app_id=row.pk, user_id=alice.pk, username="alice")
    presence.write([line, seen("two")])
    with django_assert_num_queries(0):
        presence.write([line, seen("two")])
    known = LiveSession.objects.get(session="one")
    presence.write([seen("one", tabs=3, memory=5), seen("two")])
    changed = LiveSession.objects.get(session="one")
    assert (changed.pk, changed.tabs, changed.memory, changed.user) == (known.pk, 3, 5, alice)
    presence.write([seen("two")])
    assert [session.session for session in LiveSession.objects.all()] == ["two"]
    presence.end()
    assert not Host.objects.exists()
    assert not LiveSession.objects.exists()


def test_many_sessions_take_few_queries(row: VizApp, django_assert_max_num_queries: Any):
    presence = Presence("host")
    # Django 5.2 gives SQLite fewer rows at a time than later ones
    with django_assert_max_num_queries(9):
        presence.write([seen(str(number)) for number in range(400)])
    with django_assert_max_num_queries(7):
        presence.write([seen(str(number), tabs=2) for number in range(400)])
    assert LiveSession.objects.filter(tabs=2).count() == 400


def test_a_session_whose_app_and_user_were_just_deleted_is_written_without_them(row: VizApp, alice: User):
    lines = [seen("one", app_id=row.pk, user_id=alice.pk), seen("two", app_id=row.pk)]
    alice.delete()
    Presence("host").write(lines)
    assert LiveSession.objects.get(session="one").user is None
    assert LiveSession.objects.filter(app=row).count() == 2


def test_a_process_that_ended_without_a_word_is_taken_out(row: VizApp, book: Records):
    dead, alive = Presence("dead"), Presence("alive")
    book.opened(row, visitor(), "socket", "lost")
    book.flush()
    Opening.objects.update(started_at=timezone.now() - timedelta(minutes=1))
    dead.write([seen(records.short_name("lost"))])
    Host.objects.update(seen_at=timezone.now() - timedelta(seconds=31))
    assert alive.elsewhere("alpha", None) == (0, 0), "It should not count any more."
    alive.write([])
    assert [host.name for host in Host.objects.all()] == ["alive"]
    assert not LiveSession.objects.exists()
    lost = Opening.objects.get()
    assert lost.reason == "The server ended without a word."
    assert lost.ended_at > lost.started_at


def test_a_session_that_came_back_to_another_process_is_not_taken_for_lost(row: VizApp, book: Records):
    dead, alive, third = Presence("dead"), Presence("alive"), Presence("third")
    name = records.short_name("back")
    dead.write([seen(name)])
    alive.write([seen(name)])
    book.opened(row, visitor(), "socket", "back")
    book.flush()
    opened = Opening.objects.get().started_at
    Opening.objects.update(started_at=opened - timedelta(seconds=35))
    Host.objects.filter(name="dead").update(seen_at=opened - timedelta(seconds=40))
    third.write([])
    assert Host.objects.count() == 2
    assert Opening.objects.get().ended_at is None


def test_a_process_that_was_taken_for_gone_writes_itself_down_again(
    row: VizApp, monkeypatch: pytest.MonkeyPatch
):
    presence = Presence("host")
    presence.write([seen()])
    Host.objects.all().delete()
    assert presence._host is not None
    presence._host.seen_at -= timedelta(minutes=1)
    presence.write([seen()])
    assert LiveSession.objects.get().host.name == "host"


def test_counts_of_other_processes(alice: User):
    here, there = Presence("here"), Presence("there")
    here.write([seen("a", user_id=alice.pk)])
    there.write([seen("b", user_id=alice.pk), seen("c"), seen("d", app_name="beta", user_id=alice.pk)])
    assert here.elsewhere("alpha", str(alice.pk)) == (2, 1)
    assert here.elsewhere("alpha", str(alice.pk), but="b") == (1, 0)
    assert there.elsewhere("alpha", str(alice.pk)) == (1, 1)


def test_names_of_processes_differ():
    assert host_name() != host_name()


# In servers


@pytest.fixture(scope="module")
def own_site(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copy_of(site, tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def both(own_site: Site) -> Iterator[Watched]:
    with watch(own_site, servers=2) as watched:
        yield watched


@pytest.fixture
def two(both: Watched) -> Watched:
    """Two servers without records."""
    both.reset()
    both.run("Opening.objects.all().delete(); Failure.objects.all().delete()")
    return both


def stored(watched: Watched, model: str, *fields: str, within: float = 20, **lookup: Any) -> Any:
    """The fields of all objects of a model as texts, as soon as there are any."""
    query = f"{model}.objects.filter(**{lookup!r}).order_by('pk').values_list(*{fields!r})"
    return wait_until(lambda: watched.run(f"result = [list(map(str, line)) for line in {query}]"), within)


async def test_a_socket_is_an_opening(two: Watched):
    fields = ("username", "app_name", "outcome", "door", "address", "origin", "ended_at")
    async with Tabs(two) as tabs:
        await tabs.open("alpha", "alice")
        host = two.server.url.removeprefix("http://")
        line = ["alice", "alpha", "opened", "socket", "127.0.0.1", host, "None"]
        assert stored(two, "Opening", *fields) == [line]
    wait_until(lambda: two.run("result = Opening.objects.get().ended_at is not None"))


@pytest.mark.parametrize(
    ("row", "headers", "reason"),
    [
        ({"access": "grant"}, {}, "You may no longer open this app."),
        ({"enabled": False}, {}, "This app has been switched off."),
        ({}, {"Cookie": ""}, "You are no longer logged in. Please log in again."),
        ({}, {"Origin": "https://evil.example"}, "This site may not open the app."),
    ],
)
async def test_a_socket_that_is_refused_is_in_the_audit_too(
    two: Watched, row: dict[str, Any], headers: dict[str, str], reason: str
):
    async with Tabs(two) as tabs:
        tab = await tabs.open("alpha", "alice")
        two.run(f'VizApp.objects.filter(name="alpha").update(**{row!r})')
        two.refresh()
        tab.headers.update(headers)
        with pytest.raises(Refused):
            await tabs.again(tab)
        lines = stored(two, "Opening", "outcome", "app_name", "door", reason=reason, outcome="refused")
        assert lines == [["refused", "alpha", "socket"]]


async def test_a_limit_is_in_the_audit_too(two: Watched):
    two.run("VizApp.objects.update(max_sessions=1)")
    two.refresh()
    async with Tabs(two) as tabs:
        await tabs.open("alpha", "alice")
        with pytest.raises(Refused):
            await tabs.open("alpha", "bob")
        assert stored(two, "Opening", "username", "outcome", reason__startswith="Too many people") == [
            ["bob", "refused"]
        ]


async def test_pages_that_are_refused_are_one_record(two: Watched):
    two.run('VizApp.objects.filter(name="alpha").update(access="grant")')
    two.refresh()
    key = two.run('result = log_in("alice")')
    async with Tabs(two) as tabs:
        for _ in range(3):
            with pytest.raises(Refused):
                await tabs.open("alpha", key=key)
    wait_until(lambda: two.run("result = Opening.objects.filter(times=3).exists()"))
    assert stored(two, "Opening", "username", "outcome", "reason", "door") == [
        ["alice", "refused", "There is no grant.", "page"]
    ]


async def test_a_failure_of_a_callback_is_kept(two: Watched):
    async with Tabs(two) as tabs:
        tab = await tabs.open("failing", "alice")
        await tab.socket.press("fail")
        reference = tab.socket.errors[0].rpartition("Reference: ")[2]
    ((app, user, kept, summary, detail),) = stored(
        two, "Failure", "app_name", "username", "reference", "summary", "detail"
    )
    assert (app, user, kept) == ("failing", "alice", reference)
    assert summary.startswith("RuntimeError: It failed, ")
    assert "failing.py" in detail
    assert "\0" not in detail


async def test_live_sessions_of_all_servers_are_seen_soon_and_go(two: Watched):
    two.run("VizApp.objects.update(unattended_seconds=0)")
    two.refresh()
    fields = ("username", "app_name", "tabs", "host__name")
    async with Tabs(two) as tabs:
        opened = time.monotonic()
        here = await tabs.open("alpha", "alice")
        await tabs.again(here)
        await tabs.open("beta", "bob", server=1)
        wait_until(lambda: len(stored(two, "LiveSession", *fields)) == 2)
        assert time.monotonic() - opened < 4 * busy()
        wait_until(lambda: ["2"] in stored(two, "LiveSession", "tabs"))
        lines = sorted(stored(two, "LiveSession", *fields))
        assert [line[:3] for line in lines] == [["alice", "alpha", "2"], ["bob", "beta", "1"]]
        assert lines[0][3] != lines[1][3], "Each server should have a name of its own."
        measured = stored(two, "LiveSession", "memory", memory__isnull=False)
        assert all(10_000 < int(memory) < 200_000 for (memory,) in measured)
        assert measured
    wait_until(lambda: two.run("result = not LiveSession.objects.exists()"), within=5 * busy())


async def test_a_locked_database_loses_nothing_and_blocks_nobody(two: Watched):
    async with Tabs(two) as tabs:
        key = two.run('result = log_in("alice")')
        with databases.locked(two.site.folder):
            since = time.monotonic()
            for _ in range(3):
                tab = await tabs.open("alpha", key=key)
                await tab.socket.press("more")
            while time.monotonic() - since < 2.5:
                await tab.socket.press("more")
            assert two.run("result = Opening.objects.count()") == 0
        wait_until(lambda: two.run("result = Opening.objects.count() == 3"))
        assert int(tab.socket.find("count").text) > 3


async def test_a_normal_stop_loses_nothing(site: Site, tmp_path: Path, asgi_server: str):
    with watch(copy_of(site, tmp_path), "--server", asgi_server) as watched:
        async with Tabs(watched) as tabs:
            tab = await tabs.open("alpha", "alice")
            await tabs.open("beta", "bob")
            await tab.socket.socket.close()
            watched.server.process.send_signal(signal.SIGTERM)
            assert watched.server.process.wait(30) == 0
        ended = dict(stored(watched, "Opening", "username", "reason", ended_at__isnull=False))
        assert ended == {"alice": "", "bob": "The server is restarting."}
        assert watched.run("result = [LiveSession.objects.count(), Host.objects.count()]") == [0, 0]


async def test_what_a_killed_server_leaves_is_cleared_by_the_next(site: Site, tmp_path: Path):
    with watch(copy_of(site, tmp_path)) as watched:
        async with Tabs(watched) as tabs:
            await tabs.open("alpha", "alice")
            stored(watched, "LiveSession", "session")
            watched.server.process.kill()
            watched.server.process.wait(30)
        watched.run(
            "from datetime import timedelta\nfrom django.utils import timezone\n"
            "Host.objects.update(seen_at=timezone.now() - timedelta(minutes=1))\n"
            "Opening.objects.update(started_at=timezone.now() - timedelta(minutes=2))"
        )
        with watched.another():
            wait_until(lambda: watched.run("result = not LiveSession.objects.exists()"))
            wait_until(lambda: watched.run("result = Host.objects.count() == 1"))
            ((reason,),) = stored(watched, "Opening", "reason", ended_at__isnull=False)
            assert reason == "The server ended without a word."
