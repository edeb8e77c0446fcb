"""Filters beside the lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..models import VizApp
from .managed import rights


class AppFilter(admin.SimpleListFilter):
    """By app, of which a user is shown those that he manages."""

    title = "app"
    parameter_name = "app"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """The user's rows, by name, and what was asked for."""
        names = rights(request).restrict(VizApp.objects.all(), "pk").values_list("name", flat=True)
        asked = self.value()
        # An app that is gone still has records
        return [(name, name) for name in sorted({*names, *([asked] if asked else [])})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What belongs to the app, also from when it had another name, and to one that is gone."""
        if (name := self.value()) is None:
            return queryset
        row = VizApp.objects.filter(name=name).first()
        gone = Q(app=None, app_name=name)
        return queryset.filter(gone if row is None else Q(app=row) | gone)


class StateFilter(admin.SimpleListFilter):
    """By what an app's state is."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """The states."""
        return [("on", "On"), ("off", "Off"), ("missing", "Files missing"), ("failing", "With errors")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows in this state."""
        match self.value():
            case "on" | "off" as state:
                return queryset.filter(enabled=state == "on")
            case "missing":
                return queryset.filter(missing_since__isnull=False)
            case "failing":
                return queryset.filter(last_failure__isnull=False)
        return queryset


class WhenFilter(admin.DateFieldListFilter):
    """By time, whatever the field is called."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "when"
