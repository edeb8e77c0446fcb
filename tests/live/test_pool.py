"""Sessions of real app directories: made once, kept, let go."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from apps_registry.exceptions import (
    AppError,
    AppStartTimeout,
    ServerStopping,
    SessionEnded,
    SessionIdle,
    SessionNotYours,
    TooManySessions,
)
from apps_registry.live.connection import Connection
from apps_registry.live.context import Request
from apps_registry.live.loading import App
from apps_registry.live.memory import Collector
from apps_registry.live.pool import Limits, Pool
from apps_registry.live.workers import Workers
from apps_registry.testing.peer import request

MAIN = """
from bokeh.io import curdoc
from bokeh.models import Slider
slider = Slider(name="slider", start=0, end=1, value=0)
slider.on_change("value", lambda attr, old, new: print(new))
curdoc().add_root(slider)
"""


class Host:
    """A pool with limits that a test may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.limits = Limits(unattended=3600, start=5)
        self.workers = Workers()
        self.errors: list[tuple[str, str, BaseException]] = []
        self.pool = Pool(
            self.workers,
            lambda app_name: self.limits,
            check=0.02,
            on_error=lambda *error: self.errors.append(error),
        )
        self.apps: dict[str, App] = {}

    def app(self, name: str, main: str = MAIN, **files: str) -> App:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "main.py").write_text(main)
        for stem, text in files.items():
            (folder / f"{stem}.py").write_text(text)
        self.apps[name] = App(name, folder)
        return self.apps[name]

    async def open(self, name: str, session_id: str = "s", owner: object = None, **options):
        async def load():
            return await self.workers.run(self.apps[name].current)

        return await self.pool.open(name, load, session_id, owner=owner, request=Request(), **options)


@pytest_asyncio.fixture
async def host(tmp_path) -> AsyncIterator[Host]:
    made = Host(tmp_path)
    yield made
    await made.pool.close(2)
    assert await made.workers.close(2) == 0
    for app in made.apps.values():
        app.close()
    assert [name for name in sys.modules if name.startswith("bokeh_app_")] == []


async def test_a_session_is_made_once_for_all_who_want_it_at_the_same_time(host):
    host.app("plain")
    sessions = await asyncio.gather(*(host.open("plain") for _ in range(5)))
    assert len(set(sessions)) == 1
    assert len(host.pool) == 1
    assert await host.open("plain") is sessions[0]


async def test_a_failure_reaches_every_waiter_and_clears_the_slot(host):
    app = host.app("broken", "1/0")
    results = await asyncio.gather(*(host.open("broken") for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [AppError] * 3
    assert len({result.reference for result in results}) == 1
    assert "ZeroDivisionError" in results[0].detail
    assert [(name, reference) for name, reference, _ in host.errors] == [("broken", results[0].reference)]
    (app.path / "main.py").write_text(MAIN)
    await asyncio.sleep(0.6)
    assert (await host.open("broken")).document.roots


async def test_a_session_is_bound_to_its_owner(host):
    host.app("plain")
    await host.open("plain", owner="alice")
    for other in ("bob", None):
        with pytest.raises(SessionNotYours):
            await host.open("plain", owner=other)
    assert await host.open("plain", owner="alice")


async def test_the_same_id_in_two_apps_is_two_sessions(host):
    host.app("one")
    host.app("two")
    assert await host.open("one") is not await host.open("two")


async def test_an_app_that_never_ends_is_given_up_and_blocks_nobody(host):
    gate = threading.Event()
    sys.modules["gate_of_test"] = gate  # type: ignore[assignment]
    try:
        host.app("endless", "import gate_of_test\ngate_of_test.wait(10)\n")
        host.app("plain")
        host.limits = Limits(unattended=3600, start=0.1)
        with pytest.raises(AppStartTimeout):
            await host.open("endless")
        assert (await host.open("plain")).document.roots
        gate.set()
        async with asyncio.timeout(5):
            while host.workers.outstanding:
                await asyncio.sleep(0.01)
        assert [session.app_name for session in host.pool.sessions()] == ["plain"]
    finally:
        del sys.modules["gate_of_test"]


async def test_two_apps_start_beside_each_other(host):
    barrier = threading.Barrier(2)
    sys.modules["barrier_of_test"] = barrier  # type: ignore[assignment]
    try:
        for name in ("one", "two"):
            host.app(name, "import barrier_of_test\nbarrier_of_test.wait(5)\n")
        assert len(await asyncio.gather(host.open("one"), host.open("two"))) == 2
    finally:
        del sys.modules["barrier_of_test"]


async def test_an_unattended_session_is_let_go_and_an_attended_one_is_not(host):
    host.app("plain")
    host.limits = Limits(unattended=0.05, start=5)
    attended, left = await host.open("plain", "attended"), await host.open("plain", "left")
    attended.attach(Connection(limit=1000))
    async with asyncio.timeout(5):
        while len(host.pool) > 1:
            await asyncio.sleep(0.01)
    assert left.destroyed
    assert host.pool.sessions() == [attended]


async def test_hooks_of_a_session_run_in_order_and_may_fail(host):
    host.app(
        "hooked",
        "from bokeh.io import curdoc\nimport log_of_app\nlog_of_app.lines.append('main')\n"
        "curdoc().on_session_destroyed(lambda context: log_of_app.lines.append('callback'))\n",
        log_of_app="lines = []",
        app_hooks="import log_of_app\n"
        "async def on_session_created(session_context):\n"
        "    log_of_app.lines.append(('created', session_context.id, session_context.destroyed))\n"
        "    raise RuntimeError('created')\n"
        "def on_session_destroyed(session_context):\n"
        "    log_of_app.lines.append(('destroyed', session_context.destroyed, len(session_context.document.roots)))\n"
        "    raise RuntimeError('destroyed')\n",
    )
    session = await host.open("hooked")
    lines = sys.modules[f"{host.apps['hooked'].code.package}.log_of_app"].lines
    await host.pool.end(session)
    assert lines == [("created", "s", False), "main", "callback", ("destroyed", True, 0)]
    assert len(host.pool) == 0


async def test_ending_closes_the_tabs_and_a_new_session_takes_the_place(host):
    host.app("plain")
    session = await host.open("plain")
    connection = Connection(limit=1000)
    session.attach(connection)
    await host.pool.end(session)
    assert isinstance(connection.closed, SessionEnded)
    again = await host.open("plain")
    assert again is not session
    assert again.document.roots


async def test_limits(host):
    host.app("plain")
    host.limits = Limits(sessions=2, unattended=3600, start=5)
    await host.open("plain", "1")
    await host.open("plain", "2")
    with pytest.raises(TooManySessions):
        await host.open("plain", "3")
    assert await host.open("plain", "2")


async def test_limits_of_an_app_and_of_a_user(host):
    host.app("plain")
    host.app("other")
    host.limits = Limits(app_sessions=3, user_sessions=2)
    await host.open("plain", "1", owner="a")
    await host.open("plain", "2", owner="a")
    with pytest.raises(TooManySessions, match="too often"):
        await host.open("plain", "3", owner="a")
    await host.open("plain", "4", owner="b")
    with pytest.raises(TooManySessions, match="Too many people"):
        await host.open("plain", "5", owner="c")
    assert await host.open("plain", "1", owner="a"), "A session that lives should be found at the limit."
    assert await host.open("other", "1", owner="a"), "Another app should have a count of its own."


async def test_visitors_without_a_name_have_no_count_of_their_own(host):
    host.app("plain")
    host.limits = Limits(user_sessions=1)
    assert await host.open("plain", "1") is not await host.open("plain", "2")


async def test_tabs_that_nobody_uses_are_closed(host):
    host.app("plain")
    host.limits = Limits(idle=0.3)
    used, idle = await host.open("plain", "used"), await host.open("plain", "idle")
    connections = [Connection(limit=1_000_000), Connection(limit=1000)]
    used.attach(connections[0])
    idle.attach(connections[1])
    async with asyncio.timeout(5):
        while connections[1].closed is None:
            used.handle(connections[0], request("SERVER-INFO-REQ"))
            await asyncio.sleep(0.01)
    assert isinstance(connections[1].closed, SessionIdle)
    assert connections[0].closed is None


async def test_closing_ends_all_and_takes_no_more(host):
    host.app("plain")
    session = await host.open("plain")
    connection = Connection(limit=1000)
    session.attach(connection)
    await host.pool.close()
    assert isinstance(connection.closed, ServerStopping)
    assert len(host.pool) == 0
    with pytest.raises(ServerStopping):
        await host.open("plain", "new")


async def test_a_life_leaves_nothing_behind(host):
    host.app("plain")
    gc.collect()
    gc.disable()
    try:
        session = await host.open("plain")
        kept = [
            weakref.ref(session),
            weakref.ref(session.document),
            *map(weakref.ref, session.document.models),
        ]
        threads, tasks = threading.active_count(), len(asyncio.all_tasks())
        await host.pool.end(session)
        del session
        await asyncio.sleep(0.01)
        assert [ref() for ref in kept if ref() is not None] == []
        assert threading.active_count() <= threads
        assert len(asyncio.all_tasks()) <= tasks
        assert [name for name in sys.modules if ".main-" in name] == []
    finally:
        gc.enable()


async def test_garbage_is_collected_when_idle(monkeypatch):
    idle = False
    collected = []
    monkeypatch.setattr(gc, "collect", lambda *args: collected.append(1))
    monkeypatch.setattr(gc, "freeze", lambda: None)
    collector = Collector(lambda: idle, sessions=2, look_every=0.01)
    collector.start()
    collected.clear()
    try:
        collector.session_ended()
        collector.session_ended()
        await asyncio.sleep(0.1)
        assert collected == []
        idle = True
        async with asyncio.timeout(2):
            while not collected:
                await asyncio.sleep(0.01)
    finally:
        collector.close()


SLOW_END = """
import threading
from pathlib import Path
def on_session_destroyed(session_context):
    while not Path(__file__).with_name("may_end").exists():
        threading.Event().wait(0.01)
"""


async def test_who_comes_back_while_the_session_ends_owns_the_next_one(host):
    app = host.app("slow", app_hooks=SLOW_END)
    host.limits = Limits(unattended=3600, start=5, user_sessions=1)
    first = await host.open("slow", owner="ann")
    ending = host.pool.end_soon(first)
    await asyncio.sleep(0)
    # Its start outlasts the end of the first
    (app.path / "main.py").write_text(
        "import threading\nfrom pathlib import Path\n"
        "while not Path(__file__).with_name('may_start').exists():\n    threading.Event().wait(0.01)\n"
    )
    app.look_again()
    opening = asyncio.create_task(host.open("slow", owner="ann"))
    await asyncio.sleep(0.1)
    (app.path / "may_end").touch()
    await ending
    (app.path / "may_start").touch()
    assert await opening is not first
    with pytest.raises(SessionNotYours):
        await host.open("slow", owner="eve")
    with pytest.raises(TooManySessions):
        await host.open("slow", "another", owner="ann")


async def test_what_goes_on_by_itself_keeps_no_session(host):
    host.app(
        "busy",
        """
import time
from bokeh.io import curdoc
document = curdoc()
def step():
    time.sleep(0.005)
    document.add_next_tick_callback(step)
document.add_next_tick_callback(step)
""",
    )
    host.limits = Limits(unattended=0.1, start=5)
    await host.open("busy")
    async with asyncio.timeout(5):
        while len(host.pool):
            await asyncio.sleep(0.02)


async def test_who_waits_for_a_session_hears_that_the_server_stops(host):
    host.app("slow", "import time; time.sleep(0.5)\n")
    opening = asyncio.create_task(host.open("slow"))
    await asyncio.sleep(0.1)
    await host.pool.close(2)
    with pytest.raises(ServerStopping):
        await opening
    # App code that was still at work keeps its modules, which end with the process
    await host.workers.close(5)
    for name in [name for name in sys.modules if name.startswith("bokeh_app_")]:
        del sys.modules[name]


async def test_a_session_that_was_given_up_tidies_up(host):
    app = host.app(
        "slow",
        """
import time
from pathlib import Path
from bokeh.io import curdoc
told = Path(__file__).with_name("told")
curdoc().on_session_destroyed(lambda context: told.touch())
time.sleep(0.3)
""",
    )
    host.limits = Limits(unattended=3600, start=0.1)
    with pytest.raises(AppStartTimeout):
        await host.open("slow")
    async with asyncio.timeout(5):
        while not (app.path / "told").exists():
            await asyncio.sleep(0.02)


async def test_a_hook_that_has_the_document_may_ask_for_it(host):
    host.app(
        "plain",
        app_hooks="""
async def on_session_created(session_context):
    async def fill(document):
        document.title = "filled"
    await session_context.with_locked_document(fill)
""",
    )
    assert (await host.open("plain")).document.title == "filled"
