"""From what a publisher sends to a file that is ready to be a version."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ..conf import settings
from ..exceptions import BadArguments, BadData
from ..models import Dataset, DatasetVersion
from . import artifacts
from .appending import join
from .columns import Columns
from .formats import FORMATS, format_of
from .ingest import to_parquet
from .limits import Limits

PARQUET = FORMATS["parquet"]


@dataclass(frozen=True)
class Upload:
    """A file as a publisher sends it, and what he says of it."""

    source: BinaryIO | Path
    #: One of ``FORMATS``; empty: as name and media type tell. A plain file has none.
    format: str = ""
    filename: str = ""
    media_type: str = ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """What was sent, which may come but once."""
        if isinstance(self.source, Path):
            with self.source.open("rb") as file:
                yield file
        else:
            yield self.source


@dataclass(frozen=True)
class Made:
    """A file that is ready to be a version."""

    path: Path
    suffix: str
    #: In bytes.
    size: int
    sha256: str
    upload_sha256: str
    media_type: str
    rows: int | None = None
    columns: Columns = field(default_factory=list)


def limits() -> Limits:
    """What one publication may hold, by the settings."""
    return Limits(
        bytes=settings.DATA_MAX_BYTES,
        rows=settings.DATA_MAX_ROWS,
        columns=settings.DATA_MAX_COLUMNS,
        expansion=settings.DATA_MAX_EXPANSION,
    )


def kind_of(upload: Upload) -> Dataset.Kind:
    """What a new data set is to be, by the file that is published first."""
    is_table = upload.format or format_of(upload.filename, upload.media_type)
    return Dataset.Kind.TABLE if is_table else Dataset.Kind.FILE


def make(upload: Upload, dataset: Dataset, folder: Path) -> Made:
    """Turn what was sent into what the data set holds. Raises ``BadArguments``, ``BadData`` or ``TooBig``."""
    if dataset.kind == Dataset.Kind.FILE:
        return _make_file(upload, folder)
    return make_table(upload, dataset.schema, folder)


def make_table(upload: Upload, schema: Columns | None, folder: Path) -> Made:
    """Turn a table of any format into Parquet, with the columns of ``schema`` if there is one."""
    target = folder / "table.parquet"
    with upload.open() as source:
        done = to_parquet(source, _format(upload), target, schema=schema, limits=limits())
    return Made(
        target,
        PARQUET.suffixes[0],
        done.size,
        done.sha256,
        done.upload_sha256,
        PARQUET.media_types[0],
        done.rows,
        done.columns,
    )


def extend(before: DatasetVersion | None, added: Made, folder: Path) -> Made:
    """A new file with the rows of ``before``, and then the added ones."""
    target = folder / "extended.parquet"
    if before is None:
        # A copy, since storing moves the file, and it may be needed again
        shutil.copyfile(added.path, target)
        return replace(added, path=target)
    rows = join(before, added.path, target, most=settings.DATA_MAX_ROWS)
    return replace(added, path=target, size=target.stat().st_size, sha256=_digest(target), rows=rows)


def digest_of(upload: Upload) -> str:
    """The SHA-256 of what was sent. Raises ``TooBig``."""
    digest = hashlib.sha256()
    with upload.open() as source:
        for chunk in artifacts.chunks(source, settings.DATA_MAX_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _make_file(upload: Upload, folder: Path) -> Made:
    target = folder / "file"
    with upload.open() as source:
        sha256 = artifacts.copy(source, target, settings.DATA_MAX_BYTES)
    size = target.stat().st_size
    if not size:
        raise BadData("The file is empty.")
    media_type = artifacts.media_type_of(target, upload.filename, upload.media_type)
    return Made(target, ".file", size, sha256, sha256, media_type)


def _format(upload: Upload) -> str:
    format = upload.format or format_of(upload.filename, upload.media_type)
    if format not in FORMATS:
        raise BadArguments(f"Say in which format the file is: {', '.join(FORMATS)}.")
    return format


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
