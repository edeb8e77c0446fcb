"""People and teams in the admin. What people report is between them and their leads, so it is not here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from .models import Person, Team


class PersonInline(admin.TabularInline):  # type: ignore[type-arg]
    """The people of a team."""

    model = Person
    autocomplete_fields = ("user",)
    extra = 0


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Teams, each with its people."""

    inlines = (PersonInline,)
    search_fields = ("name",)

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).prefetch_related("people__user")


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """People, by team."""

    list_display = ("user", "team", "is_lead")
    list_filter = ("team", "is_lead")
    list_select_related = ("user", "team")
    search_fields = ("user__username", "user__first_name", "user__last_name")
    autocomplete_fields = ("user", "team")
