"""Forms that know what they showed, so that who saves one takes nothing back that others have changed meanwhile."""

from __future__ import annotations

from django import forms
from django.db import models


def remember_shown(form: forms.BaseForm, *without: str) -> None:
    """Let ``form.changed_data`` be what differs from what the page showed, which comes back in hidden fields.

    What comes without such a field is compared with what is there now.
    """
    for name, field in form.fields.items():
        is_told = not form.is_bound or form.add_initial_prefix(name) in form.data
        field.show_hidden_initial = is_told and name not in without


def save_changed(row: models.Model, form: forms.BaseForm, *also: str) -> None:
    """Save those fields of a row that were changed in its form, and ``also`` some that follow from them."""
    fields = {field.name for field in row._meta.concrete_fields}
    row.save(update_fields=fields & {*form.changed_data, *also})
