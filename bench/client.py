"""The load client, a process of its own: obeys commands on stdin, one JSON object a line.

Each command names a method of `Load` or `Viewers` in `do`, the rest are its arguments; each gets one JSON object back.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import orjson
import uvloop

from bench.document import BLOCKING
from bench.meter import cpu_seconds
from bench.protocol import Tab, open_tab
from bench.viewers import Viewers

type Figures = dict[str, float]

PACE = 0.01


class Load:
    """The open tabs of one client, and what may be asked of them."""

    def __init__(self, server_pid: int) -> None:
        self._server_pid = server_pid
        self._tabs: list[Tab] = []

    async def open(self, url: str, count: int, at_once: int) -> Figures:
        """Open `count` more tabs of `url`, at most `at_once` at a time."""
        waiting = iter(range(count))

        async def visitor() -> None:
            for _ in waiting:
                self._tabs.append(await open_tab(url))

        with self._measured() as figures:
            await _all_of(visitor() for _ in range(at_once))
        return figures | {"count": count}

    async def round_trips(self, sessions: int, seconds: float) -> Figures:
        """Make round trips without a pause in the first `sessions` tabs for about `seconds`."""
        tabs = self._tabs[:sessions]
        latencies: list[float] = []
        sent_before = sum(tab.bytes_moved for tab in tabs)
        with self._measured() as figures:
            end = time.perf_counter() + seconds
            await _all_of(_move_until(tab, end, latencies) for tab in tabs)
        return figures | {
            "count": len(latencies),
            "bytes": sum(tab.bytes_moved for tab in tabs) - sent_before,
            "median": statistics.median(latencies),
            "p99": sorted(latencies)[int(len(latencies) * 0.99)],
        }

    async def paced(self, seconds: float, pace: float, blocked: bool) -> Figures:
        """Let each tab but the first move its slider every `pace` seconds, and note how long answers take.

        When `blocked`, the first tab meanwhile keeps the server in callbacks that last a second.
        """
        first, *others = self._tabs
        latencies: list[float] = []
        end = time.perf_counter() + seconds
        work = [_move_at_pace(tab, end, pace, latencies) for tab in others]
        if blocked:
            work.append(_block_until(first, end))
        await _all_of(work)
        return {"count": len(latencies), "p99": sorted(latencies)[int(len(latencies) * 0.99)]}

    async def stay(self, seconds: float, freed: int, limit: float) -> Figures:
        """Move the first tab's slider every 10 ms and note the longest wait for an answer.

        Ends when `freed` documents more are gone from the server and `seconds` have passed since,
        or after `limit` seconds. `freed` of the answer is the number that did go.
        """
        [tab, *_] = self._tabs
        before, started = tab.freed, time.perf_counter()
        changed, longest, longest_at = started, 0.0, started
        while (now := time.perf_counter()) < started + limit:
            if tab.freed - before >= freed and now > changed + seconds:
                break
            known = tab.freed
            await tab.round_trip()
            answered = time.perf_counter()
            if answered - now > longest:
                longest, longest_at = answered - now, now
            if tab.freed != known:
                changed = answered
            await asyncio.sleep(PACE)
        return {
            "longest": longest,
            "longest_at": longest_at - started,
            "freed": tab.freed - before,
            "seconds": changed - started,
        }

    async def leave(self) -> Figures:
        """Close all tabs at once."""
        await _all_of(tab.close() for tab in self._tabs)
        self._tabs.clear()
        return {}

    @contextmanager
    def _measured(self) -> Iterator[Figures]:
        figures: Figures = {}
        started, own, server = time.perf_counter(), time.process_time(), cpu_seconds(self._server_pid)
        yield figures
        figures["seconds"] = time.perf_counter() - started
        figures["client_cpu"] = time.process_time() - own
        figures["server_cpu"] = cpu_seconds(self._server_pid) - server


async def _all_of(work: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*work)


async def _move_until(tab: Tab, end: float, latencies: list[float]) -> None:
    now = time.perf_counter()
    while now < end:
        await tab.round_trip()
        answered = time.perf_counter()
        latencies.append(answered - now)
        now = answered


async def _move_at_pace(tab: Tab, end: float, pace: float, latencies: list[float]) -> None:
    # Not all at once, as people do not move together
    await asyncio.sleep(random.random() * pace)
    while (now := time.perf_counter()) < end:
        await tab.round_trip()
        latencies.append(time.perf_counter() - now)
        await asyncio.sleep(pace)


async def _block_until(tab: Tab, end: float) -> None:
    for number in itertools.count():
        if time.perf_counter() >= end:
            return
        # Another value each time: one that stays the same calls nothing back
        await tab.round_trip(BLOCKING + number % 2)


async def _obey(load: Load, viewers: Viewers) -> None:
    commands: dict[str, Callable[..., Awaitable[Figures]]] = {
        "open": load.open,
        "round_trips": load.round_trips,
        "stay": load.stay,
        "leave": load.leave,
        "paced": load.paced,
        "view": viewers.view,
        "publish": viewers.publish,
        "close": viewers.close,
    }
    # Read in a thread: the loop must go on answering the servers' pings.
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        command = orjson.loads(line)
        answer: Figures | dict[str, str]
        try:
            answer = await commands[command.pop("do")](**command)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """Obey commands until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.client", description=__doc__)
    parser.add_argument("--server-pid", type=int, required=True)
    # A collection in the client would be taken for a stall of the server; it lives for minutes only.
    gc.disable()
    server_pid = parser.parse_args().server_pid
    uvloop.run(_obey(Load(server_pid), Viewers(server_pid)))


if __name__ == "__main__":
    main()
