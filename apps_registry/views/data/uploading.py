"""Publishing by hand."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ...exceptions import MayNotPublish
from ...forms.publishing import NewDatasetForm, PublishForm
from ...permissions import may
from .common import Shown, back_to, data_page, find, head, is_sent, log_in_first, refused
from .snippets import publishing


@data_page("GET", "POST")
def upload(request: HttpRequest, user: Any, name: str) -> Shown | HttpResponseBase:
    """A new version of a data set."""
    dataset = find(name, user, "publish")
    data, files = (request.POST, request.FILES) if is_sent(request) else (None, None)
    form = PublishForm(data, files, kind=dataset.kind, is_first=dataset.newest is None)
    if is_sent(request) and form.is_valid() and form.publish_in(dataset, user) is not None:
        return back_to("dataset", name, said="published")
    snippets = publishing(request, name, dataset.kind)
    context = head(dataset, user, "upload") | {"form": form, "publishing": snippets}
    return (refused if form.errors else Shown)("data/upload.html", context)


@data_page("GET", "POST")
def new(request: HttpRequest, user: Any) -> Shown | HttpResponseBase:
    """A new data set, with its first version."""
    log_in_first(user, "publish data")
    if not may(user, "publish", None):
        raise MayNotPublish("You may not make data sets. Ask whoever runs this site for that.")
    form = NewDatasetForm(request.POST, request.FILES) if is_sent(request) else NewDatasetForm()
    if is_sent(request) and form.is_valid() and (version := form.make(user)) is not None:
        return back_to("dataset", version.dataset.name, said="published")
    context = {"form": form, "publishing": publishing(request, "sales")}
    return (refused if form.errors else Shown)("data/new.html", context)
