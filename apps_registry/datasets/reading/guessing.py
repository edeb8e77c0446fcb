"""Finds the types of columns that a file does not tell."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ...exceptions import BadData, quoted
from ..columns import KINDS
from ..limits import Meter
from .batches import Batch, Reader
from .values import Misfit, fit, fits, is_missing, kind_of, words

#: What may be met in text, from the narrowest to the widest.
_WRITTEN = ("boolean", "integer", "number", "date", "datetime")
_DATES = ("date", "datetime")
#: The type of a column that has both.
_WIDER = {
    frozenset({"integer", "number"}): "number",
    frozenset({"date", "datetime"}): "datetime",
}
_TRUTHS = ("true", "false", "True", "False", "TRUE", "FALSE")
#: Digits that a 64-bit float cannot hold.
_MANY_DIGITS = 19


class Guess:
    """The types of all columns, as far as the file has been read.

    Where everything is ``written`` as text, a column of many kinds is text as well. Where each value shows its kind,
    columns of many kinds are refused.
    """

    def __init__(self, reader: Reader, meter: Meter) -> None:
        self.written = reader.written
        self._meter = meter
        self._found: dict[str, str | None] = dict.fromkeys(reader.names or ())

    @property
    def types(self) -> dict[str, str]:
        """The type of each column; columns without any value are text."""
        return {name: type or "text" for name, type in self._found.items()}

    def add(self, batch: Batch) -> dict[str, pa.Array]:
        """Widen the types by what is in ``batch``, and give all columns of it as they are stored then.

        Raises ``BadData`` for a value of another kind than those above it.
        """
        self._found |= {name: None for name in batch.columns if name not in self._found}
        self._meter.check(columns=len(self._found))
        none = pa.nulls(batch.rows)
        return {name: self._add(name, batch.columns.get(name, none), batch) for name in self._found}

    def _add(self, name: str, array: pa.Array, batch: Batch) -> pa.Array:
        known = self._found[name]
        if known is not None and not self._is_code(array, known):
            try:
                return fit(array, known, written=self.written)
            except Misfit as error:
                misfit = error
        found = self._kind(array)
        if found is None:
            return fit(array, known or "text", written=self.written)
        if known is None or known == found:
            wider: str | None = found
        else:
            wider = _WIDER.get(frozenset({known, found}), "text" if self.written else None)
            if wider is None:
                raise _mixed(name, misfit, known, batch)
        self._found[name] = wider
        return fit(array, wider or "text", written=self.written)

    def _kind(self, array: pa.Array) -> str | None:
        kind = kind_of(array)
        if kind == "text" and self.written and is_missing(array):
            return None
        if kind == "text":
            kinds = _WRITTEN if self.written else _DATES
            return next((kind for kind in kinds if self._is(array, kind)), "text")
        if kind == "datetime" and fits(array, "date"):
            return "date"
        return kind

    def _is(self, array: pa.Array, kind: str) -> bool:
        if kind == "boolean":
            return bool(pc.all(pc.is_in(array.drop_null(), words(*_TRUTHS))).as_py())
        return not self._is_code(array, kind) and fits(array, kind, written=self.written)

    def _is_code(self, array: pa.Array, kind: str) -> bool:
        """Whether numbers would lose what is written: the zeros in front of a postcode, the end of a long digit."""
        if not self.written or kind not in ("integer", "number"):
            return False
        # Numbers are read with spaces around them and a sign before them
        array = pc.utf8_ltrim(pc.utf8_trim_whitespace(array), "+-")
        length = pc.binary_length(array)
        zero = pc.and_(pc.starts_with(array, "0"), pc.greater(length, 1))
        code = pc.and_not(zero, pc.or_(pc.starts_with(array, "0."), pc.starts_with(array, "0e")))
        if kind == "number":
            long = pc.and_(pc.greater_equal(length, _MANY_DIGITS), pc.ascii_is_decimal(array))
            code = pc.or_(code, long)
        return bool(pc.any(code).as_py())


def _mixed(name: str, misfit: Misfit, known: str, batch: Batch) -> BadData:
    """Why a column cannot have the value: those above it are of another kind."""
    value = quoted(str(misfit.value.as_py()))
    what = f"{value} stands among {KINDS[known].many}."
    return BadData(what, row=batch.row(misfit.index), column=name)
