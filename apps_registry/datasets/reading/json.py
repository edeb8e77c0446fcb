"""Reads JSON: an array of objects, or one object after the other (NDJSON)."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any, BinaryIO

from ...exceptions import BadData, quoted
from ..columns import name_fault
from ..limits import Meter
from .batches import Batch
from .plain import arrays
from .text import BOM, check_text

#: Letters that are read at once, and those that a record may have.
_CHUNK = 2**20
MAX_RECORD = 16 * 2**20
#: Rows and letters of one batch.
_ROWS = 16_384
_LETTERS = 8 * 2**20
_SPACE = re.compile(r"[ \t\r\n]*")


class Reader:
    """The records of a JSON file."""

    written = False
    names = None
    types = None

    def __init__(self, source: BinaryIO, meter: Meter) -> None:
        check_text(source)
        self._source = source
        self._meter = meter

    def batches(self) -> Generator[Batch]:
        """All records; a batch has the columns that any of its records has."""
        self._source.seek(0)
        if self._source.read(len(BOM)) != BOM:
            self._source.seek(0)
        text = io.TextIOWrapper(self._source, "utf-8", newline="")
        try:
            done = 0
            for records in _grouped(_Records(text)):
                yield self._batch(records, done)
                done += len(records)
        finally:
            text.detach()

    def _batch(self, records: list[dict[str, Any]], done: int) -> Batch:
        names = list(dict.fromkeys(chain.from_iterable(records)))
        self._meter.check(columns=len(names))

        def row(index: int) -> int:
            return done + index + 1

        for name in names:
            if (fault := name_fault(name)) is not None:
                first = next(index for index, record in enumerate(records) if name in record)
                raise BadData(f"a value has {fault}.", row=row(first))

        columns = {name: [record.get(name) for record in records] for name in names}
        return Batch(arrays(columns, row), len(records), row)


def _grouped(records: _Records) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    since = 0
    for record in records:
        group.append(record)
        if len(group) == _ROWS or records.letters - since > _LETTERS:
            yield group
            group, since = [], records.letters
    if group:
        yield group


class _Records:
    """Takes one record after the other from a stream of JSON, and knows where it is."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
        self._buffer = ""
        self._at = 0
        self._row = 0
        #: How many lines, and letters of the last one, lie before the buffer.
        self._lines = self._column = 0
        #: How much has been taken.
        self.letters = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if self._next() == "[":
            self._at += 1
            yield from self._array()
        else:
            while self._next():
                yield self._record()

    def _array(self) -> Iterator[dict[str, Any]]:
        while self._row or self._next() != "]":
            yield self._record()
            mark = self._next()
            if mark == "]":
                break
            if mark != ",":
                raise self._wrong("expecting ',' or ']'", self._at)
            self._at += 1
        self._at += 1
        if self._next():
            raise self._wrong("nothing may follow the array", self._at)

    def _next(self) -> str:
        """The next letter that is no space; nothing at the end of the file."""
        while True:
            match = _SPACE.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._read():
                return ""

    def _read(self) -> bool:
        """Take in some more of the file, and let go of what is done with."""
        more = self._text.read(_CHUNK)
        done, self._buffer = self._buffer[: self._at], self._buffer[self._at :] + more
        newlines = done.count("\n")
        self._lines += newlines
        self._column = len(done) - done.rfind("\n") - 1 if newlines else self._column + len(done)
        self._at = 0
        return bool(more)

    def _record(self) -> dict[str, Any]:
        self._row += 1
        self._next()
        value, end = self._decoded()
        if not isinstance(value, dict):
            raise BadData(f"not an object but {_what(value)}.", row=self._row)
        self.letters += end - self._at
        self._at = end
        return value

    def _decoded(self) -> tuple[Any, int]:
        """The next value and where it ends, however often more must be read for it."""
        while True:
            try:
                return self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                into = error.pos - self._at
                too_long = len(self._buffer) - self._at > MAX_RECORD
                if too_long and error.pos > len(self._buffer) - _CHUNK:
                    raise BadData(f"longer than {MAX_RECORD:,} letters.", row=self._row) from None
                if too_long or not self._read():
                    raise self._wrong(error.msg, self._at + into) from None
            except _Refused as error:
                raise BadData(str(error), row=self._row) from None
            except RecursionError:
                raise BadData("nested too deeply.", row=self._row) from None
            except ValueError as error:
                raise BadData("a number of too many digits.", row=self._row) from error

    def _wrong(self, what: str, at: int) -> BadData:
        """What is no JSON, and where in the file."""
        newlines = self._buffer.count("\n", 0, at)
        column = at - self._buffer.rfind("\n", 0, at) - 1 if newlines else self._column + at
        what = what.removesuffix(" at").removesuffix(" starting")
        place = f"line {self._lines + newlines + 1}, letter {column + 1}"
        return BadData(f"The file is not JSON ({place}): {what[0].lower()}{what[1:]}.")


class _Refused(ValueError):
    """Something that Python's reader would let pass."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise _Refused(f"two values for {quoted(twice)}.")
    return found


def _constant(name: str) -> None:
    raise _Refused(f"{name} is not JSON; write null for a missing value.")


def _what(value: object) -> str:
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
