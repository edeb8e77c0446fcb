"""Who may see a data set: access, grants, row rule, and a look through somebody else's eyes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ...datasets import changing, sharing as grants
from ...datasets.opened import open_dataset
from ...datasets.rules import row_filter
from ...exceptions import BadArguments, BadData, DataRefused, MayNotSee
from ...forms.sharing import AccessForm, GrantForm
from ...models import Dataset, DatasetGrant
from ...permissions import may
from .common import Shown, back_to, data_page, find, head, is_sent, refused
from .preview import preview


@data_page("GET", "POST")
def sharing(request: HttpRequest, user: Any, name: str) -> Shown | HttpResponseBase:
    """The forms of access and grants; ``do`` says which of them was sent."""
    dataset = find(name, user, "manage")
    do = request.POST.get("do", "") if is_sent(request) else ""
    access = AccessForm(dataset, request.POST if do == "access" else None)
    grant = GrantForm(dataset, request.POST if do == "grant" else None)
    is_done = {"access": _set_access, "grant": _grant, "revoke": _revoke}.get(do)
    if is_done is not None and is_done(request, dataset, user, grant if do == "grant" else access):
        # Whoever took the right from himself cannot come back to this page
        if not may(user, "manage", dataset):
            return back_to("datasets", said="shared")
        return back_to("dataset_sharing", name, said="shared")
    context = {
        **head(find(name, user, "manage"), user, "sharing"),
        "access": access,
        "grant": grant,
        "grants": _grants(dataset),
        "roles": DatasetGrant.Role.choices,
        "seen_by": request.GET.get("as", "").strip(),
        "rules": Dataset.RowRule,
        **_look(dataset, user, request.GET.get("as", "").strip()),
    }
    return (refused if is_sent(request) else Shown)("data/sharing.html", context)


def _grants(dataset: Dataset) -> list[DatasetGrant]:
    return list(DatasetGrant.objects.filter(dataset=dataset).select_related("user", "group"))


def _set_access(request: HttpRequest, dataset: Dataset, user: Any, form: Any) -> bool:
    if not form.is_valid():
        return False
    try:
        changing.change(dataset, user, **form.values())
    except (BadArguments, BadData) as error:
        form.add_error("row_column" if "row_column" in form.fields else None, str(error))
        return False
    return True


def _grant(request: HttpRequest, dataset: Dataset, user: Any, form: Any) -> bool:
    if not form.is_valid():
        return False
    grants.share(dataset, user, form.cleaned_data["role"], **form.cleaned_data["whom"])
    return True


def _revoke(request: HttpRequest, dataset: Dataset, user: Any, form: Any) -> bool:
    key = request.POST.get("grant", "")
    held = dataset.grants.filter(pk=key).first() if key.isdecimal() and len(key) < _LONGEST else None
    if held is not None:
        grants.unshare(dataset, user, user=held.user, group=held.group)
    # One that is gone already is what was wanted
    return True


_LONGEST = 19


def _look(dataset: Dataset, user: Any, name: str) -> dict[str, Any]:
    """What the user of this name sees, or why he sees nothing."""
    if not name:
        return {}
    try:
        viewer = grants.user_named(name)
        if not viewer.is_active or not may(viewer, "open", dataset):
            raise MayNotSee(dataset.name)
        if dataset.newest is None or dataset.kind == Dataset.Kind.FILE:
            return {"look_says": f"{name} may see it."}
        if not may(user, "open", dataset) or row_filter(user, dataset) is not None:
            # It would be what both see, which is less
            return {"look_says": "Only who sees all rows can look at them as somebody else sees them."}
        return {"look": preview(open_dataset(dataset.name, user=user), seen_by=viewer)}
    except MayNotSee:
        return {"look_says": f"{name} may not see it."}
    except (BadArguments, DataRefused) as error:
        return {"look_says": str(error)}
