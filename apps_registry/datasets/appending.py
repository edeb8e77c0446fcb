"""A table with rows added at its end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pyarrow.parquet as pq

from ..exceptions import TooBig
from ..models import DatasetVersion
from .columns import declared
from .reading.writing import Writer

_ROWS_AT_ONCE = 65_536


def join(before: DatasetVersion, added: Path, target: Path, *, most: int) -> int:
    """Write the rows of a version and then those of the file ``added``, which has the same columns, to ``target``.

    The added rows begin a row group, so that who has the others reads them alone. Returns the number of all rows;
    raises ``TooBig`` when they are more than ``most``.
    """
    with ExitStack() as opened:
        sources: list[IO[bytes]] = [
            opened.enter_context(before.file.storage.open(str(before.file.name))),
            opened.enter_context(added.open("rb")),
        ]
        files = [pq.ParquetFile(source) for source in sources]
        rows = sum(file.metadata.num_rows for file in files)
        if rows > most:
            raise TooBig(f"The table would have more than {most:,} rows.")
        writer = opened.enter_context(Writer(target, declared(before.columns)))
        for file in files:
            _copy(file, writer)
    return int(rows)


def _copy(file: pq.ParquetFile, writer: Writer) -> None:
    for batch in file.iter_batches(_ROWS_AT_ONCE, use_threads=False):
        writer.write(dict(zip(batch.schema.names, batch.columns, strict=True)))
    writer.end_group()
