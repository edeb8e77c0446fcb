"""Files of all formats for the tests, good ones and bad ones."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

CORE = "docProps/core.xml"
SHEET = "xl/worksheets/sheet1.xml"

#: One column of each type with a missing value, and one without.
TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "count": pa.array([1, None, -(2**53)], pa.int64()),
        "price": pa.array([1.5, None, -0.25], pa.float64()),
        "name": pa.array(['Ä, "b"\nc', None, "naïve"], pa.string()),
        "new": pa.array([True, None, False], pa.bool_()),
        "day": pa.array([dt.date(2026, 1, 31), None, dt.date(1999, 12, 31)], pa.date32()),
        "at": pa.array(
            [dt.datetime(2026, 1, 31, 12, 30, 1, 5000), None, dt.datetime(1999, 12, 31)], pa.timestamp("us")
        ),
        "opens": pa.array([dt.time(9, 30), None, dt.time(23, 59, 59)], pa.time64("us")),
    }
)
TYPES = ["integer", "integer", "number", "text", "boolean", "date", "datetime", "time"]
SCHEMA = [{"name": name, "type": type} for name, type in zip(TABLE.column_names, TYPES, strict=True)]


def csv(table: pa.Table = TABLE) -> bytes:
    file = io.BytesIO()
    columns = {
        name: column.cast(pa.string()) if name == "opens" else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    pyarrow.csv.write_csv(pa.table(columns), file)
    return file.getvalue()


def parquet(table: pa.Table = TABLE, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, write_page_checksum=True, **options)
    return file.getvalue()


def arrow(table: pa.Table = TABLE, *, stream: bool = False, compression: str | None = None) -> bytes:
    file = io.BytesIO()
    new = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with new(file, table.schema, options=pyarrow.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return file.getvalue()


def records(table: pa.Table = TABLE) -> list[dict[str, Any]]:
    """The rows as JSON has them, which knows no dates."""
    plain = (str, int, float, bool, type(None))
    return [
        {name: value if isinstance(value, plain) else value.isoformat() for name, value in row.items()}
        for row in table.to_pylist()
    ]


def json_array(table: pa.Table = TABLE) -> bytes:
    return json.dumps(records(table), indent=1).encode()


def json_lines(table: pa.Table = TABLE) -> bytes:
    return "".join(f"{json.dumps(record)}\n" for record in records(table)).encode()


def xlsx(rows: Sequence[Sequence[Any]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return without_times(file.getvalue())


def without_times(archive: bytes) -> bytes:
    """The same bytes in each process, though the library writes down when it made the file."""
    return with_part(
        archive, CORE, lambda content: re.sub(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z", b"2024-01-01T00:00:00Z", content)
    )


def sheet(table: pa.Table = TABLE) -> bytes:
    return xlsx([table.column_names, *(list(row.values()) for row in table.to_pylist())])


def with_part(archive: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """An Excel file with one of its parts changed."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            info = zipfile.ZipInfo(name)  # Its time is always the same
            info.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(info, change(content) if name == part else content)
    return file.getvalue()


#: The same table in all formats.
FILES = {
    "csv": csv(),
    "parquet": parquet(),
    "arrow": arrow(),
    "json": json_array(),
    "xlsx": sheet(),
}
