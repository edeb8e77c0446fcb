"""Reads Arrow's own files: IPC, as a file (Feather) or as a stream."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.ipc as ipc

from ..limits import Meter
from .batches import Batch
from .columnar import checked, types_of

_FILE = b"ARROW1"


class Reader:
    """The rows of an Arrow file."""

    written = False

    def __init__(self, source: BinaryIO, meter: Meter) -> None:
        self._meter = meter
        self._source = source
        source.seek(0)
        self._is_stream = source.read(len(_FILE)) != _FILE
        schema = self._open().schema
        meter.check(columns=len(schema))
        self.types = types_of(schema)
        self.names = list(self.types)

    def _open(self) -> ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader:
        self._source.seek(0)
        # Mapped, a batch takes no memory, however big it is; by its descriptor, for it may have no name
        mapped = os.name == "posix"
        file = pa.memory_map(f"/dev/fd/{self._source.fileno()}") if mapped else pa.PythonFile(self._source)
        return ipc.open_stream(file) if self._is_stream else ipc.open_file(file)

    def batches(self) -> Generator[Batch]:
        """All rows."""
        meter = self._meter.anew()
        for table in self._tables():
            yield from checked(table, meter)

    def _tables(self) -> Iterator[pa.RecordBatch]:
        reader = self._open()
        if self._is_stream:
            yield from reader
        else:
            yield from (reader.get_batch(number) for number in range(reader.num_record_batches))
