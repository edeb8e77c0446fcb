"""The grants on the page of an app or of a data set."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest

from ..models import DatasetGrant, Grant
from ..models.roles import ROLES
from .generic import BaseInlineFormSet, ModelForm
from .managed import ManagedInline, data_rights
from .people import PeopleSelect

_HOLDERS = ("user", "group")


class HoldingForm(ModelForm):
    """One grant, to a user or to a group."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _HOLDERS:
            widget = self.fields[name].widget
            if isinstance(widget, PeopleSelect):
                widget.chosen = getattr(self.instance, name)


class GrantForm(HoldingForm):
    """One grant of an app."""

    class Meta:
        model = Grant
        fields = ["role", *_HOLDERS]


class DatasetGrantForm(HoldingForm):
    """One grant of a data set."""

    class Meta:
        model = DatasetGrant
        fields = ["role", *_HOLDERS]


class GrantFormSet(BaseInlineFormSet):
    """All grants of an app or of a data set."""

    def clean(self) -> None:
        """No grant stands there twice; the database compares with saved ones only."""
        super().clean()
        seen = set()
        for form in self.forms:
            values = getattr(form, "cleaned_data", None)
            if not values or values.get(DELETION_FIELD_NAME):
                continue
            grant = tuple(values.get(name) for name in ("role", *_HOLDERS))
            if grant in seen:
                raise ValidationError("The same grant stands here twice.")
            seen.add(grant)


class HoldingInline(ManagedInline):
    """Who may do what, with searched users and groups."""

    formset = GrantFormSet
    fields = ("user", "group", "role")
    #: The field of what is granted, and what each role gives
    thing = ""
    roles: dict[str, str] = {}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The grants, with all that a line shows."""
        return super().get_queryset(request).select_related(self.thing, *_HOLDERS)

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """Users and groups are searched; there may be thousands."""
        if db_field.name in _HOLDERS:
            return db_field.formfield(widget=PeopleSelect(db_field, self.admin_site), **kwargs)
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "role":
            field.help_text = " ".join(f"{name}: {help}" for name, help in self.roles.items())
        return field


class GrantInline(HoldingInline):
    """Who may do what with an app."""

    model = Grant
    form = GrantForm
    thing = "app"
    roles = {name: role.help for name, role in ROLES.items() if role.granted_by}


class DatasetGrantInline(HoldingInline):
    """Who may do what with a data set, besides its owner."""

    model = DatasetGrant
    form = DatasetGrantForm
    verbose_name = "grant"
    thing = "dataset"
    roles = {role.label: role.help for role in DatasetGrant.Role}
    rights_of = staticmethod(data_rights)
