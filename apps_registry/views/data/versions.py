"""The versions of a data set that are kept."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest

from .changes import steps
from .common import Shown, data_page, find, head

PAGE_SIZE = 25


@data_page("GET")
def versions(request: HttpRequest, user: Any, name: str) -> Shown:
    """All versions, with what each changed."""
    dataset = find(name, user)
    kept = dataset.versions.order_by("-number")
    page = Paginator(kept, PAGE_SIZE).get_page(request.GET.get("page"))
    start = page.start_index() - 1 if page.object_list else 0
    some = list(kept[start : start + PAGE_SIZE + 1])
    has_older = len(some) > PAGE_SIZE
    context = {"page": page, "steps": list(steps(some, has_older=has_older)), "turn_pages": "?"}
    return Shown("data/versions.html", head(dataset, user, "versions") | context)
