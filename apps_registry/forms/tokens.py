"""New API tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone

from ..datasets import finding
from ..exceptions import MayNotSee, quoted
from ..models import ApiToken, Dataset, VizApp
from ..models.keys import DATA_SCOPES, SCOPES, idle_binding
from ..permissions import may

#: Days that a new token is valid, by how people say it.
_LIFETIMES = [
    ("7", "a week"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "a year"),
    ("", "until it is revoked"),
]


class TokenForm(forms.Form):
    """What a new token of a user is for."""

    note = forms.CharField(max_length=200, label="What it is for", help_text="So that you know it again.")
    scopes = forms.MultipleChoiceField(
        choices=[(name, f"{name.capitalize()}: {help}") for name, help in SCOPES.items()],
        initial=["read"],
        widget=forms.CheckboxSelectMultiple,
        label="What it may do",
        error_messages={"required": "Choose at least one."},
    )
    dataset = forms.CharField(
        max_length=150,
        required=False,
        label="Only for this data set",
        help_text="Its name. Empty: for all.",
    )
    app = forms.CharField(
        max_length=150, required=False, label="Only for this app", help_text="Its name. Empty: for all."
    )
    days = forms.ChoiceField(choices=_LIFETIMES, initial="90", required=False, label="Valid for")

    def __init__(self, user: Any, data: Any = None) -> None:
        super().__init__(data)
        self._user = user

    def clean_dataset(self) -> Dataset | None:
        """A data set that the user may see."""
        name = self.cleaned_data["dataset"].strip()
        try:
            return finding.find(name, self._user) if name else None
        except MayNotSee as error:
            raise forms.ValidationError(str(error)) from None

    def clean_app(self) -> VizApp | None:
        """An app that the user may open."""
        name = self.cleaned_data["app"].strip()
        if not name:
            return None
        app = VizApp.objects.filter(name=name).first()
        if app is None or not may(self._user, "open", app):
            raise forms.ValidationError(f"You may not open {quoted(name)}.")
        return app

    def clean(self) -> dict[str, Any]:
        """A token that would be good for nothing is not made."""
        values = super().clean() or self.cleaned_data
        if not self.errors:
            bound = {"has_dataset": values["dataset"] is not None, "has_app": values["app"] is not None}
            match idle_binding(values["scopes"], **bound):
                case "dataset":
                    self.add_error("dataset", f"A data set goes with the scopes {', '.join(DATA_SCOPES)}.")
                case "app":
                    self.add_error("app", "An app goes with the scope push.")
        return values

    def issue(self) -> tuple[ApiToken, str]:
        """The token, and its text."""
        values = self.cleaned_data
        expires_at = timezone.now() + timedelta(days=int(values["days"])) if values["days"] else None
        return ApiToken.objects.issue(
            self._user,
            values["scopes"],
            note=values["note"],
            expires_at=expires_at,
            dataset=values["dataset"],
            app=values["app"],
        )
