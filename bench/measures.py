"""The measures: what is done to the servers, in which order, and what is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import data
from bench.meter import resident_bytes
from bench.plan import Plan, Sample, say
from bench.processes import LONG_LIVED, SHORT_LIVED, BenchError, Client, Server, loading, prepare, serving

MEASURES = ("roundtrip", "open", "blocked", "memory", "stall", *data.MEASURES)

_OPENING_AT_ONCE = 8
_WARM_UP = 0.3
_SETTLE = 1.0


@dataclass(frozen=True)
class Loaded:
    """A server with its load client."""

    server: Server
    client: Client

    async def open(self, models: int, count: int) -> dict[str, float]:
        """Open sessions of the app with so many models."""
        return await self.client.ask(
            "open", url=self.server.page(f"models{models}"), count=count, at_once=_OPENING_AT_ONCE
        )


async def measure(names: Sequence[str], wanted: Collection[str], plan: Plan, folder: Path) -> list[Sample]:
    """Take all wanted measures of the named servers; logs go to `folder`."""
    samples: list[Sample] = []
    for name in names:
        await prepare(name, folder)
    if not {"roundtrip", "open", "blocked"}.isdisjoint(wanted):
        for models in plan.models:
            say(f"round trips and openings, {models} models: {', '.join(names)}")
            samples += await _live(names, models, wanted, plan, folder)
    if not {"memory", "stall"}.isdisjoint(wanted):
        for name in names:
            say(f"memory and stall: {name}")
            samples += await _crowd(name, wanted, plan, folder)
    if not set(data.MEASURES).isdisjoint(wanted):
        samples += await data.published(names, wanted, plan, folder)
    return [sample for sample in samples if sample.measure in wanted]


async def _live(
    names: Sequence[str], models: int, wanted: Collection[str], plan: Plan, folder: Path
) -> list[Sample]:
    """Open sessions and make round trips, with the servers side by side and taking turns."""
    samples: list[Sample] = []
    async with AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as starting:
            tasks = [starting.create_task(_start(name, stack, folder)) for name in names]
        teams = [task.result() for task in tasks]
        for team in teams:
            await team.open(models, 1)
        samples += [await _round_trips(team, models, 1, plan) for team in _turns(teams, plan.repeats)]
        batches = _batches(plan.sessions - 1, plan.repeats)
        for count in batches:
            samples += [await _openings(team, models, count) for team in teams]
        samples += [
            await _round_trips(team, models, plan.sessions, plan) for team in _turns(teams, plan.repeats)
        ]
        if "blocked" in wanted and models == plan.models[0]:
            samples += [await _blocked(team, models, plan) for team in teams]
    return samples


async def _start(name: str, stack: AsyncExitStack, folder: Path) -> Loaded:
    server = await stack.enter_async_context(serving(name, LONG_LIVED, folder))
    return Loaded(server, await stack.enter_async_context(loading(server, folder)))


async def _openings(team: Loaded, models: int, count: int) -> Sample:
    raw = await team.open(models, count)
    return Sample("open", team.server.name, models, count, _per_piece(raw))


async def _round_trips(team: Loaded, models: int, sessions: int, plan: Plan) -> Sample:
    await team.client.ask("round_trips", sessions=sessions, seconds=_WARM_UP)
    raw = await team.client.ask("round_trips", sessions=sessions, seconds=plan.window)
    figures = _per_piece(raw) | {
        "bytes": raw["bytes"] / raw["count"],
        "median_ms": raw["median"] * 1000,
        "p99_ms": raw["p99"] * 1000,
    }
    return Sample("roundtrip", team.server.name, models, sessions, figures)


async def _blocked(team: Loaded, models: int, plan: Plan) -> Sample:
    figures = {}
    for name, blocked in (("free_p99_ms", False), ("blocked_p99_ms", True)):
        raw = await team.client.ask("paced", seconds=plan.paced, pace=plan.pace, blocked=blocked)
        figures[name] = raw["p99"] * 1000
    figures["share"] = figures["blocked_p99_ms"] / figures["free_p99_ms"]
    return Sample("blocked", team.server.name, models, plan.sessions, figures)


def _per_piece(raw: dict[str, float]) -> dict[str, float]:
    return {
        "per_second": raw["count"] / raw["seconds"],
        "server_cpu_ms": raw["server_cpu"] / raw["count"] * 1000,
        "client_cpu_ms": raw["client_cpu"] / raw["count"] * 1000,
    }


async def _crowd(name: str, wanted: Collection[str], plan: Plan, folder: Path) -> list[Sample]:
    """Fill one server with idle sessions, weigh them, then let them leave at once."""
    models = plan.models[0]
    samples: list[Sample] = []
    async with (
        serving(name, SHORT_LIVED, folder) as server,
        loading(server, folder) as leavers,
        # Another process than those who leave: closing hundreds of sockets would hold up its loop,
        # and count as a stall of the server.
        loading(server, folder) as stayer,
    ):
        crowd, there = Loaded(server, leavers), 0
        if "memory" in wanted:
            samples.append(await _memory(crowd, models, plan))
            there = plan.memory_to
        if "stall" in wanted:
            await crowd.open(models, plan.leavers - there)
            samples.append(await _stall(crowd, Loaded(server, stayer), models, plan))
    return samples


async def _memory(crowd: Loaded, models: int, plan: Plan) -> Sample:
    await crowd.open(models, plan.memory_from)
    before = await _settled_memory(crowd.server)
    more = plan.memory_to - plan.memory_from
    await crowd.open(models, more)
    grown = await _settled_memory(crowd.server) - before
    return Sample("memory", crowd.server.name, models, more, {"kib": grown / more / 1024})


async def _settled_memory(server: Server) -> int:
    await asyncio.sleep(_SETTLE)
    return resident_bytes(server.pid)


async def _stall(crowd: Loaded, stayer: Loaded, models: int, plan: Plan) -> Sample:
    await stayer.open(models, 1)
    quiet = await stayer.client.ask("stay", seconds=plan.quiet, freed=0, limit=plan.stall_limit)
    await stayer.client.tell("stay", seconds=plan.aftermath, freed=plan.leavers, limit=plan.stall_limit)
    await crowd.client.ask("leave")
    figures = await stayer.client.answer()
    if figures["freed"] == 0:
        raise BenchError(
            f"{stayer.server.name} let none of {plan.leavers} sessions go in {plan.stall_limit:.0f} s"
        )
    return Sample(
        "stall",
        stayer.server.name,
        models,
        plan.leavers,
        {
            "longest_ms": figures["longest"] * 1000,
            "longest_at_s": figures["longest_at"],
            "before_ms": quiet["longest"] * 1000,
            "freed": figures["freed"],
            "gone_after_s": figures["seconds"],
        },
    )


def _turns(teams: Sequence[Loaded], repeats: int) -> Iterator[Loaded]:
    """Each team once per repeat, a different one first each time."""
    for repeat in range(repeats):
        first = repeat % len(teams)
        yield from (*teams[first:], *teams[:first])


def _batches(total: int, parts: int) -> list[int]:
    return [total // parts + (part < total % parts) for part in range(parts)]
