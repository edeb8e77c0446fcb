"""Tables as files that are made while they are sent, so that no whole one is ever in memory."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

#: Rows that are written at once, and in one group of a Parquet file.
_ROWS = 65_536
#: Bytes that are worth a piece of their own.
_PIECE = 2**18


class _Pieces(io.RawIOBase):
    """What a writer of pyarrow writes to; it comes out in pieces."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def take(self, *, least: int = 1) -> Iterator[bytes]:
        """What has been written since, if it is so much."""
        if self._size >= least:
            piece, self._parts, self._size = b"".join(self._parts), [], 0
            yield piece


def encode(table: Any, format: str) -> Iterator[bytes]:
    """The bytes of a ``pyarrow.Table`` in one of the formats of ``ENCODERS``."""
    return ENCODERS[format](table)


def _csv(table: Any) -> Iterator[bytes]:
    return _written(table, lambda sink: pyarrow.csv.CSVWriter(sink, table.schema))


def _parquet(table: Any) -> Iterator[bytes]:
    return _written(table, lambda sink: pq.ParquetWriter(sink, table.schema, compression="zstd"))


def _arrow(table: Any) -> Iterator[bytes]:
    return _written(table, lambda sink: pa.ipc.new_file(sink, table.schema))


def _written(table: Any, writer: Callable[[_Pieces], Any]) -> Iterator[bytes]:
    pieces = _Pieces()
    with writer(pieces) as writing:
        for start in range(0, table.num_rows, _ROWS):
            # One piece of memory, however many small ones a table was made of
            writing.write_table(table.slice(start, _ROWS).combine_chunks())
            yield from pieces.take(least=_PIECE)
    yield from pieces.take()


def _json(table: Any) -> Iterator[bytes]:
    """A list of records, one on a line; what JSON has no word for, such as NaN, is null."""
    yield b"["
    for start in range(0, table.num_rows, _ROWS // 8):
        records = table.slice(start, _ROWS // 8).to_pylist()
        text = b",\n".join(orjson.dumps(record) for record in records)
        yield (b"\n" if start == 0 else b",\n") + text
    yield b"\n]\n" if table.num_rows else b"]\n"


ENCODERS: dict[str, Callable[[Any], Iterator[bytes]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
    "json": _json,
}
