"""What is published by hand."""

from __future__ import annotations

from typing import Any, BinaryIO, cast
from uuid import uuid4

from django import forms
from django.core.validators import RegexValidator

from ..conf import settings
from ..datasets.formats import FORMATS
from ..datasets.limits import size_text
from ..datasets.making import Upload, kind_of
from ..datasets.managing import to_publish
from ..datasets.publishing import publish
from ..exceptions import (
    BadArguments,
    BadData,
    Conflict,
    KeyReused,
    MayNotPublish,
    NoRoom,
    TooBig,
    VizserverError,
)
from ..models import Access, Dataset, DatasetVersion
from ..models.data import NAME
from ..uploads import PLAIN

_FORMATS = [(name, format.title) for name, format in FORMATS.items()]
#: What is wrong with what was sent; all else is refused as a whole.
_FAULTS = (BadArguments, BadData, Conflict, NoRoom, TooBig)
_SENT_BEFORE = "This form was sent already. Load the page again to publish another file."


def _key() -> str:
    return uuid4().hex


class PublishForm(forms.Form):
    """A new version of a data set."""

    file = forms.FileField()
    format = forms.ChoiceField(
        choices=[("", "As the file's name tells"), *_FORMATS],
        required=False,
    )
    note = forms.CharField(max_length=500, required=False, help_text="A sentence on what is new.")
    append = forms.BooleanField(
        required=False,
        label="Add the rows to those that are there",
        help_text="Otherwise the file takes their place. Earlier versions stay as long as the data set keeps them.",
    )
    #: So that who presses the button twice publishes once
    key = forms.CharField(widget=forms.HiddenInput, initial=_key, max_length=200)

    def __init__(
        self, *args: Any, kind: str = Dataset.Kind.TABLE, is_first: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        titles = ", ".join(title for _, title in _FORMATS[:-1])
        tables = f"{titles} or {_FORMATS[-1][1]}"
        most = size_text(settings.DATA_MAX_BYTES)
        file = self.fields["file"]
        file.widget.attrs["data-most"] = str(settings.DATA_MAX_BYTES)
        if kind == Dataset.Kind.FILE:
            del self.fields["format"], self.fields["append"]
            file.help_text = f"Any file, of {most} at most. It is kept as it is."
            return
        suffixes = [suffix for format in FORMATS.values() for suffix in format.suffixes]
        file.help_text = f"A table: {tables}, of {most} at most."
        file.widget.attrs["accept"] = ",".join([*suffixes, ".txt"])
        if is_first:
            del self.fields["append"]

    def publish_in(self, dataset: Dataset, user: Any) -> DatasetVersion | None:
        """Publish what was sent; None when it is at fault, and the form says how.

        Raises ``MayNotPublish`` or ``MayNotSee``.
        """
        values = self.cleaned_data
        sent, format = values["file"], values.get("format", "")
        try:
            return publish(
                dataset,
                cast(BinaryIO, sent),
                user=user,
                format="" if format == PLAIN else format,
                filename=sent.name,
                media_type=sent.content_type or "",
                note=values["note"],
                append=values.get("append", False),
                key=values["key"],
            )
        except KeyReused:
            self.add_error(None, _SENT_BEFORE)
        except _FAULTS as error:
            self.add_error("file", str(error))
        return None


class NewDatasetForm(PublishForm):
    """A new data set, with its first version."""

    name = forms.CharField(
        max_length=150,
        validators=[
            RegexValidator(
                NAME, "Use letters from A to Z, digits, '_', '-' and '.', a letter or digit first."
            )
        ],
        help_text="What it is called in addresses and in code, like sales_2026. It stays.",
    )
    title = forms.CharField(max_length=200, required=False, help_text="What people read. Empty: the name.")
    access = forms.ChoiceField(
        choices=Access.choices,
        initial=Access.GRANT,
        widget=forms.RadioSelect,
        label="Who may see it",
        help_text="With a grant: at first nobody but you; you share it on its page.",
    )
    field_order = ("file", "format", "name", "title", "note", "access", "key")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, is_first=True, **kwargs)
        formats = self.fields["format"]
        assert isinstance(formats, forms.ChoiceField)
        formats.choices = [*formats.choices, (PLAIN, "No table: keep the file as it is")]  # type: ignore[misc]
        file = self.fields["file"]
        file.help_text = f"{file.help_text.removesuffix('.')}; or any other file, which is kept as it is."
        file.widget.attrs.pop("accept")

    def make(self, user: Any) -> DatasetVersion | None:
        """Make the data set and publish the file; None when something is at fault, and the form says what."""
        values = self.cleaned_data
        sent, format = values["file"], values["format"]
        kind = Dataset.Kind.FILE
        if format != PLAIN:
            kind = kind_of(Upload(cast(BinaryIO, sent), format, sent.name, sent.content_type or ""))
        if (earlier := self._sent_before(user)) is not None:
            return earlier
        try:
            dataset = to_publish(
                values["name"], user=user, kind=kind, title=values["title"], access=values["access"]
            )
            if not dataset._state.adding:
                raise MayNotPublish("There is a data set of this name already.")
            return self.publish_in(dataset, user)
        except VizserverError as error:
            if not isinstance(error, (MayNotPublish, BadArguments)):
                raise
            self.add_error("name", str(error))
        return None

    def _sent_before(self, user: Any) -> DatasetVersion | None:
        """What the same form has made already."""
        values = self.cleaned_data
        return DatasetVersion.objects.filter(
            dataset__name=values["name"], dataset__owner=user.pk, key=values["key"], number=1
        ).first()
