"""What owners do: change a data set, delete it, and say who may see it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import P, QueryEx, Status

from ..datasets import changing, finding, managing, sharing
from ..exceptions import BadArguments
from ..models import Dataset, DatasetGrant
from .callers import caller_of
from .problems import problems
from .reading import describe
from .routes import MANAGING, router
from .schemas import ROLE_NAMES, Change, DatasetOut, Grant, GrantPage, Name

_ROLES = {name: role for role, name in ROLE_NAMES.items()}
User = QueryEx[str | None, P(description="The name that the user logs in with.", example="bob")]
Group = QueryEx[str | None, P(description="The name of the group.")]


@router.patch(
    "/datasets/{name}",
    response={200: DatasetOut, **problems(400, 404, 413, 422)},
    operation_id="change_dataset",
    **MANAGING,
)
def change(request: HttpRequest, name: Name, change: Change) -> dict[str, Any]:
    """Change what is said of a data set, who sees which rows, and how long versions are kept.

    Tabs of viewers who lose a right by it lose the data at once.
    """
    dataset = _find(request, name)
    changing.change(dataset, caller_of(request).user, **_values(change))
    return describe(dataset, caller_of(request))


@router.delete(
    "/datasets/{name}", response={204: None, **problems(404, 422)}, operation_id="delete_dataset", **MANAGING
)
def delete(request: HttpRequest, name: Name) -> Status[None]:
    """Delete a data set with all its versions. For some days it can be had back."""
    managing.delete(_find(request, name), caller_of(request).user)
    return Status(204, None)


@router.post(
    "/datasets/{name}/undelete",
    response={200: DatasetOut, **problems(404, 422)},
    operation_id="undelete_dataset",
    **MANAGING,
)
def undelete(request: HttpRequest, name: Name) -> dict[str, Any]:
    """Have a deleted data set back, with its versions and grants."""
    dataset = _find(request, name)
    managing.undelete(dataset, caller_of(request).user)
    return describe(dataset, caller_of(request))


@router.get(
    "/datasets/{name}/grants",
    response={200: GrantPage, **problems(404, 422)},
    operation_id="list_grants",
    **MANAGING,
)
def grants(request: HttpRequest, name: Name) -> dict[str, Any]:
    """List who may do what, besides the owner and those to whom its access opens it."""
    found = _find(request, name).grants.select_related("user", "group")
    items = [_told(grant) for grant in found]
    return {"items": items, "count": len(items)}


@router.put(
    "/datasets/{name}/grants",
    response={200: Grant, **problems(400, 404, 413, 422)},
    operation_id="put_grant",
    **MANAGING,
)
def put_grant(request: HttpRequest, name: Name, grant: Grant) -> Grant:
    """Let a user or a group see, publish or own a data set, in place of what they could before."""
    dataset = _find(request, name)
    sharing.share(dataset, caller_of(request).user, _ROLES[grant.role], **_holder(grant.user, grant.group))
    return grant


@router.delete(
    "/datasets/{name}/grants",
    response={204: None, **problems(404, 422)},
    operation_id="delete_grant",
    **MANAGING,
)
def delete_grant(request: HttpRequest, name: Name, user: User = None, group: Group = None) -> Status[None]:
    """Take from a user or a group what they may; their open tabs lose the data at once. No grant is no error."""
    dataset = _find(request, name)
    sharing.unshare(dataset, caller_of(request).user, **_holder(user, group))
    return Status(204, None)


def _find(request: HttpRequest, name: str) -> Dataset:
    return finding.find(name, caller_of(request).user, "manage")


def _values(change: Change) -> dict[str, Any]:
    """The fields of the model that a change names."""
    values = change.dict(exclude_unset=True)
    if "columns" in values:
        values["schema"] = values.pop("columns")
    if "row_rule" in values:
        rule = values.pop("row_rule") or {"by": Dataset.RowRule.ALL, "column": ""}
        values |= {"row_rule": rule["by"], "row_column": rule["column"]}
    return values


def _holder(user: str | None, group: str | None) -> dict[str, Any]:
    if (user is None) == (group is None):
        raise BadArguments("Name either a user or a group.")
    if user is not None:
        return {"user": sharing.user_named(user)}
    return {"group": sharing.group_named(str(group))}


def _told(grant: DatasetGrant) -> dict[str, Any]:
    return {
        "user": grant.user.get_username() if grant.user is not None else None,
        "group": grant.group.name if grant.group is not None else None,
        "role": ROLE_NAMES[grant.role],
    }
