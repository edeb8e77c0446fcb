"""Sources that follow what is published."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pyarrow as pa
import pytest
from bokeh.io import curdoc
from bokeh.models import Div
from django.contrib.auth.models import Group

from apps_registry import changes
from apps_registry.data import open_dataset
from apps_registry.datasets import selection, shown
from apps_registry.exceptions import DataLost

from .published import MORE, SALES, put, user
from .watching import Watching, kinds, live, regions, seen_by, source_of, until

# New versions


async def test_a_new_version_comes_as_one_patch(watched: Watching):
    [ann] = await seen_by(watched, "ann")

    def build(document):
        sales = open_dataset("sales")
        document.add_root(sales.source(live=True))
        document.add_root(sales.source(columns=["price"], live=True))

    tab = await watched.tab(build, ann)
    await watched.do(put, table=SALES.slice(1, 2))
    assert kinds(tab.events()) == [["ColumnDataChanged", "ColumnDataChanged"]]
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
    assert kinds(tab.events()) == [["ColumnDataChanged"]]
    assert source_of(tab.session).data["count"].tolist() == [1, 2, 2**40]


async def test_what_app_code_has_put_into_the_source_is_replaced(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    tab = await watched.tab(live(), ann)
    source = source_of(tab.session)
    await tab.session.run(lambda: source.data.update(region=["mine"] * 5))
    tab.read()
    await watched.do(put, table=MORE, append=True)
    assert kinds(tab.events()) == [["ColumnDataChanged"]]
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
    await until(lambda: len(regions(tab.session)) == 15)
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


async def test_rows_that_a_new_right_adds_come_in_their_places(watched: Watching):
    def prepare() -> Any:
        put(row_rule="groups", row_column="region")
        Group.objects.create(name="US")
        return user("bob", "EU")

    bob = await watched.workers.run(prepare)
    tab = await watched.tab(live(), bob)
    await watched.do(lambda: bob.groups.add(Group.objects.get(name="US")))
    assert regions(tab.session) == ["EU", "US", "EU"]
    # Nothing was added at the end of what the tab has
    assert kinds(tab.events()) == [["ColumnDataChanged"]]


def publish_untold(*names: str) -> None:
    """Publish two rows, and have nobody hear of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "publish", lambda kind, **data: None)
        for name in names:
            put(name, table=MORE)


async def test_a_version_of_which_nobody_was_told_comes_by_the_clock(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    session = await watched.open(live(), ann)
    await watched.workers.run(lambda: publish_untold("sales"))
    assert len(regions(session)) == 5
    await watched.recheck()
    assert regions(session) == ["EU", "US"]


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
    # It is tried again by the clock
    monkeypatch.setattr(shown, "selection", select)
    await watched.recheck()
    assert regions(broken.session) == ["EU", "US"]


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
    assert kinds(tab.events()) == [["ColumnDataChanged", "text", "text"]]
    assert [type(error) for error in failures] == [ZeroDivisionError]


async def test_a_callback_on_a_source_that_fails_keeps_nothing_from_the_others(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    await watched.workers.run(lambda: put("costs"))

    def build(document):
        for name in ("sales", "costs"):
            source = open_dataset(name).source(live=True)
            document.add_root(source)
            # The app counts on five rows
            source.on_change("data", lambda attr, old, new: new["price"][4])

    failures: list[BaseException] = []
    tab = await watched.tab(build, ann)
    tab.session._on_error = lambda app, reference, error: failures.append(error)
    await watched.workers.run(lambda: publish_untold("sales", "costs"))
    await watched.recheck()
    assert [regions(tab.session, number) for number in range(2)] == [["EU", "US"]] * 2
    assert kinds(tab.events()) == [["ColumnDataChanged", "ColumnDataChanged"]]
    assert len(failures) == 1


async def test_a_data_set_without_callbacks_stays_at_its_version(watched: Watching):
    [ann] = await seen_by(watched, "ann")
    opened = []
    session = await watched.open(lambda document: opened.append(open_dataset("sales")), ann)
    await watched.do(put, table=MORE)
    version = await session.run(lambda: (opened[0].version.number, len(opened[0].to_arrow())))
    assert version == (1, 5)


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
