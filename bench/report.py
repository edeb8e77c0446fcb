"""Turns samples into a Markdown table of medians with ratios, and into JSON."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import orjson

from bench.plan import Sample

TITLES = {"ours": "runbokeh", "bokeh": "bokeh serve", "asgi": "BokehASGI"}

_RATIOS = (("ours", "asgi"), ("ours", "bokeh"))


class _Figure(NamedTuple):
    measure: str
    key: str
    label: str
    digits: int


class _Case(NamedTuple):
    measure: str
    models: int
    sessions: int
    rows: int
    processes: int


_FIGURES = (
    _Figure("roundtrip", "per_second", "round trips/s", 0),
    _Figure("roundtrip", "server_cpu_ms", "server CPU per round trip, ms", 2),
    _Figure("roundtrip", "median_ms", "wait for a round trip, median, ms", 1),
    _Figure("roundtrip", "p99_ms", "wait for a round trip, p99, ms", 1),
    _Figure("roundtrip", "bytes", "bytes per round trip, both ways", 0),
    _Figure("roundtrip", "client_cpu_ms", "load client's own CPU, ms", 2),
    _Figure("open", "per_second", "sessions opened/s", 1),
    _Figure("open", "server_cpu_ms", "server CPU per opening, ms", 1),
    _Figure("open", "client_cpu_ms", "load client's own CPU, ms", 1),
    _Figure("blocked", "free_p99_ms", "wait at an easy pace, p99, ms", 1),
    _Figure("blocked", "blocked_p99_ms", "the same while a callback of one session blocks, p99, ms", 1),
    _Figure("blocked", "share", "the second over the first", 2),
    _Figure("memory", "kib", "memory per idle session, KiB", 0),
    _Figure("stall", "before_ms", "longest wait of one who stays, before, ms", 0),
    _Figure("stall", "longest_ms", "longest wait of one who stays, while the others end, ms", 0),
    _Figure("stall", "freed", "documents freed while measured", 0),
    _Figure("stall", "gone_after_s", "last of these freed after, s", 1),
    _Figure("data", "publish_s", "ten columns published as Parquet, s", 2),
    _Figure("data", "publish_text_s", "the same as CSV, s", 2),
    _Figure("data", "first_ms", "all data at the first viewer, ms", 0),
    _Figure("data", "further_ms", "all data at a further viewer, median, ms", 0),
    _Figure("data", "further_cpu_ms", "server CPU for a further viewer, ms", 0),
    _Figure("data", "opening_mb", "bytes for a viewer, MB", 1),
    _Figure("data", "viewer_mib", "memory per further viewer, MiB", 1),
    _Figure("data", "own_first_ms", "a quarter of the rows at their first viewer, ms", 0),
    _Figure("data", "own_further_ms", "the same at a further viewer, median, ms", 0),
    _Figure("data", "append_s", "a hundred rows added, s", 2),
    _Figure("data", "append_wait_ms", "these at the last viewer after the answer, ms", 0),
    _Figure("data", "append_bytes", "bytes per viewer for these", 0),
    _Figure("news", "wait_p50_ms", "a new version at the last viewer after the answer, median, ms", 0),
    _Figure("news", "wait_p95_ms", "the same, p95, ms", 0),
    _Figure("news", "whole_p50_ms", "the same after the request, median, ms", 0),
    _Figure("news", "whole_p95_ms", "the same after the request, p95, ms", 0),
)


def table(samples: Sequence[Sample]) -> str:
    """Medians side by side, one row a figure, with the ratios that can be formed."""
    names = [name for name in TITLES if any(sample.server == name for sample in samples)]
    ratios = [(over, under) for over, under in _RATIOS if over in names and under in names]
    medians = _medians(samples)
    titles = ["measure", *(TITLES[name] for name in names), *(f"{over}/{under}" for over, under in ratios)]
    lines = [_line(titles), _line(["---", *["---:"] * (len(titles) - 1)])]
    for case in _cases(samples):
        for figure in (figure for figure in _FIGURES if figure.measure == case.measure):
            values = {name: medians.get((name, case, figure.key)) for name in names}
            cells = [_number(values[name], figure.digits) for name in names]
            shares = [_number(_ratio(values[over], values[under]), 2) for over, under in ratios]
            lines.append(_line([f"{figure.label} ({_about(case)})", *cells, *shares]))
    return "\n".join(lines)


def notes(samples: Sequence[Sample]) -> list[str]:
    """What a reader must know to read the table rightly."""
    cut = [s for s in samples if s.measure == "stall" and s.figures["freed"] < s.sessions]
    return [
        f"{TITLES[s.server]} had freed {s.figures['freed']:.0f} of {s.sessions} documents when the measure was "
        "cut off: its longest wait is a lower bound (--stall-limit waits longer)."
        for s in cut
    ]


def as_json(samples: Sequence[Sample]) -> bytes:
    """Every sample, not the medians only."""
    return orjson.dumps([asdict(sample) for sample in samples], option=orjson.OPT_INDENT_2)


def _medians(samples: Sequence[Sample]) -> dict[tuple[str, _Case, str], float]:
    values: dict[tuple[str, _Case, str], list[float]] = defaultdict(list)
    for sample in samples:
        for key, value in sample.figures.items():
            values[sample.server, _case(sample), key].append(value)
    return {place: statistics.median(found) for place, found in values.items()}


def _cases(samples: Sequence[Sample]) -> list[_Case]:
    return list(dict.fromkeys(sorted(map(_case, samples), key=lambda case: _order(case))))


def _order(case: _Case) -> tuple[int, ...]:
    measures = [figure.measure for figure in _FIGURES]
    return measures.index(case.measure), case.models, case.sessions, case.rows, case.processes


def _case(sample: Sample) -> _Case:
    # Batches of openings differ by one in size; they are the same case.
    sessions = 0 if sample.measure == "open" else sample.sessions
    return _Case(sample.measure, sample.models, sessions, sample.rows, sample.processes)


def _about(case: _Case) -> str:
    size = f"{case.rows:,} rows" if case.rows else f"{case.models} models"
    sessions = f", {case.sessions} session{'s' * (case.sessions != 1)}" if case.sessions else ""
    processes = f", {case.processes} processes with Redis" if case.processes > 1 else ""
    return size + sessions + processes


def _ratio(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
