"""The form of a row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from .. import directories
from ..exceptions import AppLoadError
from ..forms.describing import number_input
from ..forms.shown import remember_shown
from ..models import VizApp
from .generic import ModelForm


def _is_there(source: str) -> bool:
    try:
        directories.source_path(VizApp(source=source))
    except AppLoadError:
        return False
    return True


class PictureInput(forms.ClearableFileInput):
    """A file to be uploaded, beside the picture that is there; ``address`` is where that one is shown."""

    template_name = "admin/apps_registry/picture.html"
    clear_checkbox_label = "Remove it"
    address = ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """What the template shows."""
        context: dict[str, Any] = super().get_context(name, value, attrs)
        context["widget"]["address"] = self.address
        return context


_LIMITS = ("max_sessions", "max_sessions_per_user", "unattended_seconds", "idle_seconds")


class VizAppForm(ModelForm):
    """One row; its source is one of what lies in the directories of apps."""

    class Meta:
        model = VizApp
        fields = "__all__"
        widgets = {
            "title": forms.TextInput(attrs={"class": "vTextField"}),
            "description": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            "thumbnail": PictureInput,
            "embed_origins": forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
            **{name: number_input(**{"class": "vIntegerField"}) for name in _LIMITS},
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields and self.instance.pk is not None:
            self.fields["name"].help_text += " Under another name, old links and embedded pages lead nowhere."
        if "source" in self.fields:
            self.fields["source"] = forms.ChoiceField(
                choices=self._sources,
                help_text="The app's file or directory, among those that lie in the directories of apps.",
            )
        # Of a file, browsers send only a new one
        remember_shown(self, "thumbnail")

    def _sources(self) -> list[tuple[str, str]]:
        labels = {path.name: path.name for path in directories.look().paths.values()}
        if now := self.instance.source:
            labels[now] = now if _is_there(now) else f"{now} (not there)"
        return [("", "---------"), *sorted(labels.items())]

    def clean_source(self) -> str:
        """A source that can be served; one that was lost keeps nobody from changing the rest."""
        source: str = self.cleaned_data["source"]
        if "source" in self.changed_data:
            try:
                directories.source_path(VizApp(source=source))
            except AppLoadError as error:
                raise ValidationError(error.summary) from None
            self.instance.missing_since = None
        return source
