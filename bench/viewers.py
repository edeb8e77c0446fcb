"""What the load client does with published data: tabs that show it, and a publisher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson

from bench.meter import cpu_seconds
from bench.protocol import Tab, UnexpectedAnswerError, connect_tab

type Figures = dict[str, float]

_WAIT_LIMIT = 60.0


class Viewers:
    """The open tabs of one client on published data."""

    def __init__(self, server_pid: int) -> None:
        self._server_pid = server_pid
        self._tabs: list[Tab] = []

    async def view(self, url: str, cookie: str = "") -> Figures:
        """Open one more tab of `url`, until all data of its first plot is here."""
        with self._measured() as figures:
            tab = await connect_tab(url, cookie)
            document = await tab.pull()
        self._tabs.append(tab)
        return figures | {"bytes": document.size}

    async def publish(self, url: str, token: str, path: str, append: bool = False) -> Figures:
        """Publish a file under `url`, or add its rows; `wait` is how long after the answer the last tab has it.

        `bytes` is what a tab received.
        """
        content = await asyncio.to_thread(Path(path).read_bytes)
        news = [asyncio.create_task(_news(tab, streamed=append)) for tab in self._tabs]
        async with httpx.AsyncClient(timeout=_WAIT_LIMIT) as client:
            with self._measured() as figures:
                answer = await client.request(
                    "POST" if append else "PUT",
                    url,
                    content=content,
                    headers={"Authorization": f"Bearer {token}"},
                    params={"format": Path(path).suffix.removeprefix(".")},
                )
        if not answer.is_success:
            raise UnexpectedAnswerError(f"not published: {answer.status_code} {answer.text[:500]}")
        answered = time.perf_counter()
        came = await asyncio.wait_for(asyncio.gather(*news), _WAIT_LIMIT)
        wait = max((at for at, _ in came), default=answered) - answered
        sizes = [size for _, size in came]
        return figures | {"wait": wait, "bytes": sum(sizes) / len(sizes) if sizes else 0}

    async def close(self) -> Figures:
        """Close all tabs."""
        await asyncio.gather(*(tab.close() for tab in self._tabs))
        self._tabs.clear()
        return {}

    @contextmanager
    def _measured(self) -> Iterator[Figures]:
        figures: Figures = {}
        started, server = time.perf_counter(), cpu_seconds(self._server_pid)
        yield figures
        figures["seconds"] = time.perf_counter() - started
        figures["server_cpu"] = cpu_seconds(self._server_pid) - server


async def _news(tab: Tab, *, streamed: bool) -> tuple[float, int]:
    """When the next change of the data came, and how many bytes it took."""
    while True:
        message = await tab.receive()
        if message.kind == "PATCH-DOC":
            break
    kinds = {event["kind"] for event in orjson.loads(message.content)["events"]}
    if streamed != ("ColumnsStreamed" in kinds):
        raise UnexpectedAnswerError(f"the data came as {', '.join(sorted(kinds))}")
    return time.perf_counter(), message.size
