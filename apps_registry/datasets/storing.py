"""The files of versions in Django's storage.

Before a file is written, it is written down as pending; a version takes it off that list. What stays on it, because a
process was killed or a storage did not answer, is deleted after an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files import File
from django.db import transaction
from django.db.models.signals import post_delete
from django.utils import timezone

from ..exceptions import VizserverError
from ..models import DatasetVersion, PendingFile
from ..models.data import data_storage

log = logging.getLogger(__name__)

_FOLDER = "apps_registry/data"
_PENDING_FOR = timedelta(hours=1)


class _Movable(File):  # type: ignore[type-arg]  # which a File takes for type checkers only
    """A file that a storage on the same disk moves, where another one reads it."""

    def temporary_file_path(self) -> str:
        return str(self.name)


@contextmanager
def stored(path: Path, suffix: str) -> Iterator[str]:
    """Put a file into storage. It is gone again at the end if no version has taken it with ``claim``.

    Nobody guesses its name, which some sites serve to everybody, and ``suffix`` makes no browser run it.
    """
    name = f"{_FOLDER}/{uuid4().hex}{suffix}"
    PendingFile.objects.create(name=name)
    try:
        with path.open("rb") as file:
            saved = data_storage().save(name, _Movable(file, str(path)))
        if saved != name:
            # Some storages have names of their own
            PendingFile.objects.filter(name=name).update(name=saved)
            name = saved
        yield name
    finally:
        discard(name)


def claim(name: str) -> None:
    """Take a file off the list, in the transaction that makes its version."""
    claimed, _ = PendingFile.objects.filter(name=name).delete()
    if not claimed:
        raise VizserverError(detail="The file was so long under way that it was deleted.")


def discard(name: str) -> None:
    """Delete a pending file, unless a version has it. What fails here is tried again by ``sweep``."""
    try:
        with transaction.atomic():
            # First, since it makes a version that claims the file at the same time wait
            PendingFile.objects.filter(name=name).delete()
            if not DatasetVersion.objects.filter(file=name).exists():
                data_storage().delete(name)
    except Exception as error:
        log.warning("The file %s stays in storage for now: %r", name, error)


def sweep() -> None:
    """Delete the files that have been pending for an hour."""
    old = PendingFile.objects.filter(at__lt=timezone.now() - _PENDING_FOR)
    for name in list(old.values_list("name", flat=True)):
        discard(name)


def connect() -> None:
    """Let the files of versions that are deleted go with them, whoever deletes them."""
    post_delete.connect(_version_deleted, DatasetVersion)


def _version_deleted(instance: DatasetVersion, **kwargs: Any) -> None:
    name = str(instance.file.name)
    # Two processes may delete the same version, and both hear that it was
    PendingFile.objects.bulk_create([PendingFile(name=name)], ignore_conflicts=True)
    transaction.on_commit(lambda: discard(name), robust=True)
