"""The page of one data set."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest

from ...conf import settings
from ...datasets import finding
from ...datasets.opened import OpenDataset, open_dataset
from ...exceptions import DataRefused, VizserverError
from ...models import Dataset, DatasetGrant
from ...permissions import is_login
from .changes import steps
from .common import Shown, data_page, find, head
from .plotting import Drawing, axes_of, draw
from .preview import Preview, preview
from .snippets import publishing, reading

#: Versions on the page itself; there is another with all.
_VERSIONS = 3
#: Pictures that all browsers show, and that run nothing.
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@data_page("GET")
def dataset(request: HttpRequest, user: Any, name: str) -> Shown:
    """What it is, and what is in it, for who may see it; how to have it back, for who may do that."""
    if is_login(user):
        found = finding.row_of(name)
        if found is not None and found.deleted_at is not None:
            return _deleted(finding.find(name, user, "manage"), user)
    found = find(name, user)
    context = head(found, user, "dataset")
    return Shown(
        "data/dataset.html",
        {
            **context,
            **_content(request, found, user),
            **_newest(found),
            **(_sharing(found) if context["may_manage"] else {}),
            "publishing": publishing(request, name, found.kind) if context["may_publish"] else [],
            "reading": reading(request, name, found.kind),
        },
    )


def _deleted(dataset: Dataset, user: Any) -> Shown:
    assert dataset.deleted_at is not None
    until = dataset.deleted_at + timedelta(days=settings.DATA_UNDELETE_DAYS)
    return Shown("data/deleted.html", head(dataset, user, "dataset") | {"until": until})


def _newest(dataset: Dataset) -> dict[str, Any]:
    """The newest versions, and how many there are in all."""
    some = list(dataset.versions.order_by("-number")[: _VERSIONS + 1])
    has_older = len(some) > _VERSIONS
    number = dataset.versions.count() if has_older else len(some)
    return {"steps": list(steps(some, has_older=has_older)), "number_of_versions": number}


def _sharing(dataset: Dataset) -> dict[str, Any]:
    grants = DatasetGrant.objects.filter(dataset=dataset).select_related("user", "group")
    return {"grants": list(grants), "shows_sharing": True}


# What is in it


def _content(request: HttpRequest, dataset: Dataset, user: Any) -> dict[str, Any]:
    if dataset.newest is None:
        return {}
    if dataset.kind == Dataset.Kind.FILE:
        return {"is_picture": dataset.newest.media_type in _PICTURES}
    return _table(request, open_dataset(dataset.name, user=user))


def _table(request: HttpRequest, opened: OpenDataset) -> dict[str, Any]:
    first = preview(opened)
    return {"preview": first, "columns": opened.columns, "drawing": _drawing(request, opened, first)}


def _drawing(request: HttpRequest, opened: OpenDataset, first: Preview) -> Drawing | None:
    axes = axes_of(opened.columns, request.GET.get("x"), request.GET.get("y"))
    if axes is None or not first.seen:
        return None
    try:
        return draw(opened, axes)
    except DataRefused:
        raise
    except VizserverError:
        # The preview says why
        return None
