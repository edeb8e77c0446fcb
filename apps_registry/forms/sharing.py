"""Who may see a data set, and which rows."""

from __future__ import annotations

from typing import Any

from django import forms

from ..datasets import sharing
from ..datasets.columns import RULE_TYPES
from ..exceptions import BadArguments, quoted
from ..models import Access, Dataset, DatasetGrant
from .shown import remember_shown

_RULES = [
    ("", "All rows"),
    (Dataset.RowRule.USERNAME, "Rows in which a column is the viewer's user name"),
    (Dataset.RowRule.GROUPS, "Rows in which a column is one of the viewer's groups"),
]


#: The fields that choose rows, which make sense together only.
ROWS = {"row_rule", "row_column"}


class AccessForm(forms.Form):
    """Access and row rule."""

    access = forms.ChoiceField(choices=Access.choices, widget=forms.RadioSelect, label="Who may see it")
    row_rule = forms.ChoiceField(
        choices=_RULES, required=False, widget=forms.RadioSelect, label="What a viewer sees"
    )
    row_column = forms.ChoiceField(required=False, label="The column")

    def __init__(self, dataset: Dataset, data: Any = None) -> None:
        names = ("access", "row_rule", "row_column")
        super().__init__(data, initial={name: getattr(dataset, name) for name in names})
        columns = dataset.schema or (dataset.newest.columns if dataset.newest is not None else [])
        names_of = [column["name"] for column in columns if column["type"] in RULE_TYPES]
        chosen = [dataset.row_column] if dataset.row_column and dataset.row_column not in names_of else []
        field = self.fields["row_column"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Choose a column"), *((name, name) for name in [*names_of, *chosen])]
        if dataset.kind == Dataset.Kind.FILE:
            del self.fields["row_rule"], self.fields["row_column"]
        remember_shown(self)

    def clean(self) -> dict[str, Any]:
        """A rule needs its column."""
        values = super().clean() or self.cleaned_data
        if values.get("row_rule") and not values.get("row_column") and "row_column" not in self.errors:
            self.add_error("row_column", "Choose the column that the rule reads.")
        return values

    def values(self) -> dict[str, Any]:
        """The fields of the model that are changed; the rule and its column are one."""
        changed = set(self.changed_data)
        if changed & ROWS:
            changed |= ROWS
        return {name: value for name, value in self.cleaned_data.items() if name in changed}


class GrantForm(forms.Form):
    """A grant to a user or to a group."""

    holder = forms.ChoiceField(choices=[("user", "User"), ("group", "Group")], label="To a")
    name = forms.CharField(
        max_length=200,
        widget=forms.TextInput({"autocapitalize": "off", "autocomplete": "off", "spellcheck": "false"}),
    )
    role = forms.ChoiceField(
        choices=[(role.value, role.label.capitalize()) for role in DatasetGrant.Role],
        help_text=" ".join(f"{role.label.capitalize()}: {role.help}" for role in DatasetGrant.Role),
    )

    def __init__(self, dataset: Dataset, data: Any = None) -> None:
        super().__init__(data)
        self._owner = dataset.owner

    def clean(self) -> dict[str, Any]:
        """Whoever is named is there, and has not all rights already."""
        values = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                values["whom"] = holder_named(values["holder"], values["name"])
            except BadArguments as error:
                self.add_error("name", str(error))
            else:
                if self._owner is not None and values["whom"].get("user") == self._owner:
                    self.add_error("name", f"{quoted(values['name'])} is the owner, and may do all of it.")
        return values


def holder_named(holder: str, name: str) -> dict[str, Any]:
    """A user or a group, by the word for it, as ``sharing.share`` takes it. Raises ``BadArguments``."""
    if holder == "group":
        return {"group": sharing.group_named(name)}
    return {"user": sharing.user_named(name)}
