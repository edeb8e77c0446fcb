"""What can be done with apps: each action takes the chosen rows and says what came of it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html

from .. import relay
from ..directories import source_path
from ..exceptions import AppError
from ..models import Failure, VizApp
from ..permissions import user_name
from ..testing import check_app
from . import show
from .asking import FROM_PAGE, answered, ask
from .links import NewLinkForm, new_link

if TYPE_CHECKING:
    from .apps import VizAppAdmin

#: Each check builds an app while the browser waits.
_CHECKS_AT_ONCE = 10


@admin.action(description="Switch on", permissions=["change"])
def enable(model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp]) -> HttpResponse:
    """Let those in who may open the app."""
    return _switch(model_admin, request, rows, enabled=True)


@admin.action(description="Switch off", permissions=["change"])
def disable(model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp]) -> HttpResponse:
    """Close the app for everybody, also for those who have it open."""
    return _switch(model_admin, request, rows, enabled=False)


def _switch(
    model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp], *, enabled: bool
) -> HttpResponse:
    word = "on" if enabled else "off"
    chosen = list(rows)
    changed = [row for row in chosen if row.enabled != enabled]
    for row in changed:
        row.enabled = enabled
        # One by one: it is the signal of each that tells the servers
        row.save(update_fields=["enabled"])
        model_admin.log_change(request, row, f"Switched {word}.")
    if changed:
        model_admin.message_user(request, f"Switched {word}: {_names(changed)}.", messages.SUCCESS)
    if same := [row for row in chosen if row not in changed]:
        model_admin.message_user(request, f"Already {word}: {_names(same)}.", messages.INFO)
    if enabled and (missing := [row for row in chosen if row.missing_since]):
        model_admin.message_user(request, f"The files are missing of: {_names(missing)}.", messages.WARNING)
    return _back(model_admin, request, chosen)


@admin.action(description="Load the code anew", permissions=["change"])
def reload_code(model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp]) -> HttpResponse:
    """Let all servers read the app's files again; open tabs load again."""
    chosen = list(rows)
    for row in chosen:
        relay.publish("reload", app=row.name)
        model_admin.log_change(request, row, "Loaded the code anew.")
    model_admin.message_user(
        request, f"The servers load the code anew, and open tabs load again: {_names(chosen)}."
    )
    return _back(model_admin, request, chosen)


@admin.action(description="End all sessions", permissions=["change"])
def end_sessions(model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp]) -> HttpResponse:
    """Close all tabs that show the app; it can be opened again."""
    chosen = list(rows)
    for row in chosen:
        relay.publish("end_sessions", app=row.name)
        model_admin.log_change(request, row, "Ended all sessions.")
    model_admin.message_user(request, f"All sessions are being ended of: {_names(chosen)}.")
    return _back(model_admin, request, chosen)


@admin.action(description="Check now", permissions=["change"])
def check(model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp]) -> HttpResponse:
    """Load and build each app once, as ``manage.py checkapp`` does."""
    chosen = list(rows)
    if len(chosen) > _CHECKS_AT_ONCE:
        model_admin.message_user(
            request, f"Choose at most {_CHECKS_AT_ONCE} apps at a time to check.", messages.WARNING
        )
        return _back(model_admin, request, chosen)
    for row in chosen:
        try:
            checked = check_app(source_path(row), user=request.user)
        except AppError as error:
            failure = _write_down(row, request, error)
            reference = show.link(model_admin.address("failure_change", failure.pk), failure.reference)
            said = format_html("Checked {}: {} Reference: {}", row.name, error.summary, reference)
            model_admin.message_user(request, said, messages.ERROR)
        else:
            model_admin.message_user(request, f"Checked {row.name}: well. {checked}", messages.SUCCESS)
    return _back(model_admin, request, chosen)


def _write_down(row: VizApp, request: HttpRequest, error: AppError) -> Failure:
    return Failure.objects.create(
        app=row,
        app_name=row.name,
        user_id=request.user.pk,
        username=user_name(request.user),
        reference=error.reference,
        summary=error.summary[:300],
        detail=error.detail,
        at=timezone.now(),
        host=f"{socket.gethostname()[:60]}:{os.getpid()}",
    )


@admin.action(description="Make a guest link…", permissions=["change"])
def make_guest_link(model_admin: VizAppAdmin, request: HttpRequest, rows: QuerySet[VizApp]) -> HttpResponse:
    """Make an address that opens the app for whoever has it."""
    form = answered(request, NewLinkForm)
    if not form.is_valid():
        return ask(
            model_admin,
            request,
            rows,
            form,
            name=str,
            action="make_guest_link",
            title="Make a guest link",
            submit="Make the link",
        )
    chosen = list(rows)
    for row in chosen:
        link = new_link(row, request.user, **form.cleaned_data)
        model_admin.log_change(request, row, f"Made a guest link for {link.note or 'guests'}.")
        model_admin.tell_address(request, link)
    return _back(model_admin, request, chosen)


def _names(rows: Iterable[VizApp]) -> str:
    return ", ".join(row.name for row in rows)


def _back(model_admin: VizAppAdmin, request: HttpRequest, chosen: list[VizApp]) -> HttpResponse:
    """To the page where the action was started: that of the one row, or the list as it was."""
    if request.POST.get(FROM_PAGE) and len(chosen) == 1:
        return HttpResponseRedirect(model_admin.address("vizapp_change", chosen[0].pk))
    return HttpResponseRedirect(request.get_full_path())


ALL = (enable, disable, reload_code, check, end_sessions, make_guest_link)


def buttons(row: VizApp) -> list[tuple[str, str]]:
    """Names and labels of what can be done with one row."""
    useless: Any = enable if row.enabled else disable
    useful: list[Any] = [action for action in ALL if action is not useless]
    return [(action.__name__, action.short_description) for action in useful]
