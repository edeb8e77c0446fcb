"""A session's life leaks nothing: many are opened and closed against a real server."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from apps_registry.testing import RunningServer, connect, run_server
from apps_registry.testing.socket import token_of

APP = Path(__file__).parent / "apps" / "counts"

#: Seconds for which a session waits for a socket: more than a busy machine takes from a page to its socket.
LIFETIME = 2.0


class Counts:
    """What an app says of the process that it runs in."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.process = psutil.Process(server.process.pid)

    async def page(self) -> str:
        async with httpx.AsyncClient() as client:
            return token_of((await client.get(f"{self.server.url}/apps/counts")).text)

    async def visit(self) -> dict[str, int]:
        async with connect(f"{self.server.ws_url}/apps/counts/ws", await self.page()) as tab:
            reply = await tab.press("count")
            assert reply.type == "OK", tab.errors
            return tab.find("counts").data  # type: ignore[no-any-return]

    async def alone(self) -> dict[str, int]:
        """The counts when no session but the asking one is left."""
        async with asyncio.timeout(30):
            while True:
                counts = {name: values[0] for name, values in (await self.visit()).items()}
                if counts["sessions"] == 1:
                    return counts
                # Until the asking ones have gone too
                await asyncio.sleep(1.5 * LIFETIME)

    def megabytes(self) -> float:
        return self.process.memory_info().rss / 1e6


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_five_hundred_sessions_leave_nothing_behind():
    options = ["--unused-session-lifetime", str(int(LIFETIME * 1000)), "--check-unused-sessions", "50"]
    with run_server(APP, *options, env={"DEBUG": "1"}) as server:
        counts = Counts(server)

        async def many(number: int) -> None:
            for _ in range(number // 5):
                await asyncio.gather(*(counts.visit() for _ in range(5)))

        await many(100)
        before, megabytes = await counts.alone(), counts.megabytes()
        await many(400)
        after = await counts.alone()
        assert after["modules"] == before["modules"]
        assert after["models"] == before["models"]
        assert after["tasks"] <= before["tasks"]
        # There are as many as have been busy at the same time
        assert after["threads"] < before["threads"] + 10
        async with asyncio.timeout(20):
            while counts.megabytes() - megabytes >= 5:
                await asyncio.sleep(0.5)


#: A long text, which all sessions share; each has a message with it for its tab.
BULKY = """
import sys
from bokeh.io import curdoc
from bokeh.models import Div
curdoc().add_root(Div(text=sys.intern("x" * 10_000_000)))
"""


async def test_a_tab_that_hears_of_nothing_keeps_no_copy_of_its_document(tmp_path: Path):
    app = tmp_path / "bulky.py"
    app.write_text(BULKY)
    with run_server(app, env={"DEBUG": "1"}) as server:
        process = psutil.Process(server.process.pid)
        async with AsyncExitStack() as stack, httpx.AsyncClient(base_url=server.url) as client:

            async def come() -> None:
                token = token_of((await client.get("/apps/bulky")).text)
                await stack.enter_async_context(connect(f"{server.ws_url}/apps/bulky/ws", token))

            for _ in range(4):
                await come()
            before = process.memory_info().rss
            for _ in range(12):
                await come()
            assert process.memory_info().rss - before < 60e6
