"""`python -m bench`: measures the servers and prints a Markdown table."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from bench.measures import MEASURES, measure
from bench.plan import FULL, QUICK, Plan, Sample
from bench.processes import SERVERS, BenchError, missing
from bench.report import as_json, notes, table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status."""
    options = _parser().parse_args(arguments)
    names = _measurable(options.servers)
    if not names:
        print("There is no server to measure.", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="vizserver-bench-"))
    started = time.monotonic()
    samples: list[Sample] = []
    try:
        samples = asyncio.run(_interruptible(names, options.only, _plan(options), folder))
    except* (BenchError, TimeoutError) as errors:
        for error in errors.exceptions:
            print(f"{error or 'A process did not answer in time.'}\nLogs are in {folder}", file=sys.stderr)
    except* (asyncio.CancelledError, KeyboardInterrupt):
        print("Stopped.", file=sys.stderr)
        shutil.rmtree(folder)
    if not samples:
        return 1
    shutil.rmtree(folder)
    print("\n\n".join([_machine(), table(samples), *notes(samples)]))
    print(f"\nTook {time.monotonic() - started:.0f} s.")
    if options.json:
        options.json.write_bytes(as_json(samples))
    return 0


async def _interruptible(
    names: Sequence[str], wanted: Sequence[str], plan: Plan, folder: Path
) -> list[Sample]:
    task = asyncio.current_task()
    assert task is not None
    # Ended by a signal, it must not leave servers behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await measure(names, wanted, plan, folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the servers side by side.")
    parser.add_argument(
        "--quick", action="store_true", help="a rough look in a minute: fewer models, sessions, repeats"
    )
    parser.add_argument(
        "--only", type=_choices(MEASURES), default=MEASURES, metavar="MEASURE,...", help=", ".join(MEASURES)
    )
    parser.add_argument(
        "--servers", type=_choices(SERVERS), default=SERVERS, metavar="SERVER,...", help=", ".join(SERVERS)
    )
    parser.add_argument(
        "--stall-limit", type=float, metavar="SECONDS", help="wait so long for the sessions that end"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to FILE")
    return parser


def _choices(allowed: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if unknown := set(chosen) - set(allowed):
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(allowed)}"
            )
        return chosen

    return names


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL
    return plan if options.stall_limit is None else replace(plan, stall_limit=options.stall_limit)


def _measurable(names: Sequence[str]) -> list[str]:
    found = []
    for name in names:
        if reason := missing(name):
            print(f"Left out: {name}: {reason}.", file=sys.stderr)
        else:
            found.append(name)
    return found


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("bokeh", "django", "uvicorn"))
    cores = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return f"Python {platform.python_version()}, {packages}; {cores}."


if __name__ == "__main__":
    sys.exit(main())
