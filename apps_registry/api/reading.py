"""What there is, for who may see it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from ..datasets import finding, rules
from ..exceptions import NothingPublished, quoted
from ..models import Dataset, DatasetGrant, DatasetVersion
from ..permissions import may
from .callers import Caller, caller_of
from .listing import Limit, Offset, some
from .problems import problems
from .routes import READING, router
from .schemas import DatasetOut, DatasetPage, Name, Number, Version, VersionPage, dataset_out, version_out

_VIEWER, _PUBLISHER, _OWNER = DatasetGrant.Role.values


@router.get(
    "/datasets", response={200: DatasetPage, **problems(422)}, operation_id="list_datasets", **READING
)
def datasets(request: HttpRequest, limit: Limit = 100, offset: Offset = 0) -> dict[str, Any]:
    """List the data sets that you may see, by name."""
    caller = caller_of(request)
    visible = Dataset.objects.visible_to(caller.user).select_related("newest", "owner").order_by("name")
    token = caller.token
    if token is not None and token.dataset_id is not None:
        visible = visible.filter(pk=token.dataset_id)
    elif token is not None and token.app_id is not None:
        visible = visible.none()
    page, count = some(visible, limit, offset)
    may_publish = _keys(Dataset.objects.publishable_by(caller.user), page)
    may_manage = _keys(Dataset.objects.manageable_by(caller.user), page)
    items = [
        dataset_out(
            one,
            _OWNER if one.pk in may_manage else _PUBLISHER if one.pk in may_publish else _VIEWER,
            with_names=caller.is_somebody,
            # As ``row_filter`` says of each
            with_digest=not one.row_rule or one.pk in may_publish,
        )
        for one in page
    ]
    return {"items": items, "count": count}


@router.get(
    "/datasets/{name}",
    response={200: DatasetOut, **problems(404, 422)},
    operation_id="get_dataset",
    **READING,
)
def dataset(request: HttpRequest, name: Name) -> dict[str, Any]:
    """Show one data set."""
    return describe(finding.find(name, caller_of(request).user), caller_of(request))


@router.get(
    "/datasets/{name}/versions",
    response={200: VersionPage, **problems(404, 422)},
    operation_id="list_versions",
    **READING,
)
def versions(request: HttpRequest, name: Name, limit: Limit = 100, offset: Offset = 0) -> dict[str, Any]:
    """List the versions that are kept, the newest first."""
    caller = caller_of(request)
    found = finding.find(name, caller.user)
    page, count = some(found.versions.order_by("-number"), limit, offset)
    told = _told_of_versions(found, caller)
    return {"items": [version_out(one, name, **told) for one in page], "count": count}


@router.get(
    "/datasets/{name}/versions/{number}",
    response={200: Version, **problems(404, 422)},
    operation_id="get_version",
    **READING,
    url_name="version",
)
def version(request: HttpRequest, name: Name, number: Number) -> dict[str, Any]:
    """Show one version."""
    caller = caller_of(request)
    dataset = finding.find(name, caller.user)
    return version_out(find_version(dataset, number), name, **_told_of_versions(dataset, caller))


def find_version(dataset: Dataset, number: int | None) -> DatasetVersion:
    """The version of this number, or the newest. Raises ``NothingPublished``."""
    if number is None and dataset.newest is not None:
        return dataset.newest
    found = dataset.versions.filter(number=number).first() if number is not None else None
    if found is None:
        what = "no version yet" if number is None else f"no version {number}, or not any more"
        raise NothingPublished(f"{quoted(dataset.name)} has {what}.")
    return found


def describe(dataset: Dataset, caller: Caller) -> dict[str, Any]:
    """A data set as it is told to who may see it."""
    role = next((role for role in (_OWNER, _PUBLISHER) if may(caller.user, role, dataset)), _VIEWER)
    return dataset_out(dataset, role, **_told_of_versions(dataset, caller))


def _told_of_versions(dataset: Dataset, caller: Caller) -> dict[str, bool]:
    sees_all = rules.row_filter(caller.user, dataset) is None
    return {"with_names": caller.is_somebody, "with_digest": sees_all}


def _keys(some_of: QuerySet[Dataset], page: list[Dataset]) -> frozenset[int]:
    """Those data sets of a page that are among others."""
    return frozenset(some_of.filter(pk__in=[one.pk for one in page]).values_list("pk", flat=True))
