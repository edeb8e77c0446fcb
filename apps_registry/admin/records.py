"""What has happened: last errors, and the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from .. import audit
from ..models import Failure, Opening
from . import show
from .filters import AppFilter, WhenFilter
from .managed import ManagedAdmin


class RecordAdmin(ManagedAdmin):
    """Records, which outlive app and user: their names were written down."""

    show_full_result_count = False

    @admin.display(description="app", ordering="app_name")
    def app_link(self, record: Any) -> str | SafeString:
        """The app, also one that is gone."""
        if record.app_id is None:
            return str(record.app_name)
        return show.link(self.address("vizapp_change", record.app_id), record.app_name)

    @admin.display(description="user", ordering="username")
    def user_name(self, record: Any) -> str | SafeString:
        """The user, also one who is gone."""
        return show.who(record.username)


@admin.register(Failure)
class FailureAdmin(RecordAdmin):
    """Last errors: what app code did wrong, with its traceback."""

    nothing = "No app has failed."
    list_display = ("when", "reference", "app_link", "error", "user_name", "host")
    list_display_links = ("reference",)
    list_filter = (AppFilter, ("at", WhenFilter))
    search_fields = ("reference", "summary", "username", "app_name")
    search_help_text = "The reference that the viewer was shown, or words of the error."
    fields = ("when", "reference", "app_link", "user_name", "host", "summary", "traceback")

    def has_delete_permission(self, request: HttpRequest, obj: Failure | None = None) -> bool:
        """Who may delete failures, and manages the row."""
        may_delete = request.user.has_perm("apps_registry.delete_failure")
        return may_delete and self.has_view_permission(request, obj)

    @admin.display(ordering="at")
    def when(self, failure: Failure) -> SafeString:
        """When it happened."""
        return show.moment(failure.at)

    @admin.display(ordering="summary")
    def error(self, failure: Failure) -> SafeString:
        """What went wrong, in two lines."""
        address = self.address("failure_change", failure.pk)
        return show.error(address, failure.summary, failure.detail, failure.summary)

    @admin.display
    def traceback(self, failure: Failure) -> SafeString:
        """The traceback as Python wrote it."""
        return format_html('<pre class="ar-traceback" tabindex="0">{}</pre>', failure.detail)


@admin.register(Opening)
class OpeningAdmin(RecordAdmin):
    """The audit: who opened which app, and who was refused."""

    nothing = "Nobody has tried to open an app yet."
    list_display = (
        "when",
        "app_link",
        "user_name",
        "result",
        "reason",
        "door",
        "address",
        "duration",
    )
    list_display_links = None
    list_filter = (AppFilter, "outcome", "door", ("started_at", WhenFilter))
    search_fields = ("username", "address")
    search_help_text = "User or network address."
    fields = (
        "when",
        "duration",
        "app_link",
        "user_name",
        "result",
        "reason",
        "door",
        "address",
        "origin",
        "session",
        "times",
    )

    @admin.display(ordering="started_at")
    def when(self, opening: Opening) -> SafeString:
        """When it was tried."""
        return show.moment(opening.started_at)

    @admin.display(ordering="outcome")
    def result(self, opening: Opening) -> SafeString:
        """Let in or refused, and how often."""
        times = f" \N{MULTIPLICATION SIGN}{opening.times}" if opening.times > 1 else ""
        kind = "good" if opening.outcome == Opening.Outcome.OPENED else "bad"
        return show.badge(kind, f"{opening.outcome}{times}")

    @admin.display
    def duration(self, opening: Opening) -> str | SafeString:
        """How long the app was open."""
        if opening.outcome == Opening.Outcome.REFUSED:
            return show.NOTHING
        return show.lasted(opening.duration) if opening.ended_at else show.badge("good", "open")

    def get_urls(self) -> list[URLPattern]:
        """The list's export besides Django's addresses."""
        export = self.admin_site.admin_view(require_safe(self.export))
        return [path("export/", export, name="apps_registry_opening_export"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a link to what it holds as a file."""
        address = f"{self.address('opening_export')}?{request.GET.urlencode()}"
        return super().changelist_view(request, {"export_url": address, **(extra_context or {})})

    def export(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """What the list holds, filtered as it is, as CSV; it is written while it is read."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            openings = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(self.address("opening_changelist"))
        lines = audit.csv_text(openings.iterator(chunk_size=_AT_ONCE))
        stream = _on_thread(lines) if isinstance(request, ASGIRequest) else lines
        name = f"audit-{timezone.localdate():%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(stream, content_type="text/csv; charset=utf-8", headers=headers)


#: Records that are in memory at a time during an export.
_AT_ONCE = 2000


async def _on_thread(lines: Iterator[str]) -> AsyncIterator[str]:
    """The same for an asynchronous server, which would else gather all of it first."""
    following = sync_to_async(lambda: next(lines, None))
    while (text := await following()) is not None:
        yield text
