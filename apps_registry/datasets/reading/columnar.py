"""What the files have in common that know the types of their columns: Parquet and Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from ...exceptions import BadData, quoted
from ..columns import check_names, type_of
from ..limits import Meter
from .batches import Batch

#: Bytes and rows that are worked on at once.
_BYTES = 16 * 2**20
_ROWS = 65_536
_FEWEST_ROWS = 256
#: Bytes that a value takes at least, once it is unpacked.
_CELL = 8
_TEXTS = (pa.string(), pa.large_string())


def types_of(schema: pa.Schema) -> dict[str, str]:
    """The types of the columns. Raises ``BadData`` for those that have no place in a table."""
    check_names(schema.names)
    found = {}
    for field in schema:
        type = type_of(field.type)
        if type is None:
            what = f"values of the type {quoted(field.type)} have no place in a table."
            raise BadData(what, column=field.name)
        found[field.name] = type
    return found


def rows_at_once(rows: int, columns: int, unpacked: int) -> int:
    """How many of ``rows`` rows, which take ``unpacked`` bytes as they come, to work on at once."""
    size = max(unpacked, rows * columns * _CELL)
    return max(_FEWEST_ROWS, min(_ROWS, _BYTES * rows // max(size, 1)))


def checked(table: pa.RecordBatch, meter: Meter) -> Iterator[Batch]:
    """The rows in pieces, once it is sure that nothing in them leads astray; ``meter`` has counted those before.

    Arrow takes what a file says for granted: values that lie outside of the file end the process when they are read.
    Raises ``BadData`` or ``TooBig``.
    """
    for name, array in zip(table.schema.names, table.columns, strict=True):
        try:
            array.validate(full=True)
        except (pa.ArrowException, ValueError) as error:
            what = "text that is not UTF-8." if "UTF8" in str(error) else "damaged values."
            raise BadData(what, column=name, detail=str(error)) from None
    done, unpacked = meter.rows, sum(map(_unpacked, table.columns))
    meter.count(len(table), unpacked)
    size = rows_at_once(len(table), table.num_columns, unpacked)
    for start in range(0, len(table), size):
        piece = table.slice(start, size)
        columns = dict(zip(piece.schema.names, piece.columns, strict=True))
        yield Batch(columns, len(piece), partial(_number, done + start))


def _unpacked(array: pa.Array) -> int:
    """The bytes of the values: the texts of a dictionary as often as they are used."""
    size = int(array.nbytes)
    if not pa.types.is_dictionary(array.type) or array.type.value_type not in _TEXTS:
        return size
    return size + (pc.sum(pc.binary_length(array.dictionary).take(array.indices)).as_py() or 0)


def _number(before: int, index: int) -> int:
    return before + index + 1
