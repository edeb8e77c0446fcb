"""The form in which people say how happy they are."""

from __future__ import annotations

from typing import ClassVar

from django import forms

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

    class Meta:
        model = Report
        fields = ("score", "note")
        labels: ClassVar = {"note": "A note, if you like"}
        widgets: ClassVar = {"note": forms.TextInput(attrs={"autocomplete": "off"})}
