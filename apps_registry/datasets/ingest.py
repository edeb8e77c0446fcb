"""Takes in a file of data: any format becomes Parquet, or an error says where the file is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO, cast

from ..exceptions import NoRoom, TooBig
from .columns import Columns, declared, described
from .formats import FORMATS, HEAD, check_head
from .limits import Limits, is_full, size_text
from .reading.converting import Job, Written, convert
from .reading.isolation import ISOLATED, convert_apart

_CHUNK = 2**20
#: Text of so many bytes is read in this process: it cannot do harm there, and another process takes 0.2 s to start.
_SMALL = 2**20


@dataclass(frozen=True)
class Ingested:
    """What came of a file."""

    rows: int
    columns: Columns
    #: Of the Parquet file, in bytes.
    size: int
    sha256: str
    #: Of the file as it came.
    upload_sha256: str


def to_parquet(
    source: BinaryIO | Path,
    format: str,
    target: Path,
    *,
    schema: Sequence[Mapping[str, str]] | None = None,
    limits: Limits | None = None,
) -> Ingested:
    """Read ``source``, which is of one of ``FORMATS``, and write it to ``target`` as Parquet.

    With a ``schema`` as ``[{"name": ..., "type": ...}]``, the columns must be those, in any order. Raises ``BadData``,
    ``TooBig`` or ``NoRoom``, and leaves no target then. It takes its time: call it on a thread.
    """
    limits = limits or Limits()
    types = None if schema is None else declared(schema)
    try:
        with _opened(source) as file, _spooled(target.parent) as upload:
            upload_sha256 = _copy(file, upload, limits)
            size = upload.tell()
            upload.seek(0)
            check_head(upload.read(HEAD), format)
            upload.seek(0)
            written = _convert(upload, Job(format, target, limits, size, types))
            return _ingested(written, target, upload_sha256)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError) and is_full(error):
            raise NoRoom from error
        raise


def _convert(upload: BinaryIO, job: Job) -> Written:
    is_text = not FORMATS[job.format].starts
    if not ISOLATED or (is_text and job.size <= _SMALL):
        return convert(upload, job)
    return convert_apart(upload, job)


def _ingested(written: Written, target: Path, upload_sha256: str) -> Ingested:
    with target.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Ingested(written.rows, described(written.types), target.stat().st_size, sha256, upload_sha256)


@contextmanager
def _opened(source: BinaryIO | Path) -> Iterator[IO[bytes]]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


@contextmanager
def _spooled(directory: Path) -> Iterator[BinaryIO]:
    """A file without a name, which is gone with this process, however that ends."""
    with SpooledTemporaryFile(_SMALL, dir=str(directory)) as file:
        yield cast(BinaryIO, file)


def _copy(source: IO[bytes], upload: BinaryIO, limits: Limits) -> str:
    """Copy what comes, which may come but once. Returns its SHA-256; raises ``TooBig``."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > limits.bytes:
            raise TooBig(f"The file is bigger than {size_text(limits.bytes)}.")
        digest.update(chunk)
        upload.write(chunk)
    return digest.hexdigest()
