"""Writes Parquet, some rows at a time, and reads back what it wrote."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from ..columns import arrow_schema

#: Rows of a row group, or bytes if these are reached before.
GROUP = 131_072
_BYTES = 64 * 2**20
_MAGIC = b"PAR1"
#: The bytes after the metadata: how many these are, and ``PAR1``.
_END = 8
_CHUNK = 2**20
#: Bytes of the different values of a column up to which a row group lists them: lists of more take time, and more room.
_LISTED = 128 * 2**10


class Writer:
    """A Parquet file that grows by rows. Leaving it because of an error leaves a file that is not whole."""

    def __init__(self, target: Path, types: Mapping[str, str]) -> None:
        self._target = target
        self._schema = arrow_schema(types)
        self._file = target.open("wb")
        self._sink = pa.PythonFile(self._file, "w")
        self._writer = pq.ParquetWriter(
            self._sink,
            self._schema,
            compression="zstd",
            dictionary_pagesize_limit=_LISTED,
            write_statistics=True,
            write_page_checksum=True,
        )
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._begun_with: Any = None
        self.rows = 0

    def begin_with(self, source: IO[bytes], metadata: Any) -> None:
        """Take the row groups of a file with the same columns as they are, before any others are written.

        Each is found by its place in the file, which the metadata at the end tell; so what is in front stays right.
        https://parquet.apache.org/docs/file-format/
        """
        self._begun_with = metadata
        self.rows += metadata.num_rows
        left = _end_of_groups(source) - len(_MAGIC)
        source.seek(len(_MAGIC))
        while left and (chunk := source.read(min(left, _CHUNK))):
            # Not past the sink, by which the writer knows where it is
            self._sink.write(chunk)
            left -= len(chunk)

    def write(self, columns: Mapping[str, pa.Array]) -> None:
        """Add rows: the columns by their names, as they are stored."""
        batch = pa.record_batch([columns[name] for name in self._schema.names], schema=self._schema)
        self.rows += len(batch)
        self._waiting.append(batch)
        self._waiting_rows += len(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= GROUP or self._waiting_bytes >= _BYTES:
            self._flush()

    def end_group(self) -> None:
        """Let the next row begin a row group."""
        if self._waiting_rows:
            self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        # Of many short batches, what is more than a row group waits for the next
        whole = len(table) - len(table) % GROUP or len(table)
        self._writer.write_table(table[:whole], row_group_size=GROUP)
        rest = table[whole:]
        self._waiting = rest.to_batches()
        self._waiting_rows, self._waiting_bytes = len(rest), rest.nbytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self.end_group()
                self._writer.close()
            else:
                self._abandon()
        if error is None:
            if self._begun_with is not None:
                self._tell_of_all()
            self._check()

    def _abandon(self) -> None:
        # Its end would only say again what went wrong, a full disk for one
        with suppress(pa.ArrowException, OSError):
            self._writer.close()

    def _tell_of_all(self) -> None:
        """Put metadata of all row groups in the place of those of the written ones."""
        self._begun_with.append_row_groups(pq.read_metadata(self._target))
        metadata = io.BytesIO()
        self._begun_with.write_metadata_file(metadata)
        with self._target.open("r+b") as file:
            file.truncate(_end_of_groups(file))
            file.seek(0, os.SEEK_END)
            file.write(metadata.getbuffer()[len(_MAGIC) :])

    def _check(self) -> None:
        """Read back what the file says of itself: who reads it next must find it whole."""
        told = pq.read_metadata(self._target)
        if told.num_rows != self.rows or not told.schema.to_arrow_schema().equals(self._schema):
            raise OSError("The Parquet file is not what was written into it.")


def _end_of_groups(file: IO[bytes]) -> int:
    """Where in a Parquet file the metadata begin."""
    size = file.seek(-_END, os.SEEK_END)
    return size - int.from_bytes(file.read(4), "little")
