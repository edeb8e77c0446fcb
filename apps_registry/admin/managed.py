"""Who sees what in these pages: all of it, or what belongs to the rows that he manages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

from ..models import Dataset, VizApp
from ..models.apps import has_permission, is_login
from .generic import ModelAdmin, TabularInline


@dataclass(frozen=True)
class Rights:
    """What the user of one request may see and change here."""

    #: Whether all rows are his, and what belongs to none as well
    everything: bool
    #: Else, the keys of the rows that he manages
    rows: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.rows)

    def manages(self, app_id: int | None) -> bool:
        """Whether the row with this key is his."""
        return self.everything or app_id in self.rows

    def restrict[M: Model](self, queryset: QuerySet[M], field: str) -> QuerySet[M]:
        """``queryset`` without what belongs to other rows; ``field`` leads to the row."""
        return queryset if self.everything else queryset.filter(**{f"{field}__in": self.rows})


#: A page asks dozens of times, the database is asked once.
_known: WeakKeyDictionary[HttpRequest, tuple[Rights, Rights]] = WeakKeyDictionary()


def rights(request: HttpRequest) -> Rights:
    """What the user behind ``request`` may see and change of apps in these pages."""
    return _both(request)[0]


def data_rights(request: HttpRequest) -> Rights:
    """What the user behind ``request`` may see and change of data sets in these pages."""
    return _both(request)[1]


def _both(request: HttpRequest) -> tuple[Rights, Rights]:
    if request not in _known:
        _known[request] = _ask(request.user)
    return _known[request]


def _ask(user: Any) -> tuple[Rights, Rights]:
    if not is_login(user) or not user.is_staff:
        return Rights(everything=False), Rights(everything=False)
    all_apps = has_permission(user, "apps_registry.change_vizapp")
    all_data = has_permission(user, "apps_registry.change_dataset")
    apps, data = (frozenset(), frozenset()) if all_apps and all_data else _keys(user)
    return (
        Rights(True) if all_apps else Rights(False, apps),
        Rights(True) if all_data else Rights(False, data),
    )


def _keys(user: Any) -> tuple[frozenset[int], frozenset[int]]:
    """The keys of the apps and of the data sets that ``user`` manages, by one query."""
    apps = VizApp.objects.manageable_by(user).order_by().annotate(of_data=Value(0))
    data = Dataset.objects.manageable_by(user).order_by().annotate(of_data=Value(1))
    both = apps.values_list("of_data", "pk").union(data.values_list("of_data", "pk"), all=True)
    keys = list(both.order_by())
    return frozenset(pk for of_data, pk in keys if not of_data), frozenset(
        pk for of_data, pk in keys if of_data
    )


class ManagedAdmin(ModelAdmin):
    """A list of what belongs to rows, to be read by those who manage them."""

    #: The way from an object to its row
    row_field = "app_id"
    rights_of = staticmethod(rights)
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    #: What an empty list says
    nothing = ""

    class Media:
        css = {"all": ["apps_registry/admin.css"]}
        js = ["apps_registry/admin.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """What belongs to the user's rows."""
        return self.rights_of(request).restrict(super().get_queryset(request), self.row_field)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list, with its filters in a line above it."""
        changelist = super().get_changelist_instance(request)
        changelist.title = capfirst(str(self.opts.verbose_name_plural))
        if not changelist.query and not changelist.has_active_filters:
            # Else a list that does not count twice would say that it hides something
            changelist.full_result_count = changelist.result_count
        for spec in changelist.filter_specs:
            spec.template = "admin/apps_registry/filter.html"
        return changelist

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the list stands in the index."""
        return bool(self.rights_of(request))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user manages the row of ``obj``; without one, whether he manages any."""
        mine = self.rights_of(request)
        return bool(mine) if obj is None else mine.manages(getattr(obj, self.row_field))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Servers write these."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What has happened stays as it is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What has happened stays."""
        return False

    def address(self, page: str, *args: Any) -> str:
        """The address of a page of the admin about what this package registers, like ``vizapp_change``."""
        return reverse(f"{self.admin_site.name}:apps_registry_{page}", args=args)


class ManagedInline(TabularInline):
    """A part of a row's page, for whoever manages the row."""

    extra = 0
    rights_of = staticmethod(rights)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user manages the row; without one, whether he manages any."""
        mine = self.rights_of(request)
        return bool(mine) if obj is None else mine.manages(obj.pk)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As ``has_view_permission``."""
        return self.has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As ``has_view_permission``."""
        return self.has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As ``has_view_permission``."""
        return self.has_view_permission(request, obj)
