"""What an owner says of a data set, and how long its versions are kept."""

from __future__ import annotations

from typing import Any

from django import forms

from ..models import Dataset
from .shown import remember_shown

_MOST_TAGS = 50
_LONGEST_TAG = 100


class TagsField(forms.CharField):
    """Words with commas between them, as a list."""

    def prepare_value(self, value: Any) -> Any:
        """The words as they are typed."""
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Each word once."""
        words = [" ".join(word.split()) for word in super().clean(value).split(",")]
        words = list(dict.fromkeys(word for word in words if word))
        if len(words) > _MOST_TAGS or any(len(word) > _LONGEST_TAG for word in words):
            raise forms.ValidationError(f"At most {_MOST_TAGS} words, of {_LONGEST_TAG} letters each.")
        return words

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other words are typed."""
        return super().has_changed(self.prepare_value(initial), data)


def number_input(**attrs: str) -> forms.TextInput:
    """For numbers: of what is none, browsers would send nothing, and nothing means something."""
    return forms.TextInput({"inputmode": "numeric", "autocomplete": "off", **attrs})


class DescribeForm(forms.Form):
    """All that an owner changes, save who may see it."""

    title = forms.CharField(max_length=200, required=False, help_text="What people read. Empty: the name.")
    description = forms.CharField(
        max_length=20_000, required=False, widget=forms.Textarea({"rows": 4}), help_text="What is in it."
    )
    tags = TagsField(required=False, help_text="Words to find it by, with commas between them.")
    keep_versions = forms.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        widget=number_input(),
        label="Versions to keep",
        help_text="The newest ones. Empty, and no days either: all.",
    )
    keep_days = forms.IntegerField(
        min_value=1,
        max_value=36_500,
        required=False,
        widget=number_input(),
        label="Days to keep versions",
        help_text="With a number too: what either keeps. The newest version always stays.",
    )
    same_columns = forms.BooleanField(
        required=False,
        label="Every version must have the columns of the newest one",
        help_text="Files with other columns, or other types in them, are then refused.",
    )

    def __init__(self, dataset: Dataset, data: Any = None) -> None:
        initial = {name: getattr(dataset, name) for name in _AS_THEY_ARE}
        initial["same_columns"] = dataset.schema is not None
        super().__init__(data, initial=initial)
        self._dataset = dataset
        if dataset.kind == Dataset.Kind.FILE or (dataset.newest is None and dataset.schema is None):
            del self.fields["same_columns"]
        remember_shown(self)

    def values(self) -> dict[str, Any]:
        """The fields of the model that are changed."""
        values = {name: self.cleaned_data[name] for name in _AS_THEY_ARE if name in self.changed_data}
        if "same_columns" in self.changed_data:
            newest = self._dataset.newest
            is_wanted = self.cleaned_data["same_columns"] and newest is not None
            values["schema"] = newest.columns if is_wanted and newest is not None else None
        return values


_AS_THEY_ARE = ("title", "description", "tags", "keep_versions", "keep_days")
