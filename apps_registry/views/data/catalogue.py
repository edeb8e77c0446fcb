"""The list of the data sets that a user may see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.http import urlencode

from ...conf import settings
from ...models import Dataset
from ...permissions import is_login, may
from ..listing import folded
from .common import Shown, data_page
from .snippets import publishing

#: Data sets on one page of the list.
PAGE_SIZE = 50
_LOOKED_AT = ("newest", "owner")


@dataclass(frozen=True)
class Deleted:
    """A data set that can be had back."""

    dataset: Dataset
    #: When it goes for good
    until: datetime


@data_page("GET")
def datasets(request: HttpRequest, user: Any) -> Shown:
    """All data sets that this visitor may see, and those that he may have back."""
    query, tag = request.GET.get("q", "").strip(), request.GET.get("tag", "").strip()
    visible = list(
        Dataset.objects.visible_to(user)
        .select_related(*_LOOKED_AT)
        # They may be long, and are not shown
        .defer("schema", "newest__columns")
    )
    found = sorted(_matching(visible, query, tag), key=lambda dataset: (folded(str(dataset)), dataset.name))
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    given = {key: value for key, value in (("q", query), ("tag", tag)) if value}
    may_make = may(user, "publish", None)
    return Shown(
        "data/list.html",
        {
            "page": page,
            "query": query,
            "tag": tag,
            "tags": sorted({word for dataset in visible for word in dataset.tags}, key=folded),
            "total": len(visible),
            "roles": _roles(page.object_list, user),
            "is_somebody": is_login(user),
            "may_make": may_make,
            "snippets": publishing(request, "sales") if may_make and not visible else [],
            "deleted": _deleted(user),
            "turn_pages": f"?{urlencode(given)}&" if given else "?",
        },
    )


def _matching(visible: Iterable[Dataset], query: str, tag: str) -> Iterable[Dataset]:
    words = folded(query).split()
    for dataset in visible:
        if tag and tag not in dataset.tags:
            continue
        text = folded("\n".join([dataset.name, dataset.title, dataset.description, *dataset.tags]))
        if all(word in text for word in words):
            yield dataset


def _roles(shown: Iterable[Dataset], user: Any) -> dict[Any, str]:
    """What the user may do with those that are more than seen, by two queries."""
    if not is_login(user):
        return {}
    pks, objects = [dataset.pk for dataset in shown], Dataset.objects
    roles: dict[Any, str] = {}
    for role, queryset in (
        ("publisher", objects.publishable_by(user)),
        ("owner", objects.manageable_by(user)),
    ):
        roles |= dict.fromkeys(queryset.filter(pk__in=pks).values_list("pk", flat=True), role)
    return roles


def _deleted(user: Any) -> list[Deleted]:
    days = timedelta(days=settings.DATA_UNDELETE_DAYS)
    gone = Dataset.objects.manageable_by(user).exclude(deleted_at=None).order_by("-deleted_at")
    return [Deleted(dataset, dataset.deleted_at + days) for dataset in gone if dataset.deleted_at is not None]
