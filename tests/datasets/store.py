"""What lies in storage, and whether it is what the data sets say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from apps_registry.models import Dataset, DatasetVersion, PendingFile


@dataclass(frozen=True)
class Store:
    """The storage of one test, and the place for files that are under way."""

    files: Path
    under_way: Path

    def names(self) -> set[str]:
        """The files in storage."""
        return {str(path.relative_to(self.files)) for path in self.files.rglob("*") if path.is_file()}

    def check(self) -> None:
        """Every version is whole, the newest is the newest, and nothing else is left."""
        assert self.names() == set(DatasetVersion.objects.values_list("file", flat=True))
        for version in DatasetVersion.objects.all():
            content = (self.files / version.file.name).read_bytes()
            assert len(content) == version.size
            assert hashlib.sha256(content).hexdigest() == version.sha256
            if version.rows is not None:
                table = rows(version)
                assert table.num_rows == version.rows
                assert table.column_names == [column["name"] for column in version.columns]
        for dataset in Dataset.objects.all():
            newest = dataset.versions.order_by("-number").first()
            assert dataset.newest == newest
        assert not PendingFile.objects.exists()
        assert not list(self.under_way.iterdir())


def rows(version: DatasetVersion) -> Any:
    """The table of a version, as it lies in storage."""
    with version.file.open() as file:
        return pq.read_table(file)
