"""The table that the measures of data publish: ten columns, of which one is the region of a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bokeh.models.sources import ColumnDataSource
from bokeh.plotting import figure
from pyarrow import csv

REGIONS = ("Africa", "Asia", "EU", "US")
_FLOATS = 6
_ROW_GROUP = 131_072


def write(path: Path, rows: int) -> None:
    """Write a table to a Parquet file, sorted by nothing."""
    pq.write_table(_table(rows), path, compression="zstd", row_group_size=_ROW_GROUP)


def write_text(source: Path, target: Path) -> None:
    """Write the table in a Parquet file to a CSV file."""
    csv.write_csv(pq.read_table(source), target)


def write_curve(path: Path, points: int, number: int) -> None:
    """Write the points of a curve, different for each number, to a CSV file."""
    x = np.linspace(0.0, 1.0, points)
    csv.write_csv(pa.table({"x": x, "y": np.sin(x + number)}), path)


def plot(source: ColumnDataSource) -> figure:
    """A plot of two columns of the table; all are in the source."""
    shown = figure(x_axis_type="datetime")
    shown.line("day", "x0", source=source)
    return shown


def _table(rows: int) -> pa.Table:
    random = np.random.default_rng(1)
    days = np.datetime64("2020-01-01", "us") + random.integers(0, 10**9, rows).astype("m8[ms]")
    columns = {
        **{f"x{number}": random.normal(size=rows) for number in range(_FLOATS)},
        "few": random.integers(0, 1000, rows),
        "many": random.integers(0, 10**6, rows),
        "day": days.astype("M8[us]"),
        "region": np.array(REGIONS, object)[random.integers(0, len(REGIONS), rows)],
    }
    return pa.table(columns)
