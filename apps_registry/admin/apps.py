"""The rows of the registry, and all that can be done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Right
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from .. import directories, registry, thumbnails
from ..conf import settings
from ..exceptions import AppLoadError, AppNotFound
from ..forms.shown import save_changed
from ..models import Access, Failure, Grant, GuestLink, VizApp
from . import actions, show
from .asking import FROM_PAGE
from .filters import StateFilter
from .forms import VizAppForm
from .grants import GrantInline
from .links import GuestLinkInline, address_field, guest_url
from .managed import ManagedAdmin, rights
from .people import PeopleView
from .sessions import living

_DEFAULT_THUMBNAIL = "apps_registry/thumbnail.svg"


def _count(objects: QuerySet[Any]) -> Coalesce:
    """How many of ``objects`` belong to each row."""
    mine = objects.filter(app=OuterRef("pk")).order_by().values("app")
    return Coalesce(Subquery(mine.annotate(number=Count("pk")).values("number")), 0)


def _source_path(row: VizApp) -> Path | None:
    try:
        return directories.source_path(row)
    except AppLoadError:
        return None


@admin.register(VizApp)
class VizAppAdmin(ManagedAdmin):
    """Apps: which there are, who may open them, what they are doing."""

    row_field = "pk"
    nothing = "There are no apps yet. Put one into a directory of the setting APP_DIRS, then look for apps."
    form = VizAppForm
    list_display = ("app", "state", "may_open", "sessions", "last_error", "order", "page")
    list_display_links = ("app",)
    list_editable = ("order",)
    list_filter = (StateFilter, "access")
    search_fields = ("name", "title", "description")
    radio_fields = {"access": admin.VERTICAL}
    readonly_fields = ("status",)
    inlines = (GrantInline, GuestLinkInline)
    actions = actions.ALL
    fieldsets = (
        (None, {"fields": ("status", "name", "source")}),
        ("In the catalogue", {"fields": ("title", "description", "thumbnail", "order")}),
        ("Who may open it", {"fields": ("enabled", "access", "embed_origins")}),
        (
            "Limits",
            {
                "fields": (
                    ("max_sessions", "max_sessions_per_user"),
                    ("unattended_seconds", "idle_seconds"),
                )
            },
        ),
    )

    # Who may

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who manages all rows."""
        return rights(request).everything

    def has_change_permission(self, request: HttpRequest, obj: VizApp | None = None) -> bool:
        """Who manages the row."""
        return self.has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: VizApp | None = None) -> bool:
        """Who manages the row and may delete rows."""
        may_delete = request.user.has_perm("apps_registry.delete_vizapp")
        return may_delete and self.has_view_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: VizApp | None = None) -> tuple[str, ...]:
        """Whoever manages some rows only cannot make one serve the files of another."""
        fixed = () if rights(request).everything else ("name", "source")
        return (*self.readonly_fields, *fixed)

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[VizApp]:
        """The user's rows, with what the columns show."""
        failures = Failure.objects.filter(app=OuterRef("pk")).order_by("-at", "-pk")
        rows: QuerySet[VizApp] = (
            super()
            .get_queryset(request)
            .annotate(
                live=_count(living()),
                grant_count=_count(Grant.objects.all()),
                last_failure=Subquery(failures.values("pk")[:1]),
                failed_at=Subquery(failures.values("at")[:1]),
                failed_with=Subquery(failures.values("summary")[:1]),
                failed_how=Subquery(failures.values(end=Right("detail", 200))[:1]),
            )
        )
        return rows

    @admin.display(ordering="name")
    def app(self, row: VizApp) -> SafeString:
        """Thumbnail, title and name."""
        return format_html(
            '<span class="ar-app"><img src="{}" alt="" loading="lazy" width="64" height="36">'
            "<span>{}<small>{}</small></span></span>",
            self._thumbnail_url(row),
            row.title or row.name,
            row.name if row.title else "",
        )

    def _thumbnail_url(self, row: VizApp) -> str:
        version = thumbnails.version(row, _source_path(row))
        if version is None:
            return static(_DEFAULT_THUMBNAIL)
        return f"{self.address('vizapp_thumbnail', row.pk)}?v={version}"

    @admin.display(ordering="enabled")
    def state(self, row: VizApp) -> SafeString:
        """On or off, and whether its files are there."""
        state = show.badge("good", "on") if row.enabled else show.badge("quiet", "off")
        if row.missing_since is None:
            return state
        return format_html("{} {}", state, show.badge("warning", "files missing"))

    @admin.display(description="may open", ordering="access")
    def may_open(self, row: Any) -> str:
        """Who may open the app."""
        if row.access != Access.GRANT:
            return Access(row.access).label
        return f"By grant: {row.grant_count}"

    @admin.display(ordering="live")
    def sessions(self, row: Any) -> str | SafeString:
        """The number of live sessions."""
        if not row.live:
            return "0"
        return show.link(self._about("livesession", row), row.live)

    @admin.display(description="last error", ordering="failed_at")
    def last_error(self, row: Any) -> str | SafeString:
        """What the app last did wrong, and when."""
        if row.last_failure is None:
            return show.NOTHING
        address = self.address("failure_change", row.last_failure)
        return show.error(address, row.failed_with, row.failed_how, show.ago(row.failed_at))

    @admin.display
    def page(self, row: VizApp) -> SafeString:
        """The app's page."""
        return format_html('<a href="{}" aria-label="Open {}">Open</a>', row.get_absolute_url(), row)

    def _about(self, model: str, row: VizApp) -> str:
        return f"{self.address(f'{model}_changelist')}?{urlencode({'app': row.name})}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a button that looks for apps."""
        looks = {"look_url": self.address("vizapp_look")} if rights(request).everything else {}
        return super().changelist_view(request, {**looks, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        """The list's own addresses besides Django's."""
        wrap = self.admin_site.admin_view
        people = PeopleView.as_view(admin_site=self.admin_site)
        return [
            path("look/", wrap(require_POST(self.look)), name="apps_registry_vizapp_look"),
            path("<int:pk>/thumbnail/", wrap(self.thumbnail), name="apps_registry_vizapp_thumbnail"),
            path("people/", wrap(people), name="apps_registry_vizapp_people"),
            *super().get_urls(),
        ]

    def look(self, request: HttpRequest) -> HttpResponse:
        """Look for apps in the directories, and say what was found."""
        if not rights(request).everything:
            raise PermissionDenied
        report = registry.sync()
        for names, said in (
            (report.created, "New"),
            (report.returned, "There again"),
            (report.missing, "Files missing"),
        ):
            if names:
                self.message_user(request, f"{said}: {', '.join(names)}.", messages.SUCCESS)
        for problem in report.problems:
            self.message_user(request, problem, messages.WARNING)
        if not report.has_changed:
            self.message_user(request, "No app is new, and none is gone.")
        if settings.APPS is not None:
            self.message_user(request, _APPS_RULE, messages.WARNING)
        return HttpResponseRedirect(self.address("vizapp_changelist"))

    def thumbnail(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The picture of an app, also of one that is off."""
        row = get_object_or_404(rights(request).restrict(VizApp.objects.all(), "pk"), pk=pk)
        try:
            return thumbnails.answer(request, row, _source_path(row))
        except AppNotFound as error:
            raise Http404 from error

    # One row

    @admin.display
    def status(self, row: Any) -> SafeString:
        """What the list says of the app, in one line."""
        parts = [self.state(row)]
        if row.missing_since:
            parts.append(format_html("The files went missing {}.", show.ago(row.missing_since)))
        parts.append(format_html("Live sessions: {}", self.sessions(row)))
        parts.append(format_html("Last error: {}", self.last_error(row)))
        parts.append(show.link(self._about("failure", row), "All errors"))
        parts.append(show.link(self._about("opening", row), "Audit"))
        return format_html_join("", '<span class="ar-part">{}</span>', ((part,) for part in parts))

    def get_fieldsets(self, request: HttpRequest, obj: VizApp | None = None) -> Any:
        """A row that is not there yet has no status."""
        if obj is not None:
            return self.fieldsets
        return ((None, {"fields": ("name", "source")}), *self.fieldsets[1:])

    def get_form(self, request: HttpRequest, obj: VizApp | None = None, *args: Any, **kwargs: Any) -> Any:
        """The form, which shows the picture that was uploaded."""
        form = super().get_form(request, obj, *args, **kwargs)
        if obj is not None and "thumbnail" in form.base_fields:
            form.base_fields["thumbnail"].widget.address = self._thumbnail_url(obj)
        return form

    def view_on_site(self, obj: VizApp) -> str:
        """The app's page."""
        return obj.get_absolute_url()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: VizApp | None = None,
    ) -> HttpResponse:
        """The page, with buttons for what can be done with the row."""
        if obj is not None and obj.pk is not None:
            context["row_actions"] = actions.buttons(obj)
            context["list_url"] = self.address("vizapp_changelist")
            context["from_page_name"] = FROM_PAGE
        return super().render_change_form(request, context, add, change, form_url, obj)

    def save_model(self, request: HttpRequest, obj: VizApp, form: Any, change: bool) -> None:
        """Save what was changed in the form, and warn when the row's address is another one now."""
        if change:
            save_changed(obj, form, *(["missing_since"] if "source" in form.changed_data else ()))
        else:
            super().save_model(request, obj, form, change)
        if change and "name" in form.changed_data:
            self.message_user(request, _RENAMED.format(form.initial["name"], obj.name), messages.WARNING)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save grants and links; who made a link is written down, and its address told."""
        if formset.model is GuestLink:
            for link_form in formset.extra_forms:
                link_form.instance.created_by = request.user
        super().save_formset(request, form, formset, change)
        for link in formset.new_objects:
            if isinstance(link, GuestLink):
                self.tell_address(request, link)

    def tell_address(self, request: HttpRequest, link: GuestLink) -> None:
        """Show the address of a new guest link."""
        said = format_html("Guest link for {}: {}", link.app, address_field(guest_url(request, link)))
        self.message_user(request, said, messages.SUCCESS)


_APPS_RULE = "This server serves exactly the apps that its settings or command line name; rows do not count."
_RENAMED = "The app was renamed from {} to {}: links and embedded pages with the old name lead nowhere now."
