"""What the pages over data sets do alike: who asks, which data set, what stands around the page itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from ... import embedding
from ...answers import address_of, answers_errors, login_page, render_page
from ...datasets import finding, rules
from ...datasets.formats import FORMATS
from ...exceptions import LoginRequired, VizserverError
from ...models import Dataset
from ...models.apps import OPEN_TO_LOGINS
from ...permissions import is_login, may
from ..common import private

#: What a page says after what was done on another one, by the argument ``said`` of its address.
SAID = {
    "published": "It is published.",
    "shared": "Who may see it is changed, also for those who look at it now.",
    "changed": "The changes are saved.",
    "deleted": "The data set is deleted.",
    "undeleted": "The data set is back.",
    "revoked": "The token is void.",
}
#: Downloads of tables: the word in the address, and what people call it.
_DOWNLOADS = [(name, FORMATS[name].title) for name in ("csv", "parquet", "arrow", "json")]


@dataclass(frozen=True)
class Shown:
    """A page that is to be rendered."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)
    status: int = 200


type DataView = Callable[..., Shown | HttpResponseBase]


def data_page(*methods: str) -> Callable[[DataView], Any]:
    """Make a view of a plain function of request, user and what is in the address; it may ask the database."""
    allowed = [*methods, *(["HEAD"] if "GET" in methods else [])]

    def decorate(view: DataView) -> Any:
        @csrf_protect
        @require_http_methods(allowed)
        @answers_errors
        @functools.wraps(view)
        async def answering(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            user = await request.auser()
            shown: Shown | HttpResponseBase
            if is_sent(request) and not is_login(user):
                shown = _logged_out(request)
            else:
                shown = await sync_to_async(view)(request, user, **kwargs)
            if not isinstance(shown, Shown):
                return shown
            around = {
                "nonce": embedding.nonce(request),
                "said": SAID.get(request.GET.get("said", ""), "") if request.method == "GET" else "",
            }
            page = await render_page(
                request, f"apps_registry/{shown.template}", around | shown.context, status=shown.status
            )
            return private(page)

        return answering

    return decorate


def _logged_out(request: HttpRequest) -> Shown:
    """No form here is for visitors: whoever sends one was logged out since it was shown, maybe on another page."""
    back = redirect_to_login(address_of(request)).url if login_page() else ""
    return Shown("data/logged_out.html", {"login_url": back}, status=403)


def log_in_first(user: Any, what: str) -> None:
    """Send a visitor to the login, from where he comes back. Raises ``LoginRequired``."""
    if not is_login(user):
        raise LoginRequired(f"Please log in to {what}.")


def find(name: str, user: Any, role: str = "open") -> Dataset:
    """The data set, as ``finding.find``; raises ``LoginRequired`` too, where that tells a visitor nothing new."""
    try:
        return finding.find(name, user, role)
    except VizserverError:
        if not is_login(user) and _is_open_to_logins(name):
            raise LoginRequired("Please log in to see this data.") from None
        raise


def _is_open_to_logins(name: str) -> bool:
    dataset = finding.row_of(name)
    return dataset is not None and dataset.deleted_at is None and dataset.access in OPEN_TO_LOGINS


def head(dataset: Dataset, user: Any, tab: str) -> dict[str, Any]:
    """What stands above the pages of one data set: its title, and the way to what the user may do with it."""
    may_manage = may(user, "manage", dataset)
    # Who may change all data sets need not be somebody who may see this one
    may_open = not may_manage or may(user, "open", dataset)
    return {
        "dataset": dataset,
        "tab": tab,
        "may_open": may_open,
        "back_url": reverse(
            f"apps_registry:{'dataset' if may_open else 'dataset_sharing'}", args=[dataset.name]
        ),
        "may_manage": may_manage,
        "may_publish": may(user, "publish", dataset),
        # Visitors are told of no users
        "is_somebody": is_login(user),
        "formats": _DOWNLOADS,
        # A rule on rows cannot be kept to in a file
        "is_hidden": dataset.kind == Dataset.Kind.FILE and rules.row_filter(user, dataset) is not None,
    }


def back_to(page: str, *args: Any, said: str = "") -> HttpResponseRedirect:
    """After something was done: to a page that says so."""
    query = f"?{urlencode({'said': said})}" if said else ""
    return redirect(f"{reverse(f'apps_registry:{page}', args=args)}{query}")


def refused(template: str, context: dict[str, Any]) -> Shown:
    """A page whose form says what is wrong with it."""
    return Shown(template, context, status=422)


def is_sent(request: HttpRequest) -> bool:
    """Whether a form comes with the request."""
    return request.method == "POST"
