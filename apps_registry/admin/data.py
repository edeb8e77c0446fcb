"""Data sets: which there are, who may see them, their versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..datasets.changing import check_row_rule
from ..datasets.columns import declared
from ..exceptions import VizserverError
from ..forms.describing import TagsField, number_input
from ..forms.sharing import ROWS
from ..forms.shown import remember_shown, save_changed
from ..models import Access, Dataset, DatasetGrant, DatasetVersion
from ..permissions import may
from ..texts import count
from . import data_actions as actions, show
from .asking import FROM_PAGE
from .generic import ModelForm
from .grants import DatasetGrantInline
from .managed import ManagedAdmin, data_rights

#: Versions on the page of a data set; the site's own page has all.
_VERSIONS = 20


class DeletedFilter(admin.SimpleListFilter):
    """Those that can be brought back, or the others."""

    title = "state"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """The states."""
        return [("no", "Not deleted"), ("yes", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> QuerySet[Dataset]:
        """The data sets in this state."""
        match self.value():
            case "no" | "yes" as wanted:
                return queryset.filter(deleted_at__isnull=wanted == "no")
        return queryset


class DatasetForm(ModelForm):
    """One data set; rules that would show nobody anything are refused."""

    tags = TagsField(
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="Words to find it by, with commas between them.",
    )

    class Meta:
        model = Dataset
        fields = "__all__"
        widgets = {
            "title": forms.TextInput(attrs={"class": "vTextField"}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            "schema": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            "keep_versions": number_input(**{"class": "vIntegerField"}),
            "keep_days": number_input(**{"class": "vIntegerField"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        remember_shown(self)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        dataset = self.instance
        if self.errors:
            return
        if not dataset.row_rule:
            dataset.row_column = ""
        for field, check in (("schema", _check_schema), ("row_column", check_row_rule)):
            try:
                check(dataset)
            except VizserverError as error:
                self.add_error(field, str(error))


def _check_schema(dataset: Dataset) -> None:
    if dataset.schema is not None:
        declared(dataset.schema)


@admin.register(Dataset)
class DatasetAdmin(ManagedAdmin):
    """Data sets: for who manages all of them, and for owners who are staff."""

    row_field = "pk"
    rights_of = staticmethod(data_rights)
    nothing = "Nobody has published anything yet."
    form = DatasetForm
    list_display = ("title_and_name", "may_see", "owner_name", "newest_version", "published", "state")
    list_display_links = ("title_and_name",)
    list_filter = (DeletedFilter, "kind", "access")
    list_select_related = ("newest", "owner")
    search_fields = ("name", "title", "description")
    radio_fields = {"access": admin.VERTICAL}
    raw_id_fields = ("owner",)
    readonly_fields = ("status", "versions")
    inlines = (DatasetGrantInline,)
    actions = actions.ALL
    fieldsets = (
        (None, {"fields": ("status", "name", "kind", "title", "description", "tags", "owner")}),
        ("Who may see it", {"fields": ("access", ("row_rule", "row_column"))}),
        ("Versions", {"fields": ("versions", "schema", ("keep_versions", "keep_days"))}),
    )

    # Who may

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may make data sets."""
        return may(request.user, "publish", None)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Who manages some, or may make one."""
        return super().has_module_permission(request) or self._may_make(request)

    def has_view_permission(self, request: HttpRequest, obj: Dataset | None = None) -> bool:
        """As ``ManagedAdmin``; the list is also for who has nothing in it yet."""
        return super().has_view_permission(request, obj) or (obj is None and self._may_make(request))

    def has_change_permission(self, request: HttpRequest, obj: Dataset | None = None) -> bool:
        """Who manages it."""
        return self.has_view_permission(request, obj)

    def _may_make(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.is_active and user.is_staff) and self.has_add_permission(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Dataset | None = None) -> tuple[str, ...]:
        """The name stands in code, and what a version is stays; only who manages all gives one to another owner."""
        fixed = ("name", "kind") if obj is not None else ()
        owner = () if data_rights(request).everything else ("owner",)
        return (*self.readonly_fields, *fixed, *owner)

    # The list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Dataset]:
        """The user's data sets, with what the columns show."""
        mine = DatasetGrant.objects.filter(dataset=OuterRef("pk")).order_by().values("dataset")
        grants = Subquery(mine.annotate(number=Count("pk")).values("number"))
        found: QuerySet[Dataset] = super().get_queryset(request)
        return found.annotate(grant_count=Coalesce(grants, 0))

    @admin.display(description="data set", ordering="name")
    def title_and_name(self, dataset: Dataset) -> SafeString:
        """Title and name."""
        name = dataset.name if dataset.title else ""
        return format_html('<span class="ar-app"><span>{}<small>{}</small></span></span>', dataset, name)

    @admin.display(description="may see", ordering="access")
    def may_see(self, dataset: Any) -> str:
        """Who may see it."""
        if dataset.access != Access.GRANT:
            return str(Access(dataset.access).label)
        return f"By grant: {dataset.grant_count}"

    @admin.display(description="owner", ordering="owner")
    def owner_name(self, dataset: Dataset) -> str:
        """By which name the owner logs in."""
        return show.NOTHING if dataset.owner is None else str(dataset.owner.get_username())

    @admin.display(description="newest version", ordering="newest__number")
    def newest_version(self, dataset: Dataset) -> str:
        """Its number and size."""
        version = dataset.newest
        return show.NOTHING if version is None else f"{version.number}: {_extent(version)}"

    @admin.display(ordering="newest__created_at")
    def published(self, dataset: Dataset) -> str | SafeString:
        """When that was published."""
        return show.NOTHING if dataset.newest is None else show.ago(dataset.newest.created_at)

    @admin.display(ordering="deleted_at")
    def state(self, dataset: Dataset) -> str | SafeString:
        """Whether it is deleted."""
        if dataset.deleted_at is None:
            return show.badge("good", "there")
        return format_html("{} {}", show.badge("quiet", "deleted"), show.ago(dataset.deleted_at))

    # One data set

    @admin.display
    def status(self, dataset: Dataset) -> SafeString:
        """What the list says of it, in one line."""
        parts = [self.state(dataset), self.newest_version(dataset)]
        if dataset.deleted_at is None:
            parts.append(show.link(dataset.get_absolute_url(), "Open its page"))
        return format_html_join("", '<span class="ar-part">{}</span>', ((part,) for part in parts))

    @admin.display
    def versions(self, dataset: Dataset) -> str | SafeString:
        """The newest versions, which nobody changes."""
        newest = list(dataset.versions.order_by("-number")[: _VERSIONS + 1])
        rows = format_html_join("", _VERSION, (_cells(dataset, version) for version in newest[:_VERSIONS]))
        if not rows:
            return show.NOTHING
        more = ""
        if len(newest) > _VERSIONS:
            more = show.link(reverse("apps_registry:dataset_versions", args=[dataset.name]), "All versions")
        return format_html('<div class="ar-versions"><table>{}{}</table>{}</div>', _VERSION_HEAD, rows, more)

    def get_fieldsets(self, request: HttpRequest, obj: Dataset | None = None) -> Any:
        """A new one has neither status nor versions, and the owner is who makes it."""
        if obj is not None:
            return self.fieldsets
        names = ("name", "kind", "title", "description", "tags")
        keep = {"fields": (("keep_versions", "keep_days"),)}
        return ((None, {"fields": names}), ("Who may see it", {"fields": ("access",)}), ("Versions", keep))

    def save_model(self, request: HttpRequest, obj: Dataset, form: Any, change: bool) -> None:
        """Save what was changed in the form; a new one is that of who makes it."""
        if change:
            # The rule and its column are one
            rule = ROWS if ROWS & set(form.changed_data) else ()
            save_changed(obj, form, *rule)
            return
        obj.owner = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Dataset | None = None,
    ) -> HttpResponse:
        """The page, with buttons for what can be done with the data set."""
        if obj is not None and obj.pk is not None:
            context["row_actions"] = actions.buttons(obj)
            context["list_url"] = self.address("dataset_changelist")
            context["from_page_name"] = FROM_PAGE
        return super().render_change_form(request, context, add, change, form_url, obj)


_VERSION_HEAD = format_html(
    "<thead><tr>{}</tr></thead>",
    format_html_join(
        "",
        '<th scope="col">{}</th>',
        ((head,) for head in ("Version", "Published", "By", "Note", "Holds", "Bytes", "SHA-256")),
    ),
)
_VERSION = (
    '<tr><th scope="row"><a href="{}">{}</a></th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>'
    "<td><code>{}</code></td></tr>"
)


def _cells(dataset: Dataset, version: DatasetVersion) -> tuple[Any, ...]:
    what = "file" if dataset.kind == Dataset.Kind.FILE else "data"
    address = reverse(f"apps_registry:api:{what}", args=[dataset.name])
    return (
        f"{address}?version={version.number}",
        version.number,
        show.ago(version.created_at),
        version.created_name,
        version.note,
        _extent(version),
        show.size(version.size),
        version.sha256[:12],
    )


def _extent(version: DatasetVersion) -> str:
    return (
        version.media_type if version.rows is None else f"{count(version.rows)} row{pluralize(version.rows)}"
    )
