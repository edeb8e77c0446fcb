"""Reads Excel: the first sheet that has anything, from its first row that has anything, which is the header."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

# openpyxl reads XML by it if it is there, and then refuses files with entities
import defusedxml  # noqa: F401
import openpyxl
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from ...exceptions import BadData
from ..columns import check_names
from ..limits import Meter
from .archive import check_archive
from .batches import Batch
from .plain import arrays

type Row = tuple[Any, ...]

_ROWS = 4_096
#: What Excel itself can hold.
_MOST_ROWS = 1_048_576
_ERRORS = frozenset(ERROR_CODES)
_NOTHING = (None, "")
_CHUNK = 2**20
#: A cell with a formula and without its value. An empty value is one if it is said to be text.
_FORMULA = re.compile(
    rb'<(?:\w+:)?c(?=[^<>]*\br="([A-Z]+[0-9]+)")(?![^<>]*\bt="str")[^<>]*>\s*'
    rb"<(?:\w+:)?f\b[^<>]*(?:(?<=/)>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_LONGEST_FORMULA = 10_000


class Reader:
    """The rows of one sheet. Empty rows are left out; formulas are their values."""

    written = False
    types = None

    def __init__(self, source: BinaryIO, meter: Meter) -> None:
        check_archive(source, meter)
        book = openpyxl.load_workbook(source, read_only=True, data_only=True, keep_links=False)
        self._sheet, self._header, cells = _first_with_values(book.worksheets)
        _check_formulas(source, self._sheet)
        self._places = [place for place, cell in enumerate(cells) if cell not in _NOTHING]
        self.names = [str(cells[place]).strip() for place in self._places]
        meter.check(columns=len(self.names))
        check_names(self.names, row=self._header)

    def batches(self) -> Generator[Batch]:
        """All rows below the header. Raises ``BadData`` for errors and for values that no name stands over."""
        numbers: list[int] = []
        rows: list[Row] = []
        for number, row in _rows(self._sheet):
            if number > self._header and _has_values(row):
                self._check_names_over(row, number)
                numbers.append(number)
                rows.append(row)
            if len(rows) == _ROWS:
                yield self._batch(rows, numbers)
                rows, numbers = [], []
        if rows:
            yield self._batch(rows, numbers)

    def _check_names_over(self, row: Row, number: int) -> None:
        if len(row) == len(self._places) == self._places[-1] + 1:
            return
        for place in set(range(len(row))) - set(self._places):
            if row[place] not in _NOTHING:
                cell = f"{get_column_letter(place + 1)}{number}"
                raise BadData(f"Cell {cell} has a value, but no name stands over its column.")

    def _batch(self, rows: list[Row], numbers: list[int]) -> Batch:
        columns = {
            name: [row[place] if place < len(row) else None for row in rows]
            for name, place in zip(self.names, self._places, strict=True)
        }
        for name, values in columns.items():
            if str in set(map(type, values)):
                columns[name] = _without_errors(values, numbers, name)
        return Batch(arrays(columns, numbers.__getitem__), len(rows), numbers.__getitem__)


def _without_errors(values: list[Any], numbers: list[int], name: str) -> list[Any]:
    """The values, of which empty text is none. Raises ``BadData`` for cells that show an error."""
    for number, value in zip(numbers, values, strict=True):
        if value in _ERRORS:
            raise BadData(f"the cell shows the error {value}.", row=number, column=name)
    return [None if value == "" else value for value in values]


def _first_with_values(sheets: list[ReadOnlyWorksheet]) -> tuple[ReadOnlyWorksheet, int, Row]:
    """The first sheet that is not empty, the number of its first row that is not empty, and that row."""
    for sheet in sheets:
        # What a sheet says of its own size may be wrong
        sheet.reset_dimensions()
        for number, row in _rows(sheet):
            if _has_values(row):
                return sheet, number, row
    raise BadData("The file has no sheet with any value.")


def _rows(sheet: ReadOnlyWorksheet) -> Iterator[tuple[int, Row]]:
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > _MOST_ROWS:
            raise BadData(f"The sheet has more than {_MOST_ROWS:,} rows, which Excel cannot hold.")
        yield number, row


def _has_values(row: Row) -> bool:
    return any(value not in _NOTHING for value in row)


def _check_formulas(source: BinaryIO, sheet: ReadOnlyWorksheet) -> None:
    """Refuse formulas that no program has calculated: they would be taken for empty cells."""
    with zipfile.ZipFile(source) as archive, archive.open(sheet._worksheet_path) as file:
        tail = b""
        while chunk := file.read(_CHUNK):
            tail += chunk
            if match := _FORMULA.search(tail):
                what = "has a formula without a value. Open the file in Excel, and save it"
                raise BadData(f"Cell {match[1].decode()} {what}.")
            tail = tail[-_LONGEST_FORMULA:]
