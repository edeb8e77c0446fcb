"""From what a program has to a file that can be sent, again and again if need be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, cast

from .errors import ClientError

PARQUET = "application/vnd.apache.parquet"
#: Bytes that are sent at once.
CHUNK = 2**18
#: Bytes of a file that is made on the way before it goes to the disk.
_IN_MEMORY = 2**24


@dataclass(frozen=True)
class Payload:
    """A file that is open."""

    file: BinaryIO
    size: int
    filename: str = ""
    media_type: str = ""

    def chunks(self, sent: Callable[[int], None]) -> Iterator[bytes]:
        """Its content from the start; ``sent`` is told the number of bytes each time."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            yield chunk
            sent(len(chunk))


@contextmanager
def payload_of(data: Any, filename: str = "") -> Iterator[Payload]:
    """What is to be sent of a frame, a path, bytes, or a binary file. Raises ``ClientError`` for anything else."""
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        try:
            file = path.open("rb")
        except OSError as error:
            raise ClientError(f"{path} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            # No system has files of such a name
            raise ClientError(f"{str(path)!r} is no path of a file.") from error
        with file:
            yield _payload(file, filename or path.name)
    elif isinstance(data, bytes | bytearray | memoryview):
        yield _payload(BytesIO(data), filename)
    elif hasattr(data, "read"):
        with _spooled() as made:
            _copy(data, made)
            yield _payload(made, filename)
    else:
        with _spooled() as made:
            _write_parquet(data, made)
            yield _payload(made, filename, PARQUET)


def _payload(file: IO[bytes], filename: str, media_type: str = "") -> Payload:
    return Payload(cast(BinaryIO, file), file.seek(0, os.SEEK_END), filename, media_type)


def _spooled() -> SpooledTemporaryFile[bytes]:
    return SpooledTemporaryFile(_IN_MEMORY)


def _copy(source: Any, target: IO[bytes]) -> None:
    while chunk := source.read(CHUNK):
        if not isinstance(chunk, bytes):
            raise ClientError("Open the file with 'rb': it is sent as it is.")
        target.write(chunk)


def _write_parquet(data: Any, file: IO[bytes]) -> None:
    """Write a frame of pandas, polars, pyarrow, or any library that hands out Arrow."""
    if not (hasattr(data, "__arrow_c_stream__") or hasattr(data, "to_arrow")):
        raise ClientError(f"A {type(data).__name__} is no table, no path and no bytes.")
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ClientError("To send a frame, install pyarrow; or give the path of a file.") from None
    try:
        if hasattr(data, "reset_index"):
            data = _with_index_as_columns(data)
        table = pa.table(data) if hasattr(data, "__arrow_c_stream__") else data.to_arrow()
        pq.write_table(table, file, compression="zstd")
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ClientError(f"The frame cannot be written as Parquet: {error}") from error


def _with_index_as_columns(frame: Any) -> Any:
    """A frame of pandas whose index is among its columns, unless it only counts the rows."""
    index = frame.index
    only_counts = type(index).__name__ == "RangeIndex" and index.name is None
    return frame.reset_index(drop=only_counts)
