"""Directories for the files of a publication that is under way."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from django.conf import settings as site
from django.core.files import locks

_PREFIX = "apps-registry-data-"
_LOCK = "lock"
#: Seconds in which a directory surely has its lock.
_NEW = 60


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory that goes at the end; that of a process that was killed goes with the next ``sweep``.

    It stands where Django keeps uploads that are under way: in ``FILE_UPLOAD_TEMP_DIR``.
    """
    sweep()
    with TemporaryDirectory(prefix=_PREFIX, dir=_parent()) as name, Path(name, _LOCK).open("wb") as lock:
        locks.lock(lock, locks.LOCK_EX)
        yield Path(name)


def sweep() -> None:
    """Delete the directories of processes that have ended without doing so."""
    for folder in _parent().glob(f"{_PREFIX}*"):
        # Another process may be at it as well, and what belongs to somebody else cannot be opened
        with suppress(OSError):
            if _is_left(folder):
                shutil.rmtree(folder)


def _is_left(folder: Path) -> bool:
    status = folder.lstat()
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        return False
    if time.time() - status.st_mtime < _NEW:
        return False
    with Path(folder, _LOCK).open("rb") as lock:
        return locks.lock(lock, locks.LOCK_EX | locks.LOCK_NB)


def _parent() -> Path:
    return Path(site.FILE_UPLOAD_TEMP_DIR or gettempdir())
