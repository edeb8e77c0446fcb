"""Rows of a site's own models in sources: those that the user may see, as they are now."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from bokeh.models import ColumnDataSource
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps_registry import relay
from apps_registry.data import PermittedQuerySet, queryset_pages, queryset_source, tell
from apps_registry.exceptions import UserNeeded
from apps_registry.live.session import Session
from apps_registry.model_changes import MOST_ROWS

from .logbook.models import Forgotten, LongNote, Membership, Note, NoteQuerySet, Open, Shout
from .published import user
from .watching import Watching, until

FIELDS = ["text", "number"]


def notes(**options: Any):
    """Fills a document with one source of notes."""
    return lambda document: document.add_root(queryset_source(Note.objects, FIELDS, **options))


def source_of(session: Session) -> ColumnDataSource:
    return session.document.roots[0]


def texts(session: Session) -> list[str]:
    return list(source_of(session).data["text"])


def kinds(patches: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [
        [event["kind"] if event["kind"] != "ModelChanged" else event["attr"] for event in p] for p in patches
    ]


def write(*texts: str, owner: str = "ann", **values: Any) -> list[Note]:
    return [Note.objects.create(owner=user(owner), text=text, **values) for text in texts]


def set_values(which: str, **values: Any) -> None:
    note = Note.objects.get(text=which)
    for name, value in values.items():
        setattr(note, name, value)
    note.save()


async def ann_of(watched: Watching, *texts: str) -> Any:
    return await watched.workers.run(lambda: (write(*texts), user("ann"))[1])


# What there is


@pytest.mark.django_db
def test_rows_are_those_that_the_user_may_see():
    write("one", "two", number=1)
    write("three", owner="bob")
    source = queryset_source(Note.objects, FIELDS, live=False, user=user("ann"))
    first = Note.objects.get(text="one").pk
    assert source.data == {"pk": [first, first + 1], "text": ["one", "two"], "number": [1, 1]}
    only = queryset_source(Note.objects.filter(text="two"), ["text"], live=False, user=user("ann"))
    assert only.data["text"] == ["two"]


@pytest.mark.django_db
def test_fields_have_names_and_kinds():
    at = dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    write("one", number=1, amount="1.50", day=dt.date(2026, 1, 31), at=at)
    write("two")
    fields = {"name": "owner__username", "n": "number", "amount": "amount", "day": "day", "at": "at"}
    data = queryset_source(Note.objects, fields, live=False, key="text", user=user("ann")).data
    assert list(data) == ["text", "name", "n", "amount", "day", "at"]
    assert (data["text"], data["name"]) == (["one", "two"], ["ann", "ann"])
    for name, value in (
        ("n", 1),
        ("amount", 1.5),
        ("day", dt.datetime(2026, 1, 31)),
        ("at", dt.datetime(2026, 1, 31, 10, 30)),
    ):
        assert data[name][0] == value
        assert math.isnan(data[name][1])


@pytest.mark.django_db
def test_rows_come_in_their_order_and_not_too_many():
    write(*"cabd")
    asked = {"fields": ["text"], "live": False, "user": user("ann")}
    assert queryset_source(Note.objects, limit=3, **asked).data["text"] == ["c", "a", "b"]
    assert queryset_source(Note.objects.order_by("-text"), **asked).data["text"] == ["d", "c", "b", "a"]


@pytest.mark.django_db
def test_nothing_is_asked_for_who_may_see_nothing():
    write("one")
    with CaptureQueriesContext(connection) as queries:
        source = queryset_source(Note.objects, FIELDS, live=False, user=AnonymousUser())
    assert source.data == {"pk": [], "text": [], "number": []}
    assert len(queries) == 0


@pytest.mark.django_db
def test_no_query_but_that_of_the_user():
    write("one")
    ann = user("ann")
    NoteQuerySet.asked.clear()
    with CaptureQueriesContext(connection) as queries:
        queryset_pages(Note.objects, FIELDS, live=False, user=ann)
    assert NoteQuerySet.asked == ["ann"]
    assert [
        query["sql"].count("logbook_membership") > 0 for query in queries if "logbook" in query["sql"]
    ] == [True]


@pytest.mark.django_db
def test_what_does_not_say_who_may_see_it():
    for rows in (Open.objects, Open.objects.all(), [1, 2]):
        with pytest.raises(TypeError, match="PermittedQuerySet"):
            queryset_source(rows, ["text"], live=False, user=None)
    with pytest.raises(NotImplementedError, match=r"PermittedQuerySet needs a method visible_to\(user\)"):
        queryset_source(Forgotten.objects, ["text"], live=False, user=None)
    with pytest.raises(UserNeeded):
        queryset_source(Note.objects, FIELDS)
    with pytest.raises(UserNeeded, match="live"):
        queryset_source(Note.objects, FIELDS, user=user("ann"))


# What becomes of it


async def test_new_rows_are_streamed_and_changed_ones_patched(watched: Watching):
    ann = await ann_of(watched, *"abcd")
    tab = await watched.tab(notes(), ann)
    await watched.do(write, "new", number=7)
    assert texts(tab.session) == [*"abcd", "new"]
    assert kinds(tab.events()) == [["ColumnsStreamed"]]
    await watched.do(set_values, "b", text="B")
    assert texts(tab.session) == ["a", "B", "c", "d", "new"]
    patches = tab.events()
    assert kinds(patches) == [["ColumnsPatched"]]
    assert patches[0][0]["patches"]["entries"] == [["text", [[1, "B"]]]]


async def test_deleted_rows_go(watched: Watching):
    ann = await ann_of(watched, *"abc")
    tab = await watched.tab(notes(), ann)
    await watched.do(Note.objects.filter(text="b").delete)
    assert texts(tab.session) == ["a", "c"]
    assert kinds(tab.events()) == [["ColumnDataChanged"]]


async def test_rows_that_were_saved_together_come_together(watched: Watching):
    ann = await ann_of(watched, "a")
    tab = await watched.tab(notes(), ann)

    @transaction.atomic
    def save() -> None:
        write(*map(str, range(20)))
        set_values("a", text="A")
        with transaction.atomic():
            write("never")
            transaction.set_rollback(True)

    before = watched.heard
    await watched.do(save)
    assert watched.heard == before + 1
    assert texts(tab.session) == ["A", *map(str, range(20))]
    assert kinds(tab.events()) == [["ColumnsPatched", "ColumnsStreamed"]]


async def test_what_was_rolled_back_is_not_told(watched: Watching):
    ann = await ann_of(watched, "a")
    tab = await watched.tab(notes(), ann)

    def save() -> None:
        with transaction.atomic():
            write("never")
            transaction.set_rollback(True)

    await watched.workers.run(save)
    await watched.do(write, "b")
    assert texts(tab.session) == ["a", "b"]
    assert len(tab.events()) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda: Note.objects.filter(text="a").update(text="A"),
        lambda: Note.objects.bulk_update([Note(pk=Note.objects.get(text="a").pk, text="A")], ["text"]),
        lambda: Shout.objects.get(text="a").__class__.objects.filter(text="a").update(text="A"),
        lambda: (Note._base_manager.filter(text="a").update(text="A"), tell(Note)),
    ],
)
async def test_statements_without_signals_of_their_own(watched: Watching, change: Any):
    ann = await ann_of(watched, *"abcd")
    tab = await watched.tab(notes(), ann)
    await watched.do(change)
    assert texts(tab.session) == [*"Abcd"]
    assert kinds(tab.events()) == [["ColumnsPatched"]]


async def test_rows_that_are_made_at_once(watched: Watching):
    ann = await ann_of(watched, "a")
    tab = await watched.tab(notes(), ann)
    await watched.do(Note.objects.bulk_create, [Note(owner=ann, text="b"), Note(owner=ann, text="c")])
    assert texts(tab.session) == [*"abc"]


async def test_many_rows_are_not_named(watched: Watching, monkeypatch: pytest.MonkeyPatch):
    from apps_registry import model_changes

    monkeypatch.setattr(model_changes, "MOST_ROWS", 3)
    ann = await ann_of(watched)
    tab = await watched.tab(notes(), ann)
    sent: list[Any] = []
    relay._listeners.append(lambda heard: sent.append(heard.data))
    try:
        await watched.do(transaction.atomic(lambda: write(*"abcde")))
    finally:
        relay._listeners.pop()
    assert sent == [{"model": "logbook.note", "pks": None}]
    assert texts(tab.session) == [*"abcde"]
    assert MOST_ROWS > 100


async def test_rows_of_proxies_and_children(watched: Watching):
    ann = await ann_of(watched, "a")
    tab = await watched.tab(notes(), ann)
    await watched.do(Shout.objects.create, owner=ann, text="shout")
    await watched.do(LongNote.objects.create, owner=ann, text="long", more="...")
    assert texts(tab.session) == ["a", "shout", "long"]


async def test_rows_in_another_order_come_as_a_whole(watched: Watching):
    ann = await ann_of(watched, *"bd")
    build = lambda document: document.add_root(  # noqa: E731
        queryset_source(Note.objects.order_by("text"), ["text"])
    )
    tab = await watched.tab(build, ann)
    await watched.do(write, "c")
    assert texts(tab.session) == [*"bcd"]
    assert kinds(tab.events()) == [["ColumnDataChanged"]]
    await watched.do(set_values, "b", text="z")
    assert texts(tab.session) == [*"cdz"]


async def test_only_those_read_who_may_see_it(watched: Watching):
    ann = await ann_of(watched, "a")
    bob = await watched.workers.run(lambda: user("bob"))
    anns, bobs = await watched.tab(notes(), ann), await watched.tab(notes(), bob)
    await watched.do(write, "secret")
    assert texts(anns.session) == ["a", "secret"]
    assert texts(bobs.session) == []
    assert bobs.events() == []


async def test_a_source_that_is_not_live(watched: Watching):
    ann = await ann_of(watched, "a")
    tab = await watched.tab(notes(live=False), ann)
    await watched.do(write, "b")
    assert texts(tab.session) == ["a"]


async def test_those_who_see_the_same_ask_once(watched: Watching):
    ann = await ann_of(watched, "a")
    sessions = [await watched.open(notes(), ann) for _ in range(5)]
    asked: list[str] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append(sql)
        return execute(sql, params, many, context)

    def on_thread(fn: Any) -> Any:
        def counted() -> Any:
            with connection.execute_wrapper(count):
                return fn()

        return watched.workers.run(counted)

    watched.following._on_thread = on_thread
    await watched.do(write, "b")
    assert [texts(session) for session in sessions] == [["a", "b"]] * 5
    reading = [sql for sql in asked if sql.startswith("SELECT") and '"text"' in sql]
    assert len(reading) == 1


# Rights


def share(text: str, name: str) -> None:
    Note.objects.get(text=text).readers.add(user(name))


GOES = {
    "a reader is taken off": lambda: Note.objects.get(text="a").readers.remove(user("bob")),
    "all readers are taken off": lambda: Note.objects.get(text="a").readers.clear(),
    "other readers are set": lambda: Note.objects.get(text="a").readers.set([user("eve")]),
    "the team of the note changes": lambda: set_values("t", team="other"),
    "a membership ends": lambda: Membership.objects.filter(user__username="bob").delete(),
    "a membership changes": lambda: change_team("bob"),
    "the user is switched off": lambda: off("bob"),
}


def change_team(name: str) -> None:
    membership = Membership.objects.get(user__username=name)
    membership.team = "other"
    membership.save()


def off(name: str) -> None:
    person = user(name)
    person.is_active = False
    person.save()


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("way", GOES)
async def test_rows_go_with_the_right(watched: Watching, way: str, is_live: bool):
    def prepare() -> Any:
        write("a")
        write("t", team="red")
        share("a", "bob")
        Membership.objects.create(user=user("bob"), team="red")
        return user("bob")

    bob = await watched.workers.run(prepare)
    tab = await watched.tab(notes(live=is_live), bob)
    assert texts(tab.session) == ["a", "t"]
    await watched.do(GOES[way])
    gone = {"a"} if "reader" in way else {"a", "t"} if "user" in way else {"t"}
    if not is_live and "of the note" in way:
        # It is the row that has changed; what is not live is asked again by the clock
        await watched.following.recheck()
        await watched.settled()
    assert set(texts(tab.session)) == {"a", "t"} - gone


async def test_rows_come_with_the_right(watched: Watching):
    bob = await watched.workers.run(lambda: (write("a"), user("bob"))[1])
    tab = await watched.tab(notes(), bob)
    await watched.do(share, "a", "bob")
    assert texts(tab.session) == ["a"]
    await watched.do(write, "t", team="red")
    assert texts(tab.session) == ["a"]
    await watched.do(Membership.objects.create, user=bob, team="red")
    assert texts(tab.session) == ["a", "t"]


# Pages


async def test_pages(watched: Watching):
    ann = await ann_of(watched, *"abcdefg")
    shown: list[Any] = []

    def build(document: Any) -> None:
        shown.append(queryset_pages(Note.objects, ["text"], size=3))
        document.add_root(shown[0].source)

    session = await watched.open(build, ann)
    pages = shown[0]
    assert (pages.number, texts(session)) == (0, [*"abc"])
    assert await session.run(lambda: (pages.count, pages.pages)) == (7, 3)
    await session.run(lambda: pages.page(2))
    assert (pages.number, texts(session)) == (2, ["g"])
    await watched.do(write, "h")
    assert texts(session) == [*"gh"]
    await watched.do(Note.objects.filter(text="a").delete)
    assert texts(session) == ["h"]
    await session.run(lambda: pages.page(9))
    assert texts(session) == []
    with pytest.raises(ValueError, match="from 0"):
        await session.run(lambda: pages.page(-1))


async def test_an_app_that_changes_the_source_gets_the_rows_anew(watched: Watching):
    ann = await ann_of(watched, *"ab")
    tab = await watched.tab(notes(), ann)
    source = source_of(tab.session)
    await tab.session.run(lambda: source.data.update(text=["x", "y"]))
    await watched.do(write, "c")
    assert texts(tab.session) == [*"abc"]


async def test_bursts_come_together(watched: Watching, settings: Any):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_REFRESH_SECONDS": 0.3}
    ann = await ann_of(watched)
    tab = await watched.tab(notes(), ann)
    await watched.workers.run(lambda: [write(str(number)) for number in range(50)])
    await until(lambda: len(texts(tab.session)) == 50)
    assert len(tab.events()) <= 4


def test_what_is_followed():
    from apps_registry.datasets.permitted import followed

    labels = {model._meta.label for model in followed()}
    assert {"logbook.Note", "logbook.Membership", "logbook.LongNote", "logbook.Forgotten"} <= labels
    assert "logbook.Open" not in labels
    assert issubclass(NoteQuerySet, PermittedQuerySet)
