"""Publishers for the tests, and what they send."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from apps_registry.datasets.publishing import publish
from apps_registry.models import Dataset, DatasetVersion

FIRST = b"region,price\nNorth,1.5\nSouth,2.5\n"
SECOND = b"region,price\nWest,3.5\n"


def send(dataset: Dataset, content: bytes = SECOND, **options: Any) -> DatasetVersion:
    """Publish as the owner, as CSV."""
    known = {"user": dataset.owner, "format": "csv"}
    return publish(dataset, io.BytesIO(content), **{**known, **options})


class Upload(io.BytesIO):
    """A file during whose upload something happens, once half of it is there."""

    def __init__(self, content: bytes, happens: Callable[[], object]) -> None:
        super().__init__(content)
        self._half, self._happens = len(content) // 2, happens

    def read(self, size: int | None = -1, /) -> bytes:
        """Half of it, then the rest."""
        if self.tell() == 0:
            return super().read(self._half)
        if self.tell() == self._half:
            self._happens()
        return super().read(size)
