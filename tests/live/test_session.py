"""One session: turns, tabs, patches. The rules of the engine, each with a test that fails when it is broken."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from itertools import pairwise
from time import monotonic, sleep

import bokeh
import numpy as np
import pytest
from bokeh.document import without_document_lock
from bokeh.events import ButtonClick, ClientReconnected, DocumentReady
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import Button, ColumnDataSource, Div, Range1d, Slider
from bokeh.plotting import figure

from apps_registry.exceptions import ProtocolError, SessionEnded, TooSlow, UnlockedChange
from apps_registry.live import adapter
from apps_registry.live.context import current_session
from apps_registry.live.session import MAX_WAITING_TURNS
from apps_registry.live.wire import Message
from apps_registry.testing import peer
from tests.live.harness import idle, open_tab, running, tab


def _slider(**options) -> Slider:
    return Slider(name="slider", start=0, end=100, value=0, **options)


def _build(document) -> None:
    document.add_root(column(_slider(), Div(name="div")))
    document.add_root(ColumnDataSource(name="source", data={"x": [1, 2]}))


def _model(session, name):
    return session.document.get_model_by_name(name)


async def test_app_code_never_runs_on_the_event_loop():
    ran: dict[str, int] = {}

    def build(document):
        slider = _slider()
        slider.on_change("value", lambda attr, old, new: ran.update(callback=threading.get_ident()))
        document.add_next_tick_callback(lambda: ran.update(next_tick=threading.get_ident()))
        document.add_timeout_callback(lambda: ran.update(timeout=threading.get_ident()), 1)
        document.add_root(slider)
        ran["build"] = threading.get_ident()

    async with running(build) as session:
        one = await open_tab(session)
        one.send(peer.change(_model(session, "slider"), {"value": 1}))
        await asyncio.sleep(0.01)
        await idle(session)
    assert ran.keys() == {"build", "callback", "next_tick", "timeout"}
    assert threading.get_ident() not in ran.values()


async def test_async_callbacks_run_on_the_loop_and_are_awaited_under_the_lock():
    steps: list[object] = []

    def build(document):
        slider, button = _slider(), Button(name="button")

        async def moved(attr, old, new):
            steps.append(("begin", new, threading.get_ident(), curdoc() is document))
            await asyncio.sleep(0.01)
            document.get_model_by_name("div").text = f"at {new}"
            steps.append(("end", new))

        async def clicked(event):
            steps.append("clicked")

        slider.on_change("value", moved)
        button.on_event(ButtonClick, clicked)
        document.add_root(column(slider, button, Div(name="div")))

    async with running(build) as session:
        one = await open_tab(session)
        slider = _model(session, "slider")
        one.send(peer.change(slider, {"value": 1}))
        one.send(peer.change(slider, {"value": 2}))
        one.send(peer.event(session.document, ButtonClick(_model(session, "button"))))
        await idle(session)
        here = threading.get_ident()
        assert steps == [
            ("begin", 1, here, True),
            ("end", 1),
            ("begin", 2, here, True),
            ("end", 2),
            "clicked",
        ]
        texts = [event["new"] for events in one.events() for event in events]
        assert texts == ["at 1", "at 2"]


async def test_work_of_one_session_keeps_its_order_and_never_overlaps():
    running_now, order = [], []

    async with running(_build) as session:

        def job(number):
            assert not running_now
            running_now.append(number)
            if number % 7 == 0:
                threading.Event().wait(0.007)
            running_now.pop()
            order.append(number)

        await asyncio.gather(*(session.run(lambda number=number: job(number)) for number in range(50)))
    assert order == list(range(50))


async def test_all_changes_of_a_turn_leave_as_one_patch_in_order():
    def build(document):
        _build(document)

        def moved(attr, old, new):
            source, div = _named(document, "source", "div")
            div.text = "one"
            source.data = {"x": [5]}
            source.stream({"x": [6]})
            source.patch({"x": [(0, 7)]})
            div.text = "two"
            document.title = "three"

        document.get_model_by_name("slider").on_change("value", moved)

    async with running(build) as session:
        one = await open_tab(session)
        one.send(peer.change(_model(session, "slider"), {"value": 1}))
        await idle(session)
        [events] = one.events()
        kinds = [
            "ModelChanged",
            "ColumnDataChanged",
            "ColumnsStreamed",
            "ColumnsPatched",
            "ModelChanged",
            "TitleChanged",
        ]
        assert [event["kind"] for event in events] == kinds
        # As of the moment it happened: what was streamed later is not in it as well
        assert events[1]["data"]["entries"] == [["x", [5]]]
        assert _model(session, "source").data["x"] == [7, 6]


def _named(document, *names):
    return [document.get_model_by_name(name) for name in names]


async def test_a_change_is_encoded_once_for_all_tabs_and_not_echoed(monkeypatch):
    encoded = []
    encode = adapter.encode_event
    monkeypatch.setattr(
        adapter, "encode_event", lambda doc, event: encoded.append(event) or encode(doc, event)
    )

    def build(document):
        _build(document)
        div = document.get_model_by_name("div")
        document.get_model_by_name("slider").on_change(
            "value", lambda attr, old, new: setattr(div, "text", "moved")
        )

    async with running(build) as session:
        tabs = [await open_tab(session) for _ in range(3)]
        tabs[0].send(peer.change(_model(session, "slider"), {"value": 4}))
        await idle(session)
        seen = [
            [(event["attr"], event["new"]) for events in one.events() for event in events] for one in tabs
        ]
    assert len(encoded) == 2
    assert seen[0] == [("text", "moved")]
    # In the order in which it happened, or a callback that corrects a value would be undone in the other tabs
    assert seen[1] == seen[2] == [("value", 4), ("text", "moved")]


async def test_a_new_model_is_defined_in_full_to_every_tab():
    def build(document):
        plot = figure(name="plot")
        plot.scatter([1], [2])
        document.add_root(plot)

    async with running(build) as session:
        first, second = await open_tab(session), await open_tab(session)
        plot = _model(session, "plot")
        new = {"type": "object", "name": "Range1d", "id": "from-first", "attributes": {"start": 1, "end": 2}}
        events = [{"kind": "ModelChanged", "model": plot.ref, "attr": "x_range", "new": new}]
        first.send(Message("m", "PATCH-DOC", {"events": events}))
        await session.run(lambda: setattr(plot.x_range, "end", 3))
        assert [event["new"] for events in first.events() for event in events] == [3]
        defined, changed = [event["new"] for events in second.events() for event in events]
        assert defined["id"] == "from-first"
        assert defined["attributes"] == {"start": 1, "end": 2}
        assert changed == 3
        replaced = Range1d(start=0, end=9)
        await session.run(lambda: setattr(plot, "y_range", replaced))
        for one in (first, second):
            [[event]] = one.events()
            assert event["new"]["attributes"]["end"] == 9


async def test_the_cost_of_a_patch_does_not_depend_on_the_number_of_models():
    async def calls(models: int) -> int:
        def build(document):
            sliders = [Slider(start=0, end=1, value=0) for _ in range(models)]
            div = Div(name="div")
            slider = _slider()
            slider.on_change("value", lambda attr, old, new: setattr(div, "text", str(new)))
            document.add_root(column(slider, div, *sliders))

        async with running(build) as session:
            one = await open_tab(session)
            message = peer.change(_model(session, "slider"), {"value": 1})
            counted = 0

            def count(frame, event, arg):
                nonlocal counted
                counted += event in ("call", "c_call")

            call = session._call

            def profiled(turn):
                sys.setprofile(count)
                try:
                    call(turn)
                finally:
                    sys.setprofile(None)

            session._call = profiled  # type: ignore[method-assign]
            one.send(message)
            await idle(session)
            assert len(one.events()) == 1
            return counted

    await calls(5)
    few, many = await calls(5), await calls(1000)
    assert few > 20
    assert abs(many - few) < 10


async def test_a_change_from_a_foreign_thread_is_refused():
    async with running(_build) as session:
        one = await open_tab(session)
        div = _model(session, "div")
        caught: list[BaseException] = []

        def change() -> None:
            try:
                div.text += "from a thread"
            except UnlockedChange as error:
                caught.append(error)

        def in_thread() -> None:
            thread = threading.Thread(target=change)
            thread.start()
            thread.join()

        in_thread()
        # Also while some turn is under way, which is not this thread's
        await session.run(in_thread)
        assert len(caught) == 2
        assert "add_next_tick_callback" in str(caught[0])
        assert one.events() == []


async def test_a_thread_hands_changes_over_by_next_tick_callbacks():
    async with running(_build) as session:
        one = await open_tab(session)
        document = session.document
        div = _model(session, "div")
        thread = threading.Thread(
            target=lambda: document.add_next_tick_callback(lambda: setattr(div, "text", "handed over"))
        )
        thread.start()
        thread.join()
        await idle(session)
        assert [event["new"] for [event] in one.events()] == ["handed over"]


async def test_locked_callbacks_from_any_thread():
    async with running(_build) as session:
        document, div = session.document, _model(session, "div")
        every = await session.run(
            lambda: document.locked_callback(lambda text: setattr(div, "text", div.text + text))
        )
        thread = threading.Thread(target=lambda: [every(letter) for letter in "abc"])
        thread.start()
        thread.join()
        async with asyncio.timeout(5):
            while every.pending:
                await asyncio.sleep(0.001)
        assert div.text == "abc"


async def test_without_document_lock_runs_beside_a_turn_and_sees_a_guarded_document():
    started, release = threading.Event(), threading.Event()
    seen: dict[str, object] = {}

    def build(document):
        _build(document)

        @without_document_lock
        def unlocked():
            try:
                curdoc().title = "no"
                _ = curdoc().roots
            except AttributeError as error:
                seen["refused"] = str(error)
            curdoc().add_next_tick_callback(lambda: seen.update(ticked=curdoc() is document))
            seen["during"] = started.is_set() and not release.is_set()
            release.set()

        document.add_timeout_callback(unlocked, 5)

    async with running(build) as session:

        def block() -> bool:
            started.set()
            return release.wait(5)

        assert await session.run(block)
        await idle(session)
    assert seen["during"] is True
    assert "add_next_tick_callback" in str(seen["refused"])
    assert seen["ticked"] is True


async def test_a_slow_tab_is_closed_and_the_others_are_not():
    async with running(_build) as session:
        slow = await open_tab(session, limit=2000)
        quick = await open_tab(session)
        div = _model(session, "div")
        for number in range(10):
            await session.run(lambda number=number: setattr(div, "text", f"{number}" * 500))
        assert isinstance(slow.connection.closed, TooSlow)
        assert await slow.connection.take() == []
        assert quick.connection.closed is None
        assert len(quick.events()) == 10


async def test_one_message_beyond_the_limit_passes_when_nothing_else_waits():
    async with running(_build) as session:
        one = await open_tab(session, limit=2000)
        await session.run(lambda: setattr(_model(session, "div"), "text", "x" * 5000))
        assert one.connection.closed is None
        assert len(one.events()) == 1


async def test_patches_go_only_to_tabs_that_have_the_document():
    async with running(_build) as session:
        early = tab(session)
        await session.run(lambda: setattr(_model(session, "div"), "text", "changed"))
        assert [message.type for message in early.read()] == ["ACK"]
        document = await early.pull()
        assert "changed" in str(document)


async def test_an_error_in_a_callback_is_told_by_reference_and_the_session_goes_on():
    reported = []

    def build(document):
        _build(document)

        def moved(attr, old, new):
            document.get_model_by_name("div").text = f"at {new}"
            if new == 1:
                raise RuntimeError("secret /path/to/code")

        document.get_model_by_name("slider").on_change("value", moved)

    async with running(build, on_error=lambda *args: reported.append(args)) as session:
        viewer, staff = await open_tab(session), await open_tab(session, sees_tracebacks=True)
        slider = _model(session, "slider")
        viewer.send(peer.change(slider, {"value": 1}))
        staff.send(peer.change(slider, {"value": 1}))
        await idle(session)
        patch, error = viewer.read()[:2]
        assert patch.content["events"][0]["new"] == "at 1"
        assert error.type == "ERROR"
        [(app, reference, raised)] = reported
        assert (app, str(raised)) == ("test", "secret /path/to/code")
        assert reference in error.content["text"]
        assert error.content["traceback"] is None
        assert "secret" not in str(error.content)
        viewer.send(peer.change(slider, {"value": 2}))
        await idle(session)
        assert [message.type for message in viewer.read()] == ["PATCH-DOC", "OK"]


async def test_staff_are_told_the_traceback():
    def build(document):
        slider = _slider()
        slider.on_change("value", lambda attr, old, new: 1 / 0)
        document.add_root(slider)

    async with running(build) as session:
        staff = await open_tab(session, sees_tracebacks=True)
        staff.send(peer.change(_model(session, "slider"), {"value": 1}))
        await idle(session)
        [error] = staff.read()
        assert "ZeroDivisionError" in error.content["traceback"]


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit])
async def test_a_callback_cannot_end_the_server(ending):
    def build(document):
        slider = _slider()

        def leave(attr, old, new):
            raise ending

        slider.on_change("value", leave)
        document.add_root(slider)

    async with running(build) as session:
        one = await open_tab(session)
        one.send(peer.change(_model(session, "slider"), {"value": 1}))
        await idle(session)
        assert [message.type for message in one.read()] == ["ERROR"]
        assert await session.run(lambda: "alive") == "alive"


async def test_hold_and_unhold():
    async with running(_build) as session:
        one = await open_tab(session)
        document, div = session.document, _model(session, "div")

        def hold() -> None:
            document.hold("combine")
            for text in ("a", "b", "c"):
                div.text = text

        await session.run(hold)
        assert one.events() == []
        await session.run(document.unhold)
        [[event]] = one.events()
        assert event["new"] == "c"


async def test_roots_themes_and_clear():
    async with running(_build) as session:
        one = await open_tab(session)
        document = session.document
        await session.run(lambda: document.add_root(Div(text="more")))
        await session.run(lambda: setattr(document, "theme", "dark_minimal"))
        await session.run(document.clear)
        kinds = [[event["kind"] for event in events] for events in one.events()]
        assert kinds[0] == ["RootAdded"]
        assert kinds[-1] == ["RootRemoved"] * 3
        assert (await one.pull())["roots"] == []


async def test_events_and_messages():
    heard: list[object] = []

    def build(document):
        _build(document)
        document.on_event(DocumentReady, lambda event: heard.append("ready"))
        document.on_event(ClientReconnected, lambda event: heard.append("reconnected"))
        document.on_event("connection_lost", lambda event: heard.append("lost"))
        document.on_message("mine", heard.append)

    async with running(build) as session:
        one = await open_tab(session)
        one.send(peer.event(session.document, DocumentReady()))
        one.send(peer.event(session.document, ClientReconnected()))
        content = {
            "events": [
                {
                    "kind": "MessageSent",
                    "msg_type": "mine",
                    "msg_data": {"type": "map", "entries": [["a", 1]]},
                }
            ]
        }
        one.send(Message("m", "PATCH-DOC", content))
        await idle(session)
        session.detach(one.connection)
        await idle(session)
    assert heard == ["ready", "reconnected", {"a": 1}, "lost"]


async def test_binary_buffers_go_both_ways():
    def build(document):
        source = ColumnDataSource(name="source", data={"x": np.arange(3.0)})
        source.on_change("data", lambda attr, old, new: None)
        document.add_root(source)

    async with running(build) as session:
        one, other = await open_tab(session), await open_tab(session)
        values = np.linspace(0, 1, 1000)
        one.send(peer.change(_model(session, "source"), {"data": {"x": values}}))
        await idle(session)
        assert np.array_equal(_model(session, "source").data["x"], values)
        [patch] = [message for message in other.read() if message.type == "PATCH-DOC"]
        assert [payload for _, payload in patch.buffers] == [values.tobytes()]


async def test_only_a_key_holder_replaces_the_document():
    async with running(_build) as session:
        viewer, client = await open_tab(session), tab(session, may_push=True)
        fresh = adapter.new_document()
        fresh.add_root(Div(text="pushed", name="pushed"))
        text, _ = adapter.document_json(fresh)
        push = Message("m", "PUSH-DOC", {"doc": adapter.loads(text)})
        with pytest.raises(ProtocolError):
            viewer.send(push)
        client.send(push)
        await idle(session)
        assert _model(session, "pushed").text == "pushed"
        assert [message.type for message in client.read()] == ["ACK", "OK"]
        kinds = [event["kind"] for events in viewer.events() for event in events]
        assert kinds[-1] == "RootAdded"
        await session.run(lambda: setattr(_model(session, "pushed"), "text", "after"))
        assert [event["new"] for [event] in client.events()] == ["after"]


async def test_server_info_and_unknown_messages():
    async with running(_build) as session:
        one = await open_tab(session)
        one.send(peer.request("SERVER-INFO-REQ"))
        await idle(session)
        [reply] = one.read()
        assert reply.content["version_info"]["bokeh"] == bokeh.__version__
        with pytest.raises(ProtocolError):
            one.send(peer.request("NO-SUCH"))


async def test_a_peer_with_too_many_unanswered_messages_is_not_read_from():
    release = threading.Event()
    async with running(_build) as session:
        one = await open_tab(session)
        blocked = asyncio.create_task(session.run(lambda: release.wait(5)))
        await asyncio.sleep(0)
        rooms = [
            session.handle(one.connection, peer.request("SERVER-INFO-REQ")) for _ in range(MAX_WAITING_TURNS)
        ]
        assert rooms[0] is None
        assert rooms[-1] is not None
        assert not rooms[-1].done()
        release.set()
        async with asyncio.timeout(5):
            await rooms[-1]
        await blocked


async def test_periodic_callbacks_do_not_overlap_and_stop_when_removed():
    began = monotonic()
    times: list[tuple[float, float]] = []

    def build(document):
        def tick():
            start = monotonic()
            sleep(0.015)
            times.append((start, monotonic()))
            if len(times) == 3:
                document.remove_periodic_callback(periodic)

        periodic = document.add_periodic_callback(tick, 10)
        document.add_root(Div())

    async with running(build) as session:
        async with asyncio.timeout(5):
            while len(times) < 3:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
        assert len(session._schedule) == 0
    assert len(times) == 3
    assert times[0][0] - began >= 0.01
    assert all(end <= start for (_, end), (start, _) in pairwise(times))


async def test_app_code_finds_its_session_also_in_threads_that_keep_the_context():
    import contextvars

    seen = []

    async with running(_build) as session:

        def work() -> None:
            seen.append(current_session.get())
            context = contextvars.copy_context()
            thread = threading.Thread(target=lambda: context.run(lambda: seen.append(current_session.get())))
            thread.start()
            thread.join()

        await session.run(work)
        assert seen == [session, session]
        assert current_session.get() is None


async def test_context_variables_of_one_session_do_not_show_in_another():
    import contextvars

    colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")
    async with running(_build) as one, running(_build, workers=one._workers) as other:
        await one.run(lambda: colour.set("red"))
        assert await one.run(colour.get) == "red"
        assert await other.run(colour.get) == "none"


async def test_after_the_end_nothing_more_comes_in():
    async with running(_build) as session:
        one = await open_tab(session)
        session.end()
        assert isinstance(one.connection.closed, SessionEnded)
        with pytest.raises(SessionEnded):
            one.send(peer.request("PULL-DOC-REQ"))
        with pytest.raises(SessionEnded):
            await session.run(lambda: None)
        with pytest.raises(SessionEnded):
            tab(session)


async def test_letting_a_session_go_collects_no_garbage(monkeypatch):
    def forbidden(*args):
        raise AssertionError("a session's end must cost nothing to others")

    async with running(_build) as session:
        await open_tab(session)
        monkeypatch.setattr(gc, "collect", forbidden)
        monkeypatch.setattr(gc, "get_referrers", forbidden)
    monkeypatch.undo()
    assert list(session.document.models) == []
