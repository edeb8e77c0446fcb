"""Reads Parquet."""

from __future__ import annotations

from collections.abc import Generator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ...exceptions import BadData
from ..limits import Meter
from .batches import Batch
from .columnar import checked, rows_at_once, types_of

#: Bytes of a column that are read at once; without it, a whole row group is.
_BUFFER = 2**20


class Reader:
    """The rows of a Parquet file, which is asked what it holds before any of it is unpacked."""

    written = False

    def __init__(self, source: BinaryIO, meter: Meter) -> None:
        try:
            self._file = pq.ParquetFile(source, buffer_size=_BUFFER, page_checksum_verification=True)
        except (pa.ArrowException, OSError) as error:
            if "crypt" in str(error):
                raise BadData("The file is encrypted.", detail=str(error)) from None
            raise
        told = self._file.metadata
        self._meter = meter
        self._rows = told.num_rows
        self._unpacked = sum(told.row_group(number).total_byte_size for number in range(told.num_row_groups))
        meter.check(rows=self._rows, columns=told.num_columns, unpacked=self._unpacked)
        self.types = types_of(self._file.schema_arrow)
        self.names = list(self.types)

    def batches(self) -> Generator[Batch]:
        """All rows. Raises ``BadData`` when there are fewer or more than the file says."""
        meter = self._meter.anew()
        size = rows_at_once(self._rows, len(self.names), self._unpacked)
        for table in self._file.iter_batches(size, use_threads=False):
            yield from checked(table, meter)
        if meter.rows != self._rows:
            raise BadData(f"The file says that it has {self._rows:,} rows, but it has {meter.rows:,}.")
