"""The sessions that live now, in all processes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .. import relay
from ..models import Host, LiveSession
from . import show
from .asking import answered, ask
from .filters import AppFilter
from .managed import ManagedAdmin


def living() -> QuerySet[LiveSession]:
    """The sessions of all processes that have not ended without a word."""
    return LiveSession.objects.exclude(host__in=Host.objects.gone())


class MessageForm(forms.Form):
    """What the people in front of a session shall read."""

    text = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField", "autofocus": True}),
        help_text="Plain text. All tabs of the session show it in a corner, until it is closed.",
    )


@admin.action(description="End", permissions=["view"])
def end(model_admin: LiveSessionAdmin, request: HttpRequest, sessions: QuerySet[LiveSession]) -> None:
    """Close the tabs of the sessions, and let the sessions go."""
    chosen = list(sessions)
    for session in chosen:
        relay.publish("end_session", session=session.session)
        model_admin.write_down(request, session, "Ended")
    model_admin.message_user(request, f"Being ended: {_names(chosen)}.", messages.SUCCESS)


@admin.action(description="Send a message to the tabs…", permissions=["view"])
def message(
    model_admin: LiveSessionAdmin, request: HttpRequest, sessions: QuerySet[LiveSession]
) -> HttpResponse | None:
    """Show a text to the people in front of the sessions."""
    form = answered(request, MessageForm)
    if not form.is_valid():
        return ask(
            model_admin,
            request,
            sessions,
            form,
            name=_name,
            action="message",
            title="Send a message to the tabs",
            submit="Send",
        )
    chosen = list(sessions)
    for session in chosen:
        relay.publish("message", session=session.session, text=form.cleaned_data["text"])
        model_admin.write_down(request, session, "Sent a message to")
    model_admin.message_user(request, f"Sent to: {_names(chosen)}.", messages.SUCCESS)
    return None


def _names(sessions: list[LiveSession]) -> str:
    return ", ".join(map(_name, sessions))


def _name(session: LiveSession) -> str:
    return f"{session.username or 'visitor'} in {session.app_name}"


@admin.register(LiveSession)
class LiveSessionAdmin(ManagedAdmin):
    """Live sessions: who has which app open right now."""

    nothing = "Nobody has an app open right now."
    list_display = (
        "app_link",
        "user_name",
        "since",
        "last_activity",
        "tabs",
        "memory_used",
        "session",
        "process",
    )
    list_display_links = None
    list_filter = (AppFilter,)
    list_select_related = ("host",)
    search_fields = ("app_name", "username", "session", "host__name")
    search_help_text = "App, user, session or process."
    fields = ("app_link", "user_name", "since", "last_activity", "tabs", "memory_used", "session", "process")
    actions = (end, message)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LiveSession]:
        """Without those of processes that are gone."""
        return super().get_queryset(request).exclude(host__in=Host.objects.gone())

    def has_delete_permission(self, request: HttpRequest, obj: LiveSession | None = None) -> bool:
        """These lines go with their app or user, whose pages ask for this too; nobody deletes them by hand."""
        return obj is not None

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refused: to end a session is an action."""
        raise PermissionDenied

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """The page of a session, to be read only."""
        return super().render_change_form(request, {**context, "show_delete": False}, *args, **kwargs)

    def write_down(self, request: HttpRequest, session: LiveSession, done: str) -> None:
        """Note in the history of the app what was done with one of its sessions."""
        if session.app is not None:
            text = f"{done} the session {session.session} of {session.username or 'a visitor'}."
            self.log_change(request, session.app, text)

    @admin.display(description="app", ordering="app_name")
    def app_link(self, session: LiveSession) -> str | SafeString:
        """The app."""
        if session.app_id is None:
            return session.app_name
        return show.link(self.address("vizapp_change", session.app_id), session.app_name)

    @admin.display(description="user", ordering="username")
    def user_name(self, session: LiveSession) -> str | SafeString:
        """The user."""
        return show.who(session.username)

    @admin.display(ordering="started_at")
    def since(self, session: LiveSession) -> SafeString:
        """When it began."""
        return show.ago(session.started_at)

    @admin.display(description="last activity", ordering="active_at")
    def last_activity(self, session: LiveSession) -> SafeString:
        """When a tab last said something."""
        return show.ago(session.active_at)

    @admin.display(description="memory", ordering="memory")
    def memory_used(self, session: LiveSession) -> str:
        """The estimate of its host."""
        return show.size(session.memory)

    @admin.display(ordering="host__name")
    def process(self, session: LiveSession) -> SafeString:
        """The host."""
        return format_html("<code>{}</code>", session.host.name)
