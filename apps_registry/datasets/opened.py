"""Data sets as app code has them: opened as a user, who sees what he may, and follows what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from bokeh.models import ColumnDataSource

from ..exceptions import MayNotSee, quoted
from ..live.context import current_session
from ..models import Dataset, DatasetVersion
from .asking import SESSION_USER, asker, fresh, view
from .copies import source_path
from .followers import Callback
from .rules import RowFilter
from .selection import Wanted, Where, select
from .shown import Shown

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Version:
    """What app code learns of a version."""

    number: int
    created_at: datetime
    created_by: str
    note: str
    #: Of the whole version, whoever sees how many of them; None for a file.
    rows: int | None
    #: In bytes, of what was published.
    size: int
    filename: str
    media_type: str

    @classmethod
    def of(cls, row: DatasetVersion) -> Version:
        """That of a row in the database."""
        return cls(
            row.number,
            row.created_at,
            row.created_name,
            row.note,
            row.rows,
            row.size,
            row.filename,
            row.media_type,
        )


def open_dataset(name: str, *, user: Any = SESSION_USER) -> OpenDataset:
    """The newest version of a data set, as the user of this session, or as ``user``, sees it.

    Outside of a session, ``user`` is needed (None: a visitor). It asks the database: in ``async`` code, call
    it on a thread. Raises ``MayNotSee``, also when there is none of this name, ``NothingPublished``, ``UserNeeded``.
    """
    asking = asker(user, f"open_dataset({name!r}")
    return OpenDataset(Shown(name, asking, current_session.get()))


class OpenDataset:
    """A data set, as one user sees it. Each method asks anew what he may, and raises ``MayNotSee``.

    It stays at the version that was the newest when it was opened. One with live sources or ``on_update``
    callbacks goes on to newer ones, between two turns of its session.
    """

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    # What it is

    @property
    def name(self) -> str:
        """Its name."""
        return self._shown.name

    @property
    def version(self) -> Version:
        """Which version this is."""
        return Version.of(self._shown.version)

    @property
    def columns(self) -> dict[str, str]:
        """The type of each column, by its name."""
        return {column["name"]: column["type"] for column in self._shown.version.columns}

    def __repr__(self) -> str:
        return f"<OpenDataset {self.name} version {self.version.number}>"

    # Tables

    def to_arrow(self, columns: Iterable[str] | None = None, where: Where = None) -> Any:
        """The rows as a ``pyarrow.Table``, read-only.

        ``where`` is a dict of column to value or values, or a condition made with ``pyarrow.compute``.
        """
        return self._select(columns, where, self._of_kind(Dataset.Kind.TABLE).filters())

    def to_pandas(self, columns: Iterable[str] | None = None, where: Where = None) -> pd.DataFrame:
        """The rows as a ``pandas.DataFrame``. To change values in place, take a ``.copy()``."""
        # In blocks of their own, columns of numbers are the memory that all sessions share
        return self.to_arrow(columns, where).to_pandas(split_blocks=True, date_as_object=False)

    def rows_for(self, user: Any, columns: Iterable[str] | None = None, where: Where = None) -> Any:
        """The rows that both this user and ``user`` see, as a ``pyarrow.Table``.

        So the owner looks at what somebody else sees. Raises ``MayNotSee`` when either of them may not.
        """
        own = self._of_kind(Dataset.Kind.TABLE).filters()
        return self._select(columns, where, own | view(fresh(user), self.name).filters)

    def source(
        self, columns: Iterable[str] | None = None, where: Where = None, *, live: bool = False
    ) -> ColumnDataSource:
        """The rows as a ``ColumnDataSource``. With ``live``, new versions come into it by themselves.

        Live or not, it is emptied when the user may no longer see it, and then has the tag
        ``NO_LONGER_VISIBLE``. Its arrays are read-only, and shared by all sessions.
        """
        return self._of_kind(Dataset.Kind.TABLE).source(Wanted.of(columns, where), is_live=live)

    def _select(self, columns: Iterable[str] | None, where: Where, filters: frozenset[RowFilter]) -> Any:
        return select(self._shown.copy(), Wanted.of(columns, where), filters)

    # Files

    @property
    def path(self) -> Path:
        """A local file with what was published, to be read only."""
        shown = self._of_kind(Dataset.Kind.FILE)
        if shown.filters():
            # A rule on rows cannot be kept to in a file
            raise MayNotSee(self.name)
        return source_path(shown.version)

    def open(self) -> IO[bytes]:
        """What was published, opened for reading bytes."""
        return self.path.open("rb")

    # What becomes of it

    def on_update(self, callback: Callback) -> None:
        """Call ``callback()`` in a turn of the session when there is a newer version, or the user sees other rows."""
        self._shown.on_update(callback)

    def on_lost(self, callback: Callback) -> None:
        """Call ``callback()`` in a turn of the session when the user may no longer see the data set."""
        self._shown.on_lost(callback)

    def _of_kind(self, kind: str) -> Shown:
        if self._shown.kind != kind:
            is_file = self._shown.kind == Dataset.Kind.FILE
            raise TypeError(
                f"{quoted(self.name)} is a {'file: use open()' if is_file else 'table: use to_pandas()'}."
            )
        return self._shown
