"""Choosing users and groups by their first letters, whatever user model the site has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from ..models import Grant
from .managed import data_rights, rights


class PeopleView(AutocompleteJsonView):
    """Finds users and groups for grants: for everybody who manages a row, also where he may not see users else."""

    def process_request(self, request: HttpRequest) -> tuple[str, Any, Any, str]:
        """What to look for, and where: ``field_name`` is ``user`` or ``group``."""
        name = request.GET.get("field_name")
        if name not in ("user", "group"):
            raise PermissionDenied
        assert self.admin_site is not None
        field: Any = Grant._meta.get_field(name)
        model = field.remote_field.model
        return request.GET.get("term", ""), _searcher(model, self.admin_site), field, model._meta.pk.attname

    def has_perm(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the user has grants to give."""
        return bool(rights(request) or data_rights(request))

    def get_queryset(self) -> QuerySet[Any]:
        """Who was found, page by page in one order."""
        found: QuerySet[Any] = super().get_queryset()
        return found if found.ordered else found.order_by("pk")

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        """One user or group, by a name that is his alone."""
        return {"id": str(obj.pk), "text": label(obj)}


def label(person: Any) -> str:
    """A user or group; a site's users may be called alike, so their login is told too."""
    name = str(person)
    login = person.get_username() if hasattr(person, "get_username") else name
    return name if name == login else f"{name} ({login})"


def _searcher(model: Any, site: AdminSite) -> ModelAdmin[Any]:
    """What searches a model: its page in the admin, or one made up where it has none."""
    if site.is_registered(model):
        registered = site.get_model_admin(model)
        if registered.search_fields:
            return registered
    name = "name" if model is Group else model.USERNAME_FIELD
    plain = ModelAdmin(model, site)
    plain.search_fields = [name]  # type: ignore[misc]
    return plain


class PeopleSelect(AutocompleteSelect):
    """A user or a group, chosen by the first letters."""

    url_name = "%s:apps_registry_vizapp_people"
    #: Who is chosen already, so that no row of a form asks the database for its own
    chosen: Model | None = None

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> list[Any]:
        """The empty choice, and who is chosen."""
        if self.chosen is None or list(value) != [str(self.chosen.pk)]:
            return super().optgroups(name, value, attrs)
        nobody = self.create_option(name, "", "", False, 0)
        return [(None, [nobody, self.create_option(name, value[0], label(self.chosen), True, 1)], 0)]
