"""Copies of published tables on this machine: a file for each column, which every process maps into its memory.

A column is copied when somebody first asks for it. Copies are found by the content of what was published, so
that they are never out of date; those that were not used for the longest time go when the disk has room for no more.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.parquet as pq
from django.core.files import locks

from ..conf import settings
from ..exceptions import DataLost, NoRoom
from ..models import DatasetVersion

_held: WeakValueDictionary[str, Held] = WeakValueDictionary()

type Continued = Callable[[Sequence[str]], Mapping[str, Any]]

_SOURCE = "source"
_CHUNK = 2**20
#: Files to lock by; more would let more copies be made at the same time.
_LOCKS = 64
_FOLDER = re.compile("[0-9a-f]{64}")
#: Another process may take a copy away between its making and its opening.
_TRIES = 3


class Held:
    """A stored file that can be read when its version has been deleted, for as long as this object lives."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY)

    def open(self) -> IO[bytes]:
        """The file from its beginning."""
        file = os.fdopen(os.dup(self._file), "rb")
        # Copies of a descriptor share the place where they are; one copy is made at a time
        file.seek(0)
        return file

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            os.close(self._file)


def hold(version: DatasetVersion) -> Held | None:
    """Keep the file of a version from going while somebody means to read it; None where storages cannot do that."""
    held = _held.get(version.sha256)
    if held is None:
        with suppress(NotImplementedError, OSError):
            # A file on this machine, which goes when the last one has closed it
            held = _held[version.sha256] = Held(version.file.path)
    return held


def source_path(version: DatasetVersion) -> Path:
    """A local file with what was published. Raises ``DataLost``."""
    with _locked(version.sha256):
        return _fetched(version)


def read_columns(
    version: DatasetVersion, names: Sequence[str], continued: Continued | None = None
) -> list[Any]:
    """Columns of a table, as ``pyarrow.ChunkedArray`` over mapped memory. Raises ``DataLost``.

    The memory stays good when the files are deleted meanwhile, as long as anything refers to it. ``continued`` gives
    columns by their names, those that can be had without reading all that was published.
    """
    numbers = {column["name"]: number for number, column in enumerate(version.columns)}
    for _ in range(_TRIES):
        with suppress(FileNotFoundError, pa.ArrowInvalid):
            return [_mapped(version, numbers[name]) for name in names]
        with _locked(version.sha256):
            missing = [name for name in names if not _is_whole(version, numbers[name])]
            made = continued(missing) if missing and continued is not None else {}
            for name, column in made.items():
                _write(_column_path(version, numbers[name]), column)
            if len(made) < len(missing):
                _copy(version, [name for name in missing if name not in made], numbers)
        _make_room(besides=_folder(version))
    raise DataLost(detail=f"The copy of {_name(version)} went away as often as it was made.")


def copied_columns(version: DatasetVersion, names: Sequence[str]) -> dict[str, Any]:
    """Those of the columns that are on this machine already, by their names."""
    numbers = {column["name"]: number for number, column in enumerate(version.columns)}
    found = {}
    for name in names:
        with suppress(FileNotFoundError, pa.ArrowInvalid):
            found[name] = _mapped(version, numbers[name])
    return found


def _copy(version: DatasetVersion, names: Sequence[str], numbers: Mapping[str, int]) -> None:
    with pq.ParquetFile(_fetched(version)) as parquet:
        if parquet.metadata.num_rows != version.rows:
            raise DataLost(detail=f"{_name(version)} has not as many rows as were published.")
        for name in names:
            # Reading "a" gives "a.b" as well
            _write(_column_path(version, numbers[name]), parquet.read(columns=[name]).column(name))


def _write(path: Path, column: Any) -> None:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        # One piece, so that numpy can look at it; texts are made into objects anyhow
        column = pa.chunked_array([column.combine_chunks()], column.type)
    with _new_file(path) as new:
        table = pa.table({"values": column})
        with pa.ipc.new_file(str(new), table.schema) as writer:
            writer.write_table(table)


def _mapped(version: DatasetVersion, number: int) -> Any:
    path = _column_path(version, number)
    with pa.memory_map(str(path)) as file:
        column = pa.ipc.open_file(file).read_all().column(0)
    if len(column) != version.rows:
        raise FileNotFoundError
    # When it was last used
    os.utime(path.parent)
    return column


def _is_whole(version: DatasetVersion, number: int) -> bool:
    with suppress(FileNotFoundError, pa.ArrowInvalid):
        _mapped(version, number)
        return True
    return False


def _fetched(version: DatasetVersion) -> Path:
    """What was published, out of the storage, and looked at whether it is what was published."""
    path = _folder(version) / _SOURCE
    if path.exists() and path.stat().st_size == version.size:
        return path
    digest = hashlib.sha256()
    with _new_file(path) as new, new.open("wb") as target:
        try:
            with _source(version) as source:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
        except FileNotFoundError:
            raise DataLost(detail=f"{_name(version)} is not in its storage.") from None
        if digest.hexdigest() != version.sha256:
            raise DataLost(detail=f"{_name(version)} is not what was published.")
    return path


def _source(version: DatasetVersion) -> IO[bytes]:
    try:
        return version.file.storage.open(str(version.file.name))
    except FileNotFoundError:
        if (held := _held.get(version.sha256)) is None:
            raise
        return held.open()


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A file that gets its name when it is whole."""
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield new
        new.replace(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise NoRoom("The server has no room to read this data.") from None
        raise
    finally:
        new.unlink(missing_ok=True)


# Where they are


def directory() -> Path:
    """Where the copies of this machine are, which belongs to nobody else."""
    if settings.DATA_CACHE_DIR is not None:
        path = Path(settings.DATA_CACHE_DIR)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path
    owner = os.getuid() if hasattr(os, "getuid") else 0
    path = Path(tempfile.gettempdir(), f"apps_registry-data-{owner}")
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if hasattr(os, "getuid") and (path.is_symlink() or found.st_uid != owner or found.st_mode & 0o077):
        raise DataLost(detail=f"{path} is open to others. Set DATA_CACHE_DIR to a directory of your own.")
    return path


def _name(version: DatasetVersion) -> str:
    return f"{version.file.name} (version {version.number})"


def _folder(version: DatasetVersion) -> Path:
    return directory() / version.sha256


def _column_path(version: DatasetVersion, number: int) -> Path:
    return _folder(version) / f"{number:04}.arrow"


@contextmanager
def _locked(key: str, *, wait: bool = True) -> Iterator[bool]:
    """Whether this thread alone, of all processes, now makes and deletes copies whose name begins like ``key``."""
    path = directory() / f"lock{int(key[:8], 16) % _LOCKS}"
    with path.open("a") as file:
        is_locked = locks.lock(file, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
        try:
            yield is_locked
        finally:
            if is_locked:
                locks.unlock(file)


def _make_room(*, besides: Path) -> None:
    """Delete the copies that were not used for the longest time, when all together take too much."""
    with suppress(FileNotFoundError):
        # No others: a file system of its own has a lost+found
        folders = [path for path in directory().iterdir() if _FOLDER.fullmatch(path.name)]
        sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in folders}
        excess = sum(sizes.values()) - settings.DATA_CACHE_BYTES
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime):
            if excess <= 0:
                return
            if folder == besides:
                continue
            with _locked(folder.name, wait=False) as is_locked:
                if is_locked:
                    shutil.rmtree(folder, ignore_errors=True)
                    excess -= sizes[folder]
