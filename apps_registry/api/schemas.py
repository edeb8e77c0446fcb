"""What goes over the wire, as the OpenAPI description says it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, get_args

from ninja import Schema
from pydantic import ConfigDict, Field

from ..datasets.columns import KINDS, MAX_NAME
from ..models import Access, Dataset, DatasetGrant, DatasetVersion

#: The biggest number that all databases hold.
MAX_INT = 2**31 - 1
#: Databases fail over NUL in a text.
_NO_NUL = r"^[^\x00]*$"

Name = Annotated[str, Field(max_length=150, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", examples=["sales"])]
Text = Annotated[str, Field(max_length=200, pattern=_NO_NUL)]
LongText = Annotated[str, Field(max_length=20_000, pattern=_NO_NUL)]
Number = Annotated[int, Field(ge=1, le=MAX_INT)]

#: What grants give, in the words for people, by the names that they have in the database.
ROLE_NAMES = {role.value: role.label for role in DatasetGrant.Role}
RoleName = Literal["viewer", "publisher", "owner"]
AccessName = Literal["public", "login", "grant"]
RuleName = Literal["username", "groups"]
#: What is told. A word that is none of these, written by SQL, shows nothing to viewers, and is no failure of a list.
_ACCESSES: list[Any] = list(get_args(AccessName))
_RULES: list[Any] = list(get_args(RuleName))
assert set(ROLE_NAMES.values()) == {"viewer", "publisher", "owner"}
assert set(Access.values) == {"public", "login", "grant"}


class Column(Schema):
    """A column of a table."""

    name: str = Field(min_length=1, max_length=MAX_NAME, pattern=_NO_NUL, examples=["price"])
    type: Literal["integer", "number", "text", "boolean", "date", "datetime", "time"] = Field(
        examples=["number"]
    )


assert set(Column.model_fields["type"].annotation.__args__) == set(KINDS)  # type: ignore[union-attr]


class Version(Schema):
    """One publication, which never changes."""

    dataset: str = Field(examples=["sales"])
    number: int = Field(description="Counts from 1.", examples=[3])
    created_at: datetime
    created_by: str = Field(description="Who published it; empty for visitors.", examples=["alice"])
    note: str = Field(examples=["Figures of March"])
    rows: int | None = Field(description="None for a plain file.", examples=[1200])
    columns: list[Column]
    size: int = Field(
        description="Bytes of the file that is kept: Parquet, or the plain file.", examples=[48_211]
    )
    sha256: str = Field(description="Of that file; empty for who sees only some of its rows.")
    media_type: str = Field(examples=["application/vnd.apache.parquet"])
    filename: str = Field(description="What the publisher called his file.", examples=["march.csv"])
    appended: bool = Field(description="Whether it is the version before, with rows added at its end.")


class RowRule(Schema):
    """Which rows a viewer sees: those whose column is his user name, or one of his groups."""

    model_config = ConfigDict(extra="forbid")

    by: RuleName
    column: str = Field(min_length=1, max_length=200, pattern=_NO_NUL, examples=["region"])


class RowRuleOut(Schema):
    """Which rows a viewer sees: those whose column is his user name, or one of his groups."""

    by: str = Field(json_schema_extra={"enum": _RULES})
    column: str = Field(examples=["region"])


class DatasetOut(Schema):
    """What is published under a name."""

    name: str = Field(examples=["sales"])
    kind: Literal["table", "file"]
    title: str
    description: str
    tags: list[str] = Field(examples=[["2026", "finance"]])
    owner: str = Field(description="Empty for visitors.", examples=["alice"])
    access: str = Field(
        description="Who may see it: everybody, who is logged in, or who has a grant.",
        json_schema_extra={"enum": _ACCESSES},
    )
    role: RoleName = Field(description="What you may do with it; each role holds those before it.")
    row_rule: RowRuleOut | None = Field(description="None: a viewer sees all rows.")
    columns: list[Column] | None = Field(description="What every version must have, if that is declared.")
    keep_versions: int | None = Field(
        description="How many versions are kept; None, and no days either: all."
    )
    keep_days: int | None = Field(description="For how many days versions are kept.")
    created_at: datetime
    newest: Version | None = Field(description="None before the first publication.")


class Change(Schema):
    """What its owner changes of a data set; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    title: Text = Field(default_factory=str)
    description: LongText = Field(default_factory=str)
    tags: list[Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_NUL)]] = Field(
        default_factory=list, max_length=50
    )
    access: AccessName = Field(default_factory=lambda: "grant")
    row_rule: RowRule | None = None
    columns: list[Column] | None = Field(None, max_length=2000)
    keep_versions: Number | None = None
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class Grant(Schema):
    """What a user or a group may do: exactly one of the two is named."""

    model_config = ConfigDict(extra="forbid")

    user: Text | None = Field(None, examples=["bob"])
    group: Text | None = None
    role: RoleName


class DatasetPage(Schema):
    """Some of the data sets, by name."""

    items: list[DatasetOut]
    count: int = Field(description="How many there are in all.")


class VersionPage(Schema):
    """Some of the versions, the newest first."""

    items: list[Version]
    count: int = Field(description="How many there are in all.")


class GrantPage(Schema):
    """All grants of a data set."""

    items: list[Grant]
    count: int


def version_out(version: DatasetVersion, name: str, *, with_names: bool, with_digest: bool) -> dict[str, Any]:
    """A version of the data set ``name`` as it is told; by a digest, guesses at hidden rows could be tried out."""
    plain = (
        "number",
        "created_at",
        "note",
        "rows",
        "columns",
        "size",
        "media_type",
        "filename",
        "appended",
    )
    told = {field: getattr(version, field) for field in plain}
    return told | {
        "dataset": name,
        "created_by": version.created_name if with_names else "",
        "sha256": version.sha256 if with_digest else "",
    }


def dataset_out(dataset: Dataset, role: str, *, with_names: bool, with_digest: bool) -> dict[str, Any]:
    """A data set as it is told to who may do ``role`` with it, by its name in the database; see ``version_out``."""
    plain = (
        "name",
        "kind",
        "title",
        "description",
        "tags",
        "access",
        "keep_versions",
        "keep_days",
        "created_at",
    )
    newest, told = dataset.newest, {"with_names": with_names, "with_digest": with_digest}
    return {
        **{field: getattr(dataset, field) for field in plain},
        "owner": str(dataset.owner.get_username()) if with_names and dataset.owner is not None else "",
        "role": ROLE_NAMES[role],
        "row_rule": {"by": dataset.row_rule, "column": dataset.row_column} if dataset.row_rule else None,
        "columns": dataset.schema,
        "newest": newest and version_out(newest, dataset.name, **told),
    }
