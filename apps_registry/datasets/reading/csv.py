"""Reads CSV: with a header, separated by commas, semicolons, tabs or bars, quoted as in RFC 4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain, islice
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv

from ...exceptions import BadData
from ..columns import check_names
from ..limits import Meter, size_text
from .batches import Batch
from .text import BOM, check_text, chunks

#: Bytes that are read at once; a row must be shorter.
BLOCK = 4 * 2**20
_DELIMITERS = ",;\t|"
#: A last row, which a quote that is not closed takes in.
_END = "end"


class Reader:
    """The rows of a CSV file, all values as text. Empty lines are no rows, but count as such in messages."""

    written = True
    types = None

    def __init__(self, source: BinaryIO, meter: Meter) -> None:
        check_text(source)
        self._source = source
        self._wrong: list[pyarrow.csv.InvalidRow] = []
        self._check_quotes()
        header = self._read_header()
        meter.check(columns=len(self.names))
        check_names(self.names, row=header)

    def batches(self) -> Generator[Batch]:
        """All rows, read by Arrow. Raises ``BadData`` with the row for what is no table."""
        if self._source.seek(0, io.SEEK_END) <= self._start:
            return
        self._source.seek(self._start)
        done = 0
        try:
            for table in self._open():
                columns = dict(zip(self.names, table.columns, strict=True))
                yield Batch(columns, len(table), partial(self._row, done))
                done += len(table)
        except pa.ArrowInvalid as error:
            raise self._explained(error, done) from error

    def _open(self) -> pyarrow.csv.CSVStreamingReader:
        return pyarrow.csv.open_csv(
            self._source,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=BLOCK, column_names=self.names
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=self._keep
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(self.names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def _keep(self, row: pyarrow.csv.InvalidRow) -> str:
        self._wrong.append(row)
        return "error"

    def _explained(self, error: pa.ArrowInvalid, done: int) -> BadData:
        if self._wrong:
            wrong = self._wrong[0]
            values = "1 value" if wrong.actual_columns == 1 else f"{wrong.actual_columns} values"
            what = f"{values}, but the header has {wrong.expected_columns}."
            return BadData(what, row=self._row(0, wrong.number - 1))
        if "straddling" in str(error):
            return BadData(
                f"this row or one soon after it is longer than {size_text(BLOCK)}.", row=self._row(done, 0)
            )
        return BadData("The file is not CSV.", detail=str(error))

    # The header, and the file as Python's reader has it, which is slower and knows where it is

    def _read_header(self) -> int:
        """Find the names and where the rows begin. Returns the header's row."""
        block, lines, before = self._beginning()
        reader = csv.reader(lines[before:], delimiter=self._delimiter)
        try:
            self.names = [name.strip() for name in next(reader)]
        except csv.Error:
            raise BadData("the header has a name that is far too long.", row=before + 1) from None
        after = before + reader.line_num
        if len(block) == BLOCK and after == len(lines):
            raise BadData(f"the header is longer than {size_text(BLOCK)}.", row=before + 1)
        self._start = sum(len(line.encode()) for line in lines[:after]) + len(BOM) * block.startswith(BOM)
        self._first = before + 2
        return before + 1

    def _beginning(self) -> tuple[bytes, list[str], int]:
        """The first block, its lines, and how many empty ones come first. Finds the delimiter."""
        self._source.seek(0)
        block = self._source.read(BLOCK)
        lines = io.StringIO(block.decode("utf-8-sig", "ignore"), newline="").readlines()
        before = next((number for number, line in enumerate(lines) if line.strip()), None)
        if before is None:
            raise BadData("The file is empty.")
        self._delimiter = next((mark for mark in _DELIMITERS if mark in lines[before]), ",")
        return block, lines, before

    def _check_quotes(self) -> None:
        """Refuse a quote that is not closed: Arrow would take all that follows for one value."""
        if sum(chunk.count(b'"') for chunk in chunks(self._source)) % 2 == 0:
            return
        self._beginning()
        row, is_closed = 0, True
        try:
            for record in self._records(0, end=_END):
                row += 1
                is_closed = record == [_END]
        except csv.Error:
            what = "a value that is far too long, and somewhere in the file a quote is not closed."
            raise BadData(what, row=row + 1) from None
        if not is_closed:
            raise BadData("a quote is not closed.", row=row)

    def _records(self, start: int, *, end: str = "") -> Iterator[list[str]]:
        """The rows, the empty ones among them, and what ``end`` becomes after them. Raises ``csv.Error``."""
        self._source.seek(start)
        text = io.TextIOWrapper(self._source, "utf-8-sig", newline="")
        try:
            yield from csv.reader(chain(text, [end] if end else []), delimiter=self._delimiter)
        finally:
            text.detach()

    def _row(self, done: int, index: int) -> int:
        """The number of the row that comes after ``done + index`` others that are not empty."""
        records = enumerate(self._records(self._start), self._first)
        numbers = (number for number, record in records if record)
        try:
            return next(islice(numbers, done + index, None))
        except (csv.Error, StopIteration):
            return self._first + done + index
