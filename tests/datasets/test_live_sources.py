"""Sources that follow what is published, and go when the right does."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pyarrow as pa
import pytest
from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, Div
from django.contrib.auth.models import Group
from django.db import OperationalError

from apps_registry.data import NO_LONGER_VISIBLE, MayNotSee, open_dataset
from apps_registry.datasets import selection, shown
from apps_registry.datasets.managing import delete
from apps_registry.datasets.shown import Shown
from apps_registry.exceptions import DataLost
from apps_registry.live.session import Session
from apps_registry.models import Dataset, DatasetGrant

from .published import SALES, change, grant, publisher, put, user
from .watching import Watching, until

MORE = SALES.slice(0, 2)  # EU and US


def live(**options: Any):
    """Fills a document with one live source."""
    return lambda document: document.add_root(open_dataset("sales").source(**{"live": True, **options}))


def source_of(session: Session) -> ColumnDataSource:
    return session.document.roots[0]


def regions(session: Session) -> list[str]:
    return list(source_of(session).data["region"])


def kinds(patches: list[list[dict[str, Any]]]) -> list[list[str]]:
    """What the events of each patch are."""
    return [[event.get("attr") or event["kind"] for event in patch] for patch in patches]


def told(patches: list[list[dict[str, Any]]]) -> list[str]:
    """What viewers were told."""
    events = [event for patch in patches for event in patch]
    return [event["msg_data"] for event in events if event["kind"] == "MessageSent"]


async def seen_by(watched: Watching, *names: str, **values: Any) -> list[Any]:
    """Publish sales, and make users who may see it."""
    return await watched.workers.run(lambda: (put(**values), [user(name) for name in names])[1])


# New versions


async def test_a_new_version_comes_as_one_patch(watched: Watching):
    [ann] = await seen_by(watched, "ann")

    def build(document):
        sales = open_dataset("sales")
        document.add_root(sales.source(live=True))
        document.add_root(sales.source(columns=["price"], live=True))

    tab = await watched.tab(build, ann)
    await watched.do(put, table=SALES.slice(1, 2))
    assert kinds(tab.events()) == [["data", "data"]]
    assert [list(root.data["price"]) for root in tab.session.document.roots] == [[2.0, 3.25]] * 2


async def test_rows_that_were_added_come_alone(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    await watched.do(put, table=MORE, append=True)
    [[event]] = tab.events()
    assert event["kind"] == "ColumnsStreamed"
    assert dict(event["data"]["entries"])["region"]["array"] == ["EU", "US"]
    assert regions(tab.session) == ["EU", "US", "EU", "Asia", None, "EU", "US"]


async def test_only_rows_of_the_condition_come(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(where={"region": "US"}), ann)
    await watched.do(put, table=MORE, append=True)
    assert regions(tab.session) == ["US", "US"]
    tab.read()
    await watched.do(put, table=SALES.slice(0, 1), append=True)
    assert tab.events() == []
    await watched.do(put, table=MORE)
    assert regions(tab.session) == ["US"]


async def test_rows_of_another_kind_come_as_a_whole(watched: Watching):
    [ann] = await seen_by(watched, "ann", table=pa.table({"count": [1, 2]}))
    tab = await watched.tab(live(), ann)
    await watched.do(put, table=pa.table({"count": [2**40]}), append=True)
    assert kinds(tab.events()) == [["data"]]
    assert source_of(tab.session).data["count"].tolist() == [1, 2, 2**40]


async def test_what_app_code_has_put_into_the_source_is_replaced(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    source = source_of(tab.session)
    await tab.session.run(lambda: source.data.update(region=["mine"] * 5))
    tab.read()
    await watched.do(put, table=MORE, append=True)
    assert kinds(tab.events()) == [["data"]]
    assert len(regions(tab.session)) == 7


async def test_who_sees_the_same_shares_it(watched: Watching, monkeypatch: pytest.MonkeyPatch):
    made: list[object] = []

    class Counted(selection.Selection):
        def __init__(self, *args: Any) -> None:
            made.append(args)
            super().__init__(*args)

    monkeypatch.setattr(selection, "Selection", Counted)
    users = await seen_by(watched, *"abcdef")
    sessions = [await watched.open(live(where={"region": "EU"}), user) for user in users]
    assert len(made) == 1
    await watched.do(put, table=MORE)
    assert len(made) == 2
    arrays = {id(source_of(session).data["price"]) for session in sessions}
    assert len(arrays) == 1


async def test_bursts_come_together(watched: Watching, settings: Any):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_REFRESH_SECONDS": 0.5}
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    loop = asyncio.get_running_loop()
    await watched.do(put, table=MORE, append=True)
    assert len(tab.events()) == 1
    first = loop.time()
    for _ in range(4):
        await watched.do(put, table=MORE, append=True)
    assert len(regions(tab.session)) < 15
    await until(lambda: len(regions(tab.session)) == 15)
    assert loop.time() - first > 0.3
    await watched.settled()
    assert len(tab.events()) <= 1 + (loop.time() - first) / 0.5


async def test_a_source_that_is_not_live_stays_as_it_is(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(live=False), ann)
    await watched.do(put, table=MORE)
    assert len(regions(tab.session)) == 5
    assert tab.events() == []


async def test_a_column_that_is_gone_fails_for_its_source_alone(watched: Watching):
    [ann] = await seen_by(watched, "ann")

    def build(document):
        sales = open_dataset("sales")
        document.add_root(sales.source(columns=["price"], live=True))
        document.add_root(sales.source(columns=["region"], live=True))

    failures: list[BaseException] = []
    session = await watched.open(build, ann)
    session._on_error = lambda app, reference, error: failures.append(error)
    await watched.do(put, table=MORE.select(["region"]))
    assert len(source_of(session).data["price"]) == 5
    assert list(session.document.roots[1].data["region"]) == ["EU", "US"]
    assert "There is no column 'price'; there are region." in str(failures[0])


# Callbacks


async def test_callbacks_run_in_the_turn_of_the_new_rows(watched: Watching):
    [ann] = await seen_by(watched, "ann")

    def build(document):
        sales = open_dataset("sales")
        text = Div(text="")
        document.add_root(sales.source(live=True))
        document.add_root(text)

        def update():
            text.text += f"{sales.version.number}: {len(sales.to_pandas())} "
            assert curdoc() is document

        async def later():
            await asyncio.sleep(0)
            text.text += "awaited"

        sales.on_update(update)
        sales.on_update(lambda: 1 / 0)
        sales.on_update(later)

    failures: list[BaseException] = []
    tab = await watched.tab(build, ann)
    tab.session._on_error = lambda app, reference, error: failures.append(error)
    await watched.do(put, table=MORE)
    assert tab.session.document.roots[1].text == "2: 2 awaited"
    assert kinds(tab.events()) == [["data", "text", "text"]]
    assert [type(error) for error in failures] == [ZeroDivisionError]


async def test_a_data_set_without_callbacks_stays_at_its_version(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    opened = []
    session = await watched.open(lambda document: opened.append(open_dataset("sales")), ann)
    await watched.do(put, table=MORE)
    version = await session.run(lambda: (opened[0].version.number, len(opened[0].to_arrow())))
    assert version == (1, 5)


# Rights


def leave(name: str, group: str) -> None:
    user(name).groups.remove(Group.objects.get(name=group))


WAYS = {
    "the grant goes": lambda: DatasetGrant.objects.filter(user__username="ann").delete(),
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
    if way in ("the grant goes", "the user is switched off", "the user is deleted"):
        put(access="grant")
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
    assert kinds(patches)[0] == ["data", "indices", "tags"]
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
    assert kinds(patches) == [["data"]]
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
    prepared, go_on = threading.Event(), threading.Event()
    refresh = Shown.refresh

    def held_up(self: Shown, round: Any) -> Any:
        change = refresh(self, round)
        prepared.set()
        assert go_on.wait(10)
        return change

    monkeypatch.setattr(Shown, "refresh", held_up)
    await watched.workers.run(lambda: put(table=MORE))
    await until(prepared.is_set)
    await watched.workers.run(lambda: change("sales", access="grant"))
    await until(lambda: regions(tab.session) == [])
    go_on.set()
    await watched.settled()
    assert regions(tab.session) == []
    assert NO_LONGER_VISIBLE in source_of(tab.session).tags


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
    await watched.following.recheck()
    await watched.settled()
    assert regions(tab.session) == []


async def test_when_the_database_fails_it_is_asked_again(watched: Watching, monkeypatch: pytest.MonkeyPatch):
    from apps_registry.datasets import asking, following

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


async def test_what_cannot_be_shown_leaves_the_rest_as_it_is(
    watched: Watching, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    [ann] = await seen_by(watched, "ann")
    broken, good = await watched.tab(live(), ann), await watched.tab(live(where={"region": "EU"}), ann)
    select = shown.selection

    def fails_for_all_rows(copy: Any, wanted: Any, filters: Any) -> Any:
        if wanted.where is None:
            raise DataLost
        return select(copy, wanted, filters)

    monkeypatch.setattr(shown, "selection", fails_for_all_rows)
    await watched.do(put, table=MORE)
    assert (len(regions(broken.session)), regions(good.session)) == (5, ["EU"])
    assert "could not be brought up to date" in caplog.text


# What is left behind


async def test_followers_go_with_their_sources(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    opened = []

    def build(document):
        sales = open_dataset("sales")
        opened.append(weakref.ref(sales._shown))
        document.add_root(sales.source(live=True))
        open_dataset("sales").to_pandas()

    session = (await watched.tab(build, ann)).session
    follows = session.attachments["data"]
    assert [*map(id, follows.all())] == [id(opened[0]())]
    await session.run(session.document.clear)
    # Models of Bokeh are circles
    gc.collect()
    assert follows.all() == []
    assert opened[0]() is None


async def test_many_sessions_leave_nothing(watched: Watching):
    # No other test has arrays of this
    table = SALES.slice(1)
    users = await seen_by(watched, *(f"user{number}" for number in range(10)), table=table)
    seen: list[weakref.ref[Any]] = []

    def build(document):
        sales = open_dataset("sales")
        sales.on_update(lambda: document.title)
        source = sales.source(live=True)
        document.add_root(source)
        seen.extend(map(weakref.ref, (sales, sales._shown, source, document)))

    for number in range(200):
        await watched.open(build, users[number % len(users)])
    seen.extend(map(weakref.ref, watched.sessions))
    arrays = [weakref.ref(source_of(watched.sessions[0]).data["price"])]
    await watched.do(put, table=MORE, append=True)
    assert {len(source_of(session).data["price"]) for session in watched.sessions} == {6}
    arrays.append(weakref.ref(source_of(watched.sessions[0]).data["price"]))
    await watched.close_sessions()
    assert len(seen) == 1000
    assert [ref for ref in seen if ref() is not None] == []
    await until(lambda: all(ref() is None for ref in arrays))
