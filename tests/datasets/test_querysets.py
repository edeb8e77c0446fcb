"""Rows of a site's own models in sources: those that the user may see, as they are now."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext, isolate_apps

from apps_registry import relay
from apps_registry.data import PermittedQuerySet, QuerysetPages, queryset_pages, queryset_source, tell
from apps_registry.datasets import permitted, querysets
from apps_registry.exceptions import UserNeeded
from apps_registry.live.session import Session
from apps_registry.model_changes import MOST_ROWS

from .logbook.models import Forgotten, LongNote, Membership, Note, NoteQuerySet, Open, Shout
from .published import user
from .watching import HeldUp, Watching, kinds, source_of, until

FIELDS = ["text", "number"]


def notes(**options: Any):
    """Fills a document with one source of notes."""
    return lambda document: document.add_root(queryset_source(Note.objects, FIELDS, **options))


def texts(session: Session) -> list[str]:
    return list(source_of(session).data["text"])


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


@isolate_apps("tests.datasets.logbook")
def test_rows_that_are_known_by_several_columns_are_refused():
    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row, number = models.IntegerField(), models.IntegerField()
        objects = NoteQuerySet.as_manager()

        class Meta:
            app_label = "logbook"

        def __str__(self) -> str:
            return str(self.number)

    with pytest.raises(TypeError, match="several columns"):
        queryset_source(Seat.objects, ["number"], live=False, user=None)


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


async def test_notices_that_come_together_are_all_noted(watched: Watching):
    ann = await ann_of(watched, "a")
    session = await watched.open(notes(), ann)
    # As by another process: the first row is none of hers
    owners = [await watched.workers.run(lambda: user("bob")), ann]
    made = await watched.workers.run(
        lambda: Note._base_manager.bulk_create(Note(owner=owner, text=str(owner)) for owner in owners)
    )
    await watched.hear(*(("model", {"model": "logbook.note", "pks": [str(note.pk)]}) for note in made))
    assert texts(session) == ["a", "ann"]


async def test_rows_stay_whole_when_a_callback_fails(watched: Watching):
    ann = await ann_of(watched, *"abcd")
    failures: list[BaseException] = []

    def fail_once(attr: str, old: Any, new: Any) -> None:
        if not failures:
            raise ValueError("of the app")

    session = await watched.open(notes(), ann)
    session._on_error = lambda app, reference, error: failures.append(error)
    source_of(session).on_change("data", fail_once)

    @transaction.atomic
    def patch_and_stream() -> None:
        set_values("a", text="A")
        write("e")

    await watched.do(patch_and_stream)
    assert len(failures) == 1
    assert {len(column) for column in source_of(session).data.values()} == {5}
    await watched.do(write, "f")
    assert texts(session) == [*"Abcdef"]


async def test_rows_that_could_not_be_read_come_with_the_next_change(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    def fail(*args: Any) -> Any:
        raise OSError("It does not answer.")

    session = await watched.open(notes(), await ann_of(watched, "a"))
    with monkeypatch.context() as patch:
        patch.setattr(querysets._Query, "read", fail)
        await watched.do(write, "b")
    assert texts(session) == ["a"]
    # Even if that is none that she sees
    await watched.do(write, "bobs", owner="bob")
    assert texts(session) == ["a", "b"]


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


async def test_rows_of_children_go_with_what_their_parents_say(watched: Watching):
    def prepare() -> Any:
        LongNote.objects.create(owner=user("ann"), text="long", more="...")
        return user("ann")

    def build(document: Any) -> None:
        document.add_root(queryset_source(LongNote.objects, ["text", "more"]))

    session = await watched.open(build, await watched.workers.run(prepare))
    assert texts(session) == ["long"]
    await watched.do(set_values, "long", owner=await watched.workers.run(lambda: user("bob")))
    assert texts(session) == []


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
        await watched.recheck()
    assert set(texts(tab.session)) == {"a", "t"} - gone


async def test_rows_go_with_a_right_that_is_told_of_with_other_changes(watched: Watching):
    def prepare() -> tuple[Any, Note]:
        Membership.objects.create(user=user("bob"), team="red")
        write("t", team="red")
        return user("bob"), *write("anns")

    bob, other = await watched.workers.run(prepare)
    session = await watched.open(notes(), bob)
    assert texts(session) == ["t"]
    # As by another process
    await watched.workers.run(lambda: Membership._base_manager.all()._raw_delete("default"))
    await watched.hear(
        ("model", {"model": "logbook.note", "pks": [str(other.pk)]}),
        ("model", {"model": "logbook.membership", "pks": None}),
    )
    assert texts(session) == []


async def test_rows_that_were_read_before_a_right_went_are_not_shown(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    def prepare() -> Any:
        write("bobs", owner="bob")
        return Membership.objects.create(user=user("bob"), team="red").user

    tab = await watched.tab(notes(), await watched.workers.run(prepare))
    held_up = HeldUp(monkeypatch, querysets.ShownRows, "refresh")
    await watched.workers.run(lambda: write("t", team="red"))
    await held_up.given()
    await watched.tell(Membership.objects.all().delete)
    held_up.go_on()
    await watched.quiet()
    assert texts(tab.session) == ["bobs"]
    assert tab.events() == []


async def test_rows_of_all_sources_go_at_once_though_a_callback_fails(watched: Watching):
    def fail_without_rows(attr: str, old: Any, new: Any) -> None:
        new["text"][0]

    def build(document: Any) -> None:
        for _ in range(2):
            notes()(document)
            document.roots[-1].on_change("data", fail_without_rows)

    tab = await watched.tab(build, await ann_of(watched, "a"))
    await watched.do(off, "ann")
    assert [source_of(tab.session, number).data["text"] for number in range(2)] == [[], []]
    assert kinds(tab.events()) == [["ColumnDataChanged"] * 2]


@pytest.mark.parametrize("other", ["logbook.Shout", "logbook.LongNote"])
async def test_rows_may_depend_on_proxies_and_children(watched: Watching, other: str):
    class Rows(PermittedQuerySet[Membership]):
        depends_on = (other,)

        def visible_to(self, user: Any) -> Any:
            return self.filter(team__in=Note._base_manager.values("text"))

    def prepare() -> Any:
        write("red")
        return Membership.objects.create(user=user("bob"), team="red").user

    def build(document: Any) -> None:
        document.add_root(queryset_source(Rows(Membership), {"text": "team"}))

    session = await watched.open(build, await watched.workers.run(prepare))
    assert texts(session) == ["red"]
    await watched.do(set_values, "red", text="blue")
    assert texts(session) == []


BY_GROUP = {
    "the group is deleted": lambda bob: bob.groups.get().delete(),
    "the group has another name": lambda bob: rename(bob.groups.get()),
    "a permission of the group goes": lambda bob: bob.groups.get().permissions.clear(),
    "a permission of the user goes": lambda bob: bob.user_permissions.clear(),
}


def rename(group: Group) -> None:
    group.name = "blue"
    group.save()


@pytest.mark.parametrize("way", BY_GROUP)
async def test_rows_go_with_groups_and_permissions(
    watched: Watching, monkeypatch: pytest.MonkeyPatch, way: str
):
    def visible_to(self: NoteQuerySet, user: Any) -> NoteQuerySet:
        teams = user.groups.values("name") if user.has_perm("logbook.view_note") else []
        return self.filter(team__in=teams)

    def prepare() -> Any:
        write("t", team="red")
        bob = user("bob", "red")
        permissions = bob.user_permissions if "user" in way else bob.groups.get().permissions
        permissions.add(Permission.objects.get(codename="view_note"))
        return user("bob")

    monkeypatch.setattr(NoteQuerySet, "visible_to", visible_to)
    bob = await watched.workers.run(prepare)
    session = await watched.open(notes(), bob)
    assert texts(session) == ["t"]
    await watched.do(BY_GROUP[way], bob)
    assert texts(session) == []


@pytest.mark.parametrize("is_live", [True, False])
async def test_rows_go_when_it_cannot_be_said_who_sees_them(
    watched: Watching, monkeypatch: pytest.MonkeyPatch, is_live: bool
):
    def visible_to(self: NoteQuerySet, user: Any) -> NoteQuerySet:
        # Fails for who is in no team
        return self.filter(team=Membership.objects.get(user=user).team)

    def prepare() -> Any:
        write("t", team="red")
        return Membership.objects.create(user=user("bob"), team="red").user

    monkeypatch.setattr(NoteQuerySet, "visible_to", visible_to)
    session = await watched.open(notes(live=is_live), await watched.workers.run(prepare))
    assert texts(session) == ["t"]
    await watched.do(Membership.objects.all().delete)
    assert texts(session) == []


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


async def open_pages(watched: Watching, user: Any, **options: Any) -> tuple[Session, QuerysetPages]:
    """A session with pages of three notes."""
    shown: list[QuerysetPages] = []

    def build(document: Any) -> None:
        shown.append(queryset_pages(Note.objects, ["text"], size=3, **options))
        document.add_root(shown[0].source)

    return await watched.open(build, user), shown[0]


async def test_pages(watched: Watching):
    session, pages = await open_pages(watched, await ann_of(watched, *"abcdefg"))
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


async def test_a_page_that_is_turned_while_another_is_refreshed_stays(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    session, pages = await open_pages(watched, await ann_of(watched, *"abcdef"))
    held_up = HeldUp(monkeypatch, querysets.ShownRows, "refresh")
    await watched.workers.run(lambda: set_values("a", text="A"))
    await held_up.given()
    await session.run(lambda: pages.page(1))
    held_up.go_on()
    await watched.quiet()
    assert (pages.number, texts(session)) == (1, [*"def"])


def write_with_one_of_eve(text: str) -> Any:
    """Six notes, all of ann's but one, which she sees as one of a team."""
    for letter in "abcdef":
        write(letter, owner="eve" if letter == text else "ann", team="red" if letter == text else "")
    return Membership.objects.create(user=user("ann"), team="red").user


async def test_a_page_that_is_turned_while_rights_are_asked_keeps_its_rows(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    ann = await watched.workers.run(lambda: write_with_one_of_eve("a"))
    session, pages = await open_pages(watched, ann, live=False)
    held_up = HeldUp(monkeypatch, querysets.ShownRows, "look")
    await watched.workers.run(Membership.objects.all().delete)
    await held_up.given()
    await session.run(lambda: pages.page(1))
    held_up.go_on()
    await watched.quiet()
    assert texts(session) == ["e", "f"]


async def test_a_right_that_goes_while_a_page_is_turned_is_gone(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    ann = await watched.workers.run(lambda: write_with_one_of_eve("e"))
    session, pages = await open_pages(watched, ann, live=False)
    read = querysets._Query.read

    def read_and_take_the_right(*args: Any) -> Any:
        monkeypatch.setattr(querysets._Query, "read", read)
        rows = read(*args)
        watched.do_meanwhile(Membership.objects.all().delete)
        return rows

    monkeypatch.setattr(querysets._Query, "read", read_and_take_the_right)
    await session.run(lambda: pages.page(1))
    await watched.quiet()
    assert texts(session) == ["d", "f"]


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


def test_what_is_followed(monkeypatch: pytest.MonkeyPatch):
    labels = {model._meta.label for model in permitted.followed()}
    assert {"logbook.Note", "logbook.Membership", "logbook.LongNote", "logbook.Forgotten"} <= labels
    assert "logbook.Open" not in labels
    assert issubclass(NoteQuerySet, PermittedQuerySet)
    # Parents too, as they hold a part of the rows
    monkeypatch.setattr(permitted, "_kinds", lambda model: [NoteQuerySet] if model is LongNote else [])
    assert set(permitted.followed()) == {LongNote, Note, Membership}
