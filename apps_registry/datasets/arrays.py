"""Columns as numpy arrays that all sessions share: read-only, and encoded once for all tabs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..live import adapter

type Array = np.ndarray[Any, Any]

_INT32 = np.iinfo(np.int32)


def array_of(column: Any) -> Array:
    """A ``pyarrow.ChunkedArray`` as an array that belongs to nobody.

    Missing values are NaN among numbers (whole ones too), NaT among dates, and None elsewhere.
    """
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return adapter.share(_texts(column))
    array: Array = column.to_numpy(zero_copy_only=False)
    if array.dtype == np.int64:
        array = _as_sent(array)
    return adapter.share(_over_bytes([array], array.dtype))


def joined(before: Array, added: Array) -> Array:
    """What ``array_of`` would make of all rows of a column, of what it has made of the first and of the others."""
    return adapter.share(_over_bytes([before, added], np.result_type(before, added)))


def _over_bytes(arrays: Sequence[Array], dtype: np.dtype[Any]) -> Array:
    """One array of several; numbers over bytes, which are what the tabs get, so that nothing is kept besides."""
    if dtype.kind not in "bif":
        return np.concatenate(arrays, dtype=dtype) if len(arrays) > 1 else arrays[0]
    parts = [np.ascontiguousarray(array, dtype).view(np.uint8) for array in arrays]
    return np.frombuffer(b"".join(parts), dtype)


def _as_sent(array: Array) -> Array:
    """Whole numbers as the browser can have them: those of 64 bits would be sent as text."""
    fits = len(array) == 0 or (array.min() >= _INT32.min and array.max() <= _INT32.max)
    return array.astype(np.int32 if fits else np.float64)


def _texts(column: Any) -> Array:
    """Texts as objects, each of the same text the same one."""
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], encoded.type)
    texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    places = encoded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
    found: Array = texts[places]
    return found
