"""What owners change of a data set; deleting it, and having it back."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ...conf import settings
from ...datasets import changing, managing
from ...exceptions import BadArguments, BadData
from ...forms.describing import DescribeForm
from ...permissions import may
from .common import Shown, back_to, data_page, find, head, is_sent, refused


@data_page("GET", "POST")
def edit(request: HttpRequest, user: Any, name: str) -> Shown | HttpResponseBase:
    """What is said of a data set, and how long its versions are kept."""
    dataset = find(name, user, "manage")
    form = DescribeForm(dataset, request.POST if is_sent(request) else None)
    if is_sent(request) and form.is_valid():
        try:
            changing.change(dataset, user, **form.values())
        except (BadArguments, BadData) as error:
            form.add_error(None, str(error))
        else:
            return back_to("dataset" if may(user, "open", dataset) else "dataset_edit", name, said="changed")
    return (refused if form.errors else Shown)(
        "data/edit.html", head(find(name, user, "manage"), user, "edit") | {"form": form}
    )


@data_page("GET", "POST")
def delete(request: HttpRequest, user: Any, name: str) -> Shown | HttpResponseBase:
    """Deletes when the name is typed."""
    dataset = find(name, user, "manage")
    typed = request.POST.get("name", "").strip()
    if is_sent(request) and typed == name:
        managing.delete(dataset, user)
        return back_to("datasets", said="deleted")
    context = head(dataset, user, "delete") | {
        "typed": typed,
        "is_wrong": is_sent(request),
        "days": settings.DATA_UNDELETE_DAYS,
        "number_of_versions": dataset.versions.count(),
    }
    return (refused if is_sent(request) else Shown)("data/delete.html", context)


@data_page("GET", "POST")
def undelete(request: HttpRequest, user: Any, name: str) -> Shown | HttpResponseBase:
    """Has a deleted data set back. Who comes here otherwise, such as from the login, is led to its page."""
    dataset = find(name, user, "manage")
    if not is_sent(request):
        return back_to("dataset", name)
    managing.undelete(dataset, user)
    return back_to("dataset", name, said="undeleted")
