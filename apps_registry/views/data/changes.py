"""What a version changed: rows and columns, beside the version before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ...models import DatasetVersion


@dataclass(frozen=True)
class Step:
    """A version, and what it changed; ``before`` is None for the oldest one that is kept."""

    version: DatasetVersion
    before: DatasetVersion | None = None
    #: More rows, or fewer
    rows: int = 0
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: Columns of another type, as "price: integer, now number"
    changed: list[str] = field(default_factory=list)

    @property
    def has_other_columns(self) -> bool:
        """Whether its columns are not those of the version before."""
        return bool(self.added or self.removed or self.changed)


def steps(versions: Sequence[DatasetVersion], *, has_older: bool) -> Iterator[Step]:
    """What each of some versions changed, the newest first; the last of them only if none is older."""
    for version, before in pairwise(versions):
        yield _step(version, before)
    if versions and not has_older:
        yield Step(versions[-1])


def _step(version: DatasetVersion, before: DatasetVersion) -> Step:
    now, then = _types(version), _types(before)
    return Step(
        version,
        before,
        (version.rows or 0) - (before.rows or 0),
        [name for name in now if name not in then],
        [name for name in then if name not in now],
        [
            f"{name}: {then[name]}, now {now[name]}"
            for name in now
            if name in then and now[name] != then[name]
        ],
    )


def _types(version: DatasetVersion) -> dict[str, str]:
    return {column["name"]: column["type"] for column in version.columns}
