"""What the server tells of data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True)
class Version:
    """One publication of a data set."""

    dataset: str
    number: int
    created_at: datetime
    #: Who published it
    created_by: str
    note: str
    #: None for a plain file
    rows: int | None
    #: ``[{"name": ..., "type": ...}]``
    columns: list[dict[str, str]]
    #: Of the file that the server keeps, in bytes
    size: int
    #: Empty for who sees only some of its rows
    sha256: str
    media_type: str
    filename: str
    #: Whether it is the version before, with rows added at its end
    appended: bool

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """The version that the server describes, as far as this client knows its words."""
        known = {name: answer[name] for name in cls.__dataclass_fields__}
        return cls(**known | {"created_at": datetime.fromisoformat(answer["created_at"])})


@dataclass(frozen=True)
class Dataset:
    """What there is under a name."""

    name: str
    #: "table" or "file"
    kind: str
    title: str
    description: str
    tags: list[str]
    owner: str
    #: "public", "login" or "grant"
    access: str
    #: What the token's user may do with it: "viewer", "publisher" or "owner"
    role: str
    #: None before the first publication
    newest: Version | None

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """The data set that the server describes, as far as this client knows its words."""
        known = {name: answer[name] for name in cls.__dataclass_fields__}
        newest = answer["newest"]
        return cls(**known | {"newest": newest and Version.from_answer(newest)})
