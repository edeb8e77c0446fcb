"""The form in which people say how happy they are."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.utils import timezone

from .models import SCORES, Report


class ReportForm(forms.ModelForm):  # type: ignore[type-arg]
    """Today's report."""

    score = forms.TypedChoiceField(
        label="How happy are you today?",
        coerce=int,
        choices=[(score, str(score)) for score in SCORES],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a number.", "invalid_choice": "Choose a number from 1 to 10."},
    )

    #: The day that the page told, where it told one
    day = forms.DateField(required=False)

    class Meta:
        model = Report
        fields = ("score", "note")
        labels: ClassVar = {"note": "A note, if you like"}
        widgets: ClassVar = {"note": forms.TextInput(attrs={"autocomplete": "off"})}

    def clean_day(self) -> None:
        """A page that was left open may be of another day than the one that is reported of."""
        if self.cleaned_data["day"] not in (None, timezone.localdate()):
            raise forms.ValidationError(
                "Another day has begun since this page was loaded, and nothing is saved. "
                "If it is true of today, too, save it now."
            )
