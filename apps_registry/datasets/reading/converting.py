"""Turns a file of any format into Parquet: the same rows, with columns of the types of ``columns``."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from ...exceptions import BadData, NoRoom, TooBig, VizserverError
from ..columns import KINDS, check_declared, check_names
from ..formats import FORMATS
from ..limits import Limits, Meter, is_full, size_text
from .batches import Batch, Reader
from .guessing import Guess
from .values import Misfit, fit
from .writing import Writer


@dataclass(frozen=True)
class Job:
    """One file that is to be read."""

    format: str
    target: Path
    limits: Limits
    #: Of the file, in bytes.
    size: int
    #: The columns that the data set declares; none when those of the file are taken.
    declared: dict[str, str] | None = None


@dataclass(frozen=True)
class Written:
    """What the Parquet file holds."""

    rows: int
    types: dict[str, str]


def convert(source: BinaryIO, job: Job) -> Written:
    """Write ``job.target``. Raises ``BadData``, ``TooBig`` or ``NoRoom``; what is then in the target is worthless."""
    try:
        return _Conversion(source, job).run()
    except (MemoryError, pa.ArrowMemoryError) as error:
        raise too_much_memory(job.limits) from error
    except OSError as error:
        if is_full(error):
            raise NoRoom from error
        raise


def too_much_memory(limits: Limits) -> TooBig:
    """The refusal of a file that cannot be read within its memory."""
    return TooBig(f"Reading the file takes more than {size_text(limits.memory)} of memory.")


class _Conversion:
    def __init__(self, source: BinaryIO, job: Job) -> None:
        self._job = job
        with self._reading():
            kind: type[Reader] = import_module(f"{__package__}.{FORMATS[job.format].reader}").Reader
            self._reader = kind(source, self._meter())

    def run(self) -> Written:
        reader, declared = self._reader, self._job.declared
        if declared is not None and reader.names is not None:
            check_declared(reader.names, declared)
        types = declared if declared is not None else reader.types
        if types is not None:
            return self._write(types)
        return self._write_guessed()

    def _meter(self) -> Meter:
        return Meter(self._job.limits, self._job.size)

    def _write(self, types: Mapping[str, str]) -> Written:
        """All rows with columns of known types."""
        meter, seen = self._meter(), set(self._reader.names or ())
        with Writer(self._job.target, types) as writer, closing(self._batches()) as batches:
            for batch in batches:
                seen |= batch.columns.keys()
                _check_known(batch, types)
                _add(writer, meter, {name: self._stored(batch, name, type) for name, type in types.items()})
        if writer.rows:
            check_declared(seen, types)
        return Written(writer.rows, dict(types))

    def _write_guessed(self) -> Written:
        """All rows with columns of the types that their values show.

        The first rows mostly show the types of all. When later ones show others, the rest is only looked at, and all
        is written anew.
        """
        guess, meter = Guess(self._reader, self._meter()), self._meter()
        with closing(self._batches()) as batches:
            first = [guess.add(batch) for batch in islice(batches, 1)]
            types = guess.types
            check_names(types)
            with Writer(self._job.target, types) as writer:
                for columns in chain(first, map(guess.add, batches)):
                    if guess.types != types:
                        break
                    _add(writer, meter, columns)
            for batch in batches:
                guess.add(batch)
        return Written(writer.rows, types) if guess.types == types else self._write(guess.types)

    def _stored(self, batch: Batch, name: str, type: str) -> pa.Array:
        array = batch.columns.get(name)
        if array is None:
            return pa.nulls(batch.rows, KINDS[type].stored)
        try:
            return fit(array, type, written=self._reader.written)
        except Misfit as error:
            raise BadData(str(error), row=batch.row(error.index), column=name) from None

    def _batches(self) -> Generator[Batch]:
        with closing(self._reader.batches()) as batches:
            while True:
                with self._reading():
                    batch = next(batches, None)
                if batch is None:
                    return
                yield batch

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever goes wrong in a library that reads a file of strangers is a fault of the file."""
        try:
            yield
        except (VizserverError, MemoryError, pa.ArrowMemoryError):
            raise
        except Exception as error:
            title = FORMATS[self._job.format].title
            what = f"The file is damaged, or not in the {title} format."
            raise BadData(what, detail=f"{type(error).__name__}: {error}") from error


def _check_known(batch: Batch, types: Mapping[str, str]) -> None:
    """Refuse a column that the data set does not declare, which only a row shows."""
    for name, array in batch.columns.items():
        if name not in types:
            first = next((index for index, value in enumerate(array) if value.is_valid), 0)
            raise BadData("in the file, but not declared by the data set.", row=batch.row(first), column=name)


def _add(writer: Writer, meter: Meter, columns: Mapping[str, pa.Array]) -> None:
    rows = len(next(iter(columns.values())))
    meter.count(rows, sum(array.nbytes for array in columns.values()))
    writer.write(columns)
