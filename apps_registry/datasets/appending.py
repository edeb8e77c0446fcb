"""A table with rows added at its end: how it is made, and how the added rows are read without the others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..exceptions import DataLost, TooBig
from ..models import DatasetVersion
from .columns import declared
from .reading.writing import GROUP, Writer

_ROWS_AT_ONCE = 65_536
#: Row groups that a table may have for each full one, until all its rows are written anew.
_GROUPS_FOR_ONE = 8


def join(before: DatasetVersion, added: Path, target: Path, *, most: int) -> int:
    """Write the rows of a version and then those of the file ``added``, which has the same columns, to ``target``.

    The added rows begin a row group, so that who has the others reads them alone. Returns the number of all rows.
    Raises ``TooBig`` when they are more than ``most``, and ``DataLost``.
    """
    with ExitStack() as opened:
        source: IO[bytes] = opened.enter_context(before.file.storage.open(str(before.file.name)))
        if hashlib.file_digest(source, "sha256").hexdigest() != before.sha256:  # type: ignore[arg-type]
            # What was harmed in the storage would pass for sound from here on
            raise DataLost(detail=f"{before.file.name} is not what was published.")
        old, new = pq.ParquetFile(source), pq.ParquetFile(opened.enter_context(added.open("rb")))
        rows = old.metadata.num_rows + new.metadata.num_rows
        if rows > most:
            raise TooBig(f"The table would have more than {most:,} rows.")
        writer = opened.enter_context(Writer(target, declared(before.columns)))
        if old.schema.equals(new.schema) and not _is_fragmented(old):
            writer.begin_with(source, old.metadata)
        else:
            _copy(old, writer)
        _copy(new, writer)
    return int(rows)


def read_added(version: DatasetVersion, before: DatasetVersion, names: Sequence[str]) -> Any | None:
    """The rows of a version that the one ``before``, which it extends, has not, as a ``pyarrow.Table``.

    They come right out of the storage. None: they cannot be read alone.
    """
    start = before.rows or 0
    with (
        suppress(OSError, pa.ArrowInvalid),
        version.file.storage.open(str(version.file.name)) as source,
        pq.ParquetFile(source, page_checksum_verification=True) as file,
    ):
        if file.metadata.num_rows == version.rows:
            return _rows_from(file, start, names)
    return None


def _rows_from(file: pq.ParquetFile, start: int, names: Sequence[str]) -> Any:
    groups = list(range(file.num_row_groups))
    skipped = 0
    while groups and skipped + (rows := file.metadata.row_group(groups[0]).num_rows) <= start:
        skipped += rows
        del groups[0]
    return file.read_row_groups(groups, columns=list(names)).select(names).slice(start - skipped)


def _is_fragmented(file: pq.ParquetFile) -> bool:
    return bool(file.num_row_groups > file.metadata.num_rows // GROUP * _GROUPS_FOR_ONE)


def _copy(file: pq.ParquetFile, writer: Writer) -> None:
    for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
        writer.write(dict(zip(batch.schema.names, batch.columns, strict=True)))
    writer.end_group()
