"""What happens when callbacks fail, correct what they hear of, or leave: all tabs and all other sessions go on."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from bokeh.document import without_document_lock
from bokeh.io import curdoc
from bokeh.models import Div, Range1d, Slider
from bokeh.plotting import figure

from apps_registry.live.connection import Connection
from apps_registry.live.session import MAX_WAITING_BYTES, Session
from apps_registry.live.wire import Assembler
from apps_registry.testing import peer

from .harness import Tab, idle, open_tab, running, tab

MEBIBYTE = 2**20


def model(session: Session, name: str) -> Any:
    return session.document.get_model_by_name(name)


def with_slider(callback: Any) -> Any:
    """Fills a document with a slider, and ``callback`` on its value."""

    def build(document: Any) -> None:
        slider = Slider(name="slider", start=0, end=10, value=0)
        slider.on_change("value", lambda attr, old, new: callback(slider, new))
        document.add_root(slider)
        document.add_root(Div(name="div"))

    return build


def changes(of: Tab) -> list[tuple[str, Any]]:
    """What a tab was told to be changed to what, in that order."""
    return [(event["attr"], event["new"]) for patch in of.events() for event in patch]


def fail(*args: Any) -> None:
    raise ZeroDivisionError


def leave(*args: Any) -> None:
    raise SystemExit(7)


async def after_moving(session: Session, value: int) -> tuple[Tab, Tab]:
    """Two tabs, of which the first has moved the slider."""
    one, other = await open_tab(session), await open_tab(session)
    one.send(peer.change(model(session, "slider"), {"value": value}))
    await idle(session)
    return one, other


async def test_a_value_that_a_callback_corrects_is_right_in_all_tabs():
    def clamp(slider: Slider, new: float) -> None:
        slider.value = min(new, 3)

    async with running(with_slider(clamp)) as session:
        one, other = await after_moving(session, 5)
        assert model(session, "slider").value == 3
        assert changes(one) == [("value", 3)]
        assert changes(other) == [("value", 5), ("value", 3)]


@pytest.mark.parametrize(("callback", "error"), [(fail, ZeroDivisionError), (leave, RuntimeError)])
async def test_tabs_hear_of_a_change_over_which_a_callback_fails(callback: Any, error: type[Exception]):
    async with running(with_slider(callback)) as session:
        one, other = await after_moving(session, 5)
        assert [message.type for message in one.read()] == ["ERROR"]
        assert model(session, "slider").value == 5
        assert changes(other) == [("value", 5)]
        with pytest.raises(error):
            await session.run(lambda: setattr(model(session, "slider"), "value", 6))
        assert changes(one) == changes(other) == [("value", 6)]


async def test_all_changes_of_a_tab_hold_though_a_callback_fails_over_the_first():
    def build(document: Any) -> None:
        shown = Range1d(name="range", start=0, end=1)
        shown.on_change("start", lambda attr, old, new: fail())
        document.add_root(figure(x_range=shown))

    async with running(build) as session:
        one, other = await open_tab(session), await open_tab(session)
        one.send(peer.change(model(session, "range"), {"start": 5, "end": 6}))
        await idle(session)
        assert (model(session, "range").start, model(session, "range").end) == (5, 6)
        assert changes(other) == [("start", 5), ("end", 6)]


async def test_changes_that_were_held_are_all_told_though_a_callback_fails():
    async with running(with_slider(fail)) as session:
        one = await open_tab(session)

        def change() -> None:
            session.document.hold("collect")
            model(session, "slider").value = 4
            model(session, "div").text = "new"
            session.document.unhold()

        with pytest.raises(ZeroDivisionError):
            await session.run(change)
        assert changes(one) == [("value", 4), ("text", "new")]
        await session.run(lambda: setattr(model(session, "div"), "text", "newer"))
        assert changes(one) == [("text", "newer")], "The document is held no longer."


@pytest.mark.parametrize("is_async", [False, True])
async def test_who_leaves_in_an_unlocked_callback_ends_nothing_else(is_async: bool):
    errors: list[BaseException] = []

    async def leave_async() -> None:
        leave()

    def build(document: Any) -> None:
        document.add_root(Div(name="div"))
        document.add_next_tick_callback(without_document_lock(leave_async if is_async else leave))

    async with running(build, on_error=lambda *error: errors.append(error[-1])) as session:
        async with asyncio.timeout(5):
            while not errors:
                await asyncio.sleep(0.01)
        await session.run(lambda: setattr(model(session, "div"), "text", "here"))
        assert model(session, "div").text == "here"


async def test_a_callback_that_has_the_document_may_ask_for_it():
    def build(document: Any) -> None:
        async def callback() -> None:
            async def change(locked: Any) -> None:
                locked.add_root(Div(name="new"))

            await curdoc().session_context.with_locked_document(change)

        document.add_next_tick_callback(callback)

    async with running(build) as session, asyncio.timeout(5):
        while model(session, "new") is None:
            await idle(session)
            await asyncio.sleep(0.01)


async def test_a_periodic_callback_goes_on_after_an_error_without_words():
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise AttributeError

    times = []

    def build(document: Any) -> None:
        def callback() -> None:
            times.append(1)
            raise Unprintable

        document.add_periodic_callback(callback, 10)

    def report(*error: Any) -> str:
        return f"{error[-1]}"

    async with running(build, on_error=report), asyncio.timeout(5):
        while len(times) < 4:
            await asyncio.sleep(0.01)


async def test_big_messages_that_wait_are_few():
    go_on = threading.Event()
    async with running(lambda document: document.add_root(Div())) as session:
        one = tab(session)
        session.post(lambda: go_on.wait(20))
        waiting, room = 0, None
        while room is None:
            assembler = Assembler(20 * MEBIBYTE)
            for frame in (
                '{"msgid": "1", "msgtype": "PATCH-DOC"}',
                "{}",
                '{"events": [], "x": "' + "x" * (5 * MEBIBYTE) + '"}',
            ):
                message = assembler.feed(frame)
            assert message is not None
            room = session.handle(one.connection, message)
            waiting += 5 * MEBIBYTE
            assert waiting <= MAX_WAITING_BYTES + 5 * MEBIBYTE
        go_on.set()
        async with asyncio.timeout(5):
            await room


async def test_a_tab_that_goes_while_others_are_told_takes_nothing_from_them():
    asked, gone = threading.Event(), threading.Event()

    class Leaving(Connection):
        @property
        def has_document(self) -> bool:  # type: ignore[override]
            if threading.current_thread() is not threading.main_thread():
                asked.set()
                gone.wait(5)
            return False

        @has_document.setter
        def has_document(self, value: bool) -> None:
            pass

    async with running(lambda document: document.add_root(Div(name="div"))) as session:
        leaving = Leaving(limit=MEBIBYTE)
        session.attach(leaving)
        other = await open_tab(session)
        change = asyncio.create_task(session.run(lambda: setattr(model(session, "div"), "text", "new")))
        async with asyncio.timeout(5):
            while not asked.is_set():
                await asyncio.sleep(0.001)
        session.detach(leaving)
        gone.set()
        await change
        assert changes(other) == [("text", "new")]
