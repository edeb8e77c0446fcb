"""The measures of published data: a big table that people open and add to, and a curve that is published often.

The viewers are websockets that take everything and draw nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench import table
from bench.meter import resident_bytes
from bench.plan import Plan, Sample, say
from bench.processes import APP_FOLDER, LONG_LIVED, TABLE, Client, Server, loading, run, serving, telling

MEASURES = ("data", "news")

_OURS = [APP_FOLDER / "published" / "rows.py", APP_FOLDER / "published" / "curve.py"]
_STOCK = [APP_FOLDER / "stock" / "rows.py"]
_POINTS = 1000
_OWN_VIEWERS = 4
#: Longer than a session waits between two refreshes, in seconds, so that no publication waits for the one before.
_PAUSE = 1.05
_SETTLE = 1.0


@dataclass(frozen=True)
class Publisher:
    """Publishes by one of our servers; its load client has the viewers."""

    server: Server
    client: Client
    folder: Path
    #: By what it is let in, and people are, see `bench.furnish`
    keys: dict[str, str]

    async def publish(self, name: str, path: Path, **options: Any) -> dict[str, float]:
        """Publish a file, as what its suffix says."""
        url = f"{self.server.site}/api/datasets/{name}"
        return await self.client.ask("publish", url=url, token=self.keys["token"], path=str(path), **options)

    async def publish_curve(self, number: int) -> dict[str, float]:
        """Publish a small data set, other than the one with the number before."""
        path = self.folder / "curve.csv"
        table.write_curve(path, _POINTS, number)
        return await self.publish("curve", path)


async def published(names: Sequence[str], wanted: Collection[str], plan: Plan, folder: Path) -> list[Sample]:
    """Take all wanted measures of the named servers, one server after the other."""
    samples: list[Sample] = []
    keys = await _furnish(folder) if "ours" in names else {}
    if "data" in wanted:
        table.write(folder / TABLE, plan.rows)
        for name in names:
            say(f"published data: {name}")
            samples.append(
                await (_ours(plan, folder, keys) if name == "ours" else _stock(name, plan, folder))
            )
    if "news" in wanted and "ours" in names:
        samples.append(await _news(plan, folder, keys))
        if shutil.which("redis-server") is None:
            print("Left out: two processes: there is no redis-server.", file=sys.stderr)
        else:
            async with telling(folder) as address:
                samples.append(await _news(plan, folder, keys, REDIS_URL=address))
    return samples


async def _furnish(folder: Path) -> dict[str, str]:
    printed = await run("-m", "bench.furnish", folder=folder)
    keys: dict[str, str] = orjson.loads(printed.splitlines()[-1])
    return keys


# A big table


async def _ours(plan: Plan, folder: Path, keys: dict[str, str]) -> Sample:
    async with _running("ours", folder, _OURS) as (server, client):
        publisher = Publisher(server, client, folder, keys)
        # So that the first session with the table is not the first with a data set
        await publisher.publish_curve(0)
        await client.ask("view", url=server.page("curve"))
        await client.ask("close")
        figures = await _publications(publisher, plan)
        figures |= await _openings(server, client, keys["all"], plan)
        figures |= await _additions(publisher, plan)
        await client.ask("close")
        figures |= await _own(client, server.page("rows"), keys["own"])
    return Sample("data", "ours", 0, plan.viewers, figures, plan.rows)


async def _stock(name: str, plan: Plan, folder: Path) -> Sample:
    async with _running(name, folder, _STOCK) as (server, client):
        # As above
        await client.ask("view", url=f"{server.page('rows')}?region=none")
        figures = await _openings(server, client, "", plan)
        await client.ask("close")
        figures |= await _own(client, f"{server.page('rows')}?region={table.REGIONS[0]}")
    return Sample("data", name, 0, plan.viewers, figures, plan.rows)


@asynccontextmanager
async def _running(name: str, folder: Path, apps: Sequence[Path]) -> AsyncIterator[tuple[Server, Client]]:
    async with serving(name, LONG_LIVED, folder, apps) as server, loading(server, folder) as client:
        yield server, client


async def _publications(publisher: Publisher, plan: Plan) -> dict[str, float]:
    as_text = publisher.folder / "rows.csv"
    await asyncio.to_thread(table.write_text, publisher.folder / TABLE, as_text)
    text = await publisher.publish("text", as_text)
    parquet = await publisher.publish("rows", publisher.folder / TABLE)
    return {"publish_s": parquet["seconds"], "publish_text_s": text["seconds"]}


async def _openings(server: Server, client: Client, cookie: str, plan: Plan) -> dict[str, float]:
    """One viewer, one more who finds all that stays in memory, then those who are weighed."""
    page = server.page("rows")
    first = await client.ask("view", url=page, cookie=cookie)
    await client.ask("view", url=page, cookie=cookie)
    before = await _settled_memory(server)
    further = [await client.ask("view", url=page, cookie=cookie) for _ in range(plan.viewers)]
    grown = await _settled_memory(server) - before
    return {
        "first_ms": first["seconds"] * 1000,
        "further_ms": statistics.median(view["seconds"] for view in further) * 1000,
        "further_cpu_ms": statistics.median(view["server_cpu"] for view in further) * 1000,
        "opening_mb": first["bytes"] / 1e6,
        # A process takes and gives back some memory in any case
        "viewer_mib": max(grown, 0) / plan.viewers / 2**20,
    }


async def _settled_memory(server: Server) -> int:
    await asyncio.sleep(_SETTLE)
    return resident_bytes(server.pid)


async def _own(client: Client, page: str, cookie: str = "") -> dict[str, float]:
    """Viewers of the rows of one region."""
    views = [await client.ask("view", url=page, cookie=cookie) for _ in range(_OWN_VIEWERS)]
    return {
        "own_first_ms": views[0]["seconds"] * 1000,
        "own_further_ms": statistics.median(view["seconds"] for view in views[1:]) * 1000,
    }


async def _additions(publisher: Publisher, plan: Plan) -> dict[str, float]:
    """Rows that are added while all look."""
    path = publisher.folder / "added.parquet"
    table.write(path, plan.added)
    made = []
    for _ in range(plan.additions):
        await asyncio.sleep(_PAUSE)
        made.append(await publisher.publish("rows/rows", path, append=True))
    medians = {name: statistics.median(one[name] for one in made) for name in ("seconds", "wait", "bytes")}
    return {
        "append_s": medians["seconds"],
        "append_wait_ms": medians["wait"] * 1000,
        "append_bytes": medians["bytes"],
    }


# A small one, again and again


async def _news(plan: Plan, folder: Path, keys: dict[str, str], **environment: str) -> Sample:
    """How long a new version takes to those who look, half of whom are on another process where there is Redis."""
    processes = 2 if environment else 1
    say(f"a curve that is followed: {processes} process{'es' * (processes > 1)}")
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(serving("ours", LONG_LIVED, folder, _OURS, **environment))
            for _ in range(processes)
        ]
        client = await stack.enter_async_context(loading(servers[0], folder))
        publisher = Publisher(servers[0], client, folder, keys)
        await publisher.publish_curve(0)
        for number in range(plan.followers):
            await client.ask("view", url=servers[number % processes].page("curve"))
        made = []
        for number in range(1, plan.publications + 1):
            await asyncio.sleep(_PAUSE)
            made.append(await publisher.publish_curve(number))
        await client.ask("close")
    figures = _spread("wait", [one["wait"] for one in made])
    figures |= _spread("whole", [one["seconds"] + one["wait"] for one in made])
    return Sample("news", "ours", 0, plan.followers, figures, _POINTS, processes)


def _spread(name: str, times: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return {f"{name}_p50_ms": cuts[9] * 1000, f"{name}_p95_ms": cuts[18] * 1000}
