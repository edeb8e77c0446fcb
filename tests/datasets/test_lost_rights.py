"""What sessions show goes when the right to see it does."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div
from django.contrib.auth.models import Group
from django.db import OperationalError

from apps_registry.data import NO_LONGER_VISIBLE, MayNotSee, open_dataset
from apps_registry.datasets import asking, copies, following, shown
from apps_registry.datasets.managing import delete
from apps_registry.datasets.shown import Shown
from apps_registry.exceptions import DataLost
from apps_registry.models import Dataset, DatasetGrant

from .published import MORE, SALES, change, grant, publisher, put, user
from .watching import HeldUp, Watching, kinds, live, regions, seen_by, source_of, until


def told(patches: list[list[dict[str, Any]]]) -> list[str]:
    """What viewers were told."""
    events = [event for patch in patches for event in patch]
    return [event["msg_data"] for event in events if event["kind"] == "MessageSent"]


# Ways


def leave(name: str, group: str) -> None:
    user(name).groups.remove(Group.objects.get(name=group))


WAYS = {
    "the grant goes": lambda: DatasetGrant.objects.filter(user__username="ann").delete(),
    "the grant is moved": lambda: move_grant("bob"),
    "the group is left": lambda: leave("bob", "EU"),
    "the access is narrowed": lambda: change("sales", access="grant"),
    "the rule is changed": lambda: change("sales", row_rule="groups", row_column="price"),
    "a rule is made": lambda: change("sales", row_rule="username", row_column="region"),
    "the data set is deleted": lambda: delete(Dataset.objects.get(name="sales"), publisher()),
    "the user is switched off": lambda: switch_off("bob"),
    "the user is deleted": lambda: user("bob").delete(),
    "the group is deleted": lambda: Group.objects.get(name="EU").delete(),
    "the group has another name": lambda: rename("EU"),
}


def move_grant(name: str) -> None:
    given = DatasetGrant.objects.get(user__username=name)
    given.dataset = Dataset.objects.get(name="costs")
    given.save()


def switch_off(name: str) -> None:
    person = user(name)
    person.is_active = False
    person.save()


def rename(name: str) -> None:
    group = Group.objects.get(name=name)
    group.name = "other"
    group.save()


def prepare_rights(way: str) -> Any:
    """Publish sales so that the right to it depends on what goes ``way``."""
    if way in ("the grant goes", "the grant is moved", "the user is switched off", "the user is deleted"):
        put(access="grant")
        put("costs")
        grant("sales", user("ann"))
        grant("sales", user("bob"))
    elif "group" in way:
        put(row_rule="groups", row_column="region")
        user("bob", "EU")
    else:
        put()
    return user("ann" if way == "the grant goes" else "bob")


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("way", WAYS)
async def test_a_lost_right_empties_the_source(watched: Watching, way: str, is_live: bool):
    person = await watched.workers.run(lambda: prepare_rights(way))
    tab = await watched.tab(live(live=is_live), person)
    source = source_of(tab.session)
    assert "EU" in regions(tab.session)
    await tab.session.run(lambda: setattr(source.selected, "indices", [0]))
    tab.read()
    await watched.do(WAYS[way])
    patches = tab.events()
    assert {name: len(column) for name, column in source.data.items()} == {
        "region": 0,
        "price": 0,
        "count": 0,
    }
    assert source.tags == [NO_LONGER_VISIBLE]
    assert source.selected.indices == []
    assert kinds(patches)[0] == ["ColumnDataChanged", "indices", "tags"]
    assert told(patches) == ["You may no longer see 'sales'."]
    # Nothing comes back, and nobody is told again
    await watched.following.heard([("dataset", {"dataset": "sales"}), ("data_rights", {"dataset": "sales"})])
    await watched.settled()
    assert [len(column) for column in source.data.values()] == [0, 0, 0]
    assert tab.events() == []


async def test_what_is_left_of_a_right_stays(watched: Watching):
    bob = await watched.workers.run(
        lambda: (put(row_rule="groups", row_column="region"), user("bob", "EU", "US"))[1]
    )
    tab = await watched.tab(live(), bob)
    assert regions(tab.session) == ["EU", "US", "EU"]
    await watched.do(leave, "bob", "US")
    assert regions(tab.session) == ["EU", "EU"]
    patches = tab.events()
    assert kinds(patches) == [["ColumnDataChanged"]]
    assert source_of(tab.session).tags == []


async def test_a_right_that_is_given_back_fills_the_source_again(watched: Watching):
    [ann] = await seen_by(watched, "ann", access="grant")
    given = await watched.workers.run(lambda: grant("sales", ann))
    tab = await watched.tab(live(), ann)
    await watched.do(given.delete)
    assert regions(tab.session) == []
    await watched.do(grant, "sales", ann)
    await until(lambda: len(regions(tab.session)) == 5)
    assert source_of(tab.session).tags == []


async def test_app_code_hears_of_fewer_rows_though_it_has_read_since(watched: Watching):
    bob = await watched.workers.run(
        lambda: (put(row_rule="groups", row_column="region"), user("bob", "EU", "US"))[1]
    )
    opened = []

    def build(document):
        sales = open_dataset("sales")
        opened.append(sales)
        text = Div()
        document.add_root(text)

        def show():
            text.text = " ".join(sales.to_pandas()["region"])

        sales.on_update(show)
        show()

    session = await watched.open(build, bob)
    assert session.document.roots[0].text == "EU US EU"
    # As by another process, of which word comes later
    memberships = type(bob).groups.through._base_manager
    await watched.workers.run(lambda: memberships.filter(group__name="US")._raw_delete("default"))
    assert await session.run(lambda: len(opened[0].to_pandas())) == 2
    await watched.hear(("user", {"user": str(bob.pk)}))
    assert session.document.roots[0].text == "EU EU"


async def test_others_keep_theirs(watched: Watching):
    [ann, bob] = await seen_by(watched, "ann", "bob", access="grant")
    await watched.workers.run(lambda: [grant("sales", person) for person in (ann, bob)])
    anns, bobs = await watched.tab(live(), ann), await watched.tab(live(), bob)
    await watched.do(DatasetGrant.objects.filter(user=ann).delete)
    assert (len(regions(anns.session)), len(regions(bobs.session))) == (0, 5)
    assert bobs.events() == []


async def test_app_code_hears_of_a_lost_right(watched: Watching):
    [ann] = await seen_by(watched, "ann")

    def build(document):
        sales = open_dataset("sales")
        text = Div(text=str(len(sales.to_pandas())))
        document.add_root(text)

        def lost():
            with pytest.raises(MayNotSee):
                sales.to_pandas()
            text.text = "nothing"

        sales.on_lost(lost)

    tab = await watched.tab(build, ann)
    await watched.do(change, "sales", access="grant")
    patches = tab.events()
    assert kinds(patches)[0] == ["text"]
    assert told(patches) == ["You may no longer see 'sales'."]
    assert tab.session.document.roots[0].text == "nothing"


async def test_what_was_under_way_when_the_right_went_is_not_shown(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    held_up = HeldUp(monkeypatch, Shown, "refresh")
    await watched.workers.run(lambda: put(table=MORE))
    await held_up.given()
    await watched.tell(change, "sales", access="grant")
    await until(lambda: regions(tab.session) == [])
    held_up.go_on()
    await watched.quiet()
    assert regions(tab.session) == []
    assert NO_LONGER_VISIBLE in source_of(tab.session).tags


async def test_what_was_under_way_for_many_is_shown_to_none(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    await watched.workers.run(lambda: put(access="public"))
    # More than are asked about in one go
    sessions = [await watched.open(live()) for _ in range(25)]
    held_up = HeldUp(monkeypatch, Shown, "refresh")
    await watched.workers.run(lambda: put(table=MORE))
    await held_up.given()
    await watched.tell(change, "sales", access="grant")
    held_up.go_on()
    await watched.quiet()
    assert [regions(session) for session in sessions] == [[]] * 25


async def test_a_right_that_goes_again_while_it_is_given_back_is_gone(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    [ann] = await seen_by(watched, "ann")
    session = await watched.open(live(), ann)
    await watched.do(change, "sales", access="grant")
    held_up = HeldUp(monkeypatch, Shown, "refresh")
    await watched.workers.run(lambda: change("sales", access="login"))
    await held_up.given()
    await watched.tell(change, "sales", access="grant")
    held_up.go_on()
    await watched.quiet()
    assert regions(session) == []


async def test_a_source_that_was_made_between_two_losses_is_emptied(watched: Watching, settings: Any):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_REFRESH_SECONDS": 3600}
    [ann] = await seen_by(watched, "ann")
    opened = []

    def build(document):
        opened.append(open_dataset("sales"))
        document.add_root(opened[0].source(live=True))

    session = await watched.open(build, ann)
    # From here on, nothing new is shown for an hour
    await watched.do(put)
    await watched.do(change, "sales", access="grant")
    await watched.do(change, "sales", access="login")
    await session.run(lambda: session.document.add_root(opened[0].source()))
    assert (len(regions(session)), len(regions(session, 1))) == (0, 5)
    await watched.do(change, "sales", access="grant")
    assert (regions(session), regions(session, 1)) == ([], [])


async def test_a_right_that_goes_while_a_data_set_is_opened_is_gone(
    watched: Watching, monkeypatch: pytest.MonkeyPatch
):
    [ann] = await seen_by(watched, "ann")
    ask, refused = shown.view, []

    def ask_and_take_the_right(*args: Any) -> Any:
        monkeypatch.setattr(shown, "view", ask)
        seen = ask(*args)
        watched.do_meanwhile(change, "sales", access="grant")
        return seen

    def build(document):
        monkeypatch.setattr(shown, "view", ask_and_take_the_right)
        with pytest.raises(MayNotSee) as caught:
            open_dataset("sales")
        refused.append(str(caught.value))

    await watched.open(build, ann)
    assert refused == ["You may not see 'sales'."]


async def test_a_right_that_goes_while_the_app_starts_empties_its_source(watched: Watching):
    [ann] = await seen_by(watched, "ann")

    def build(document):
        sales = open_dataset("sales")
        heard = watched.heard
        change("sales", access="grant")
        while watched.heard == heard:
            threading.Event().wait(0.01)
        with pytest.raises(MayNotSee):
            sales.source(live=True)
        change("sales", access="login")
        document.add_root(sales.source(live=True))
        change("sales", access="grant")

    session = await watched.open(build, ann)
    await until(lambda: regions(session) == [])


async def test_rights_are_looked_at_by_the_clock_too(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    # Nobody is told of this
    await watched.workers.run(lambda: Dataset.objects.update(access="grant"))
    await watched.recheck()
    assert regions(tab.session) == []


# Failures


async def test_when_the_database_fails_it_is_asked_again(watched: Watching, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(following, "_RETRY_SECONDS", 0.05)
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    ask, asked = asking.view, []

    def fails_once(*args: Any) -> Any:
        asked.append(args)
        if len(asked) == 1:
            raise OperationalError("no database")
        return ask(*args)

    monkeypatch.setattr(asking, "view", fails_once)
    await watched.workers.run(lambda: change("sales", access="grant"))
    await until(lambda: regions(tab.session) == [])
    assert len(asked) > 1


@pytest.mark.parametrize("error", [DataLost(), OSError("The storage does not answer.")])
async def test_what_cannot_be_looked_at_is_taken_away(
    watched: Watching, folders: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(version: Any) -> Any:
        raise error

    # No other test has columns of this
    [ann] = await seen_by(watched, "ann", table=SALES.slice(2))
    session = await watched.open(live(columns=["price"], live=False), ann)
    shutil.rmtree(folders, ignore_errors=True)
    monkeypatch.setattr(copies, "_fetched", fail)
    # Who sees which rows is in a column that nobody has asked for
    await watched.do(change, "sales", row_rule="username", row_column="region")
    assert len(source_of(session).data["price"]) == 0
    assert source_of(session).tags == [NO_LONGER_VISIBLE]


async def test_callbacks_that_fail_leave_no_rows(watched: Watching):
    def prepare() -> Any:
        ann = user("ann", "team")
        for name in ("sales", "costs"):
            put(name, access="grant")
            grant(name, ann.groups.get())
        return ann

    def build(document):
        sales, costs = open_dataset("sales"), open_dataset("costs")
        for source in (sales.source(live=True), sales.source(), costs.source(live=True)):
            document.add_root(source)
            # The app counts on one row at least
            source.on_change("data", lambda attr, old, new: new["price"][0])

    failures: list[BaseException] = []
    tab = await watched.tab(build, await watched.workers.run(prepare))
    tab.session._on_error = lambda app, reference, error: failures.append(error)
    await tab.session.run(lambda: setattr(source_of(tab.session).selected, "indices", [0]))
    tab.read()
    await watched.do(leave, "ann", "team")
    assert source_of(tab.session).selected.indices == []
    assert [regions(tab.session, number) for number in range(3)] == [[]] * 3
    assert [source_of(tab.session, number).tags for number in range(3)] == [[NO_LONGER_VISIBLE]] * 3
    patches = tab.events()
    assert sorted(kinds(patches)[0]) == ["ColumnDataChanged"] * 3 + ["indices"] + ["tags"] * 3
    assert sorted(told(patches)) == ["You may no longer see 'costs'.", "You may no longer see 'sales'."]
    assert len(failures) == 1
