"""How much is measured, and what a measure gives."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How much to measure; times in seconds."""

    models: tuple[int, ...] = (39, 195)
    sessions: int = 60
    repeats: int = 3
    window: float = 1.2
    memory_from: int = 20
    memory_to: int = 220
    leavers: int = 300  # not fewer than memory_to
    paced: float = 6.0
    pace: float = 0.25
    quiet: float = 2.0
    aftermath: float = 3.0
    # The stock servers took 78 and 118 s to let 300 go on two busy cores; cut off, theirs is a lower bound.
    stall_limit: float = 30.0
    rows: int = 1_000_000
    viewers: int = 8  # beyond the first two
    added: int = 100
    additions: int = 5
    followers: int = 10
    publications: int = 20


FULL = Plan()
QUICK = Plan(
    models=(39,),
    sessions=20,
    repeats=1,
    window=0.5,
    memory_from=5,
    memory_to=25,
    leavers=25,
    paced=3.0,
    quiet=1.0,
    aftermath=1.0,
    stall_limit=10.0,
    rows=100_000,
    viewers=4,
    additions=3,
    publications=5,
)


@dataclass(frozen=True)
class Sample:
    """The figures of one measure of one server, once."""

    measure: str
    server: str
    models: int
    sessions: int
    figures: dict[str, float]
    rows: int = 0
    processes: int = 1


def say(progress: str) -> None:
    """Tell who waits what is being measured."""
    print(f"{time.strftime('%H:%M:%S')} {progress}", file=sys.stderr, flush=True)
