"""What the tests of published data share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import Permission, User

from apps_registry.datasets.managing import to_publish
from apps_registry.models import Dataset

from .publishers import FIRST, send
from .store import Store
from .watching import Watching, watching


@pytest.fixture
def folders(settings: Any, tmp_path: Path) -> Path:
    """Directories of the test's own for what is published, and for the copies; gives that of the copies."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    own = {"DATA_CACHE_DIR": str(tmp_path / "copies"), "DATA_REFRESH_SECONDS": 0.01}
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, **own}
    return tmp_path / "copies"


@pytest_asyncio.fixture
async def watched(transactional_db: None, folders: Path) -> AsyncIterator[Watching]:
    """See ``watching``."""
    async with watching() as watched:
        yield watched


@pytest.fixture
def store(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[Store]:
    """Storage of the test's own, in which there are whole versions and nothing else at the end."""
    store = Store(tmp_path / "media", tmp_path / "under_way")
    for folder in (store.files, store.under_way):
        folder.mkdir()
    settings.MEDIA_ROOT, settings.FILE_UPLOAD_TEMP_DIR = str(store.files), str(store.under_way)
    yield store
    store.check()


@pytest.fixture
def ann(transactional_db: None) -> User:
    """Who may make data sets."""
    ann = User.objects.create(username="ann")
    ann.user_permissions.add(Permission.objects.get(codename="publish_data"))
    return ann


@pytest.fixture
def sales(store: Store, ann: User) -> Dataset:
    """A data set of ann's that nobody else sees, with one version."""
    return send(to_publish("sales", user=ann), FIRST).dataset
