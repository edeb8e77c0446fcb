"""Guest links: their addresses, and making them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..access import GUEST
from ..models import GuestLink, VizApp
from . import show
from .generic import ModelForm
from .managed import ManagedInline

#: How long a link is valid unless somebody says otherwise.
_DAYS = 7


def guest_url(request: HttpRequest, link: GuestLink) -> str:
    """The full address that opens the link's app."""
    page = request.build_absolute_uri(link.app.get_absolute_url())
    return f"{page}?{urlencode({GUEST: link.key})}"


def address_field(address: str) -> SafeString:
    """An address to be copied."""
    return format_html(
        '<span class="ar-copy"><input type="text" readonly value="{}" aria-label="Address of the guest link">'
        '<button type="button" class="button" data-ar-copy>Copy</button></span>',
        address,
    )


def in_a_week() -> datetime:
    """When a new link expires."""
    return timezone.now().replace(second=0, microsecond=0) + timedelta(days=_DAYS)


def validate_future(moment: datetime) -> None:
    """A link that is to be made is to be used."""
    if moment <= timezone.now():
        raise ValidationError("This time is over already.")


class ExpiryField(forms.DateTimeField):
    """A time, chosen as the browser knows how."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(label="Expires", widget=widget, **kwargs)


class NewLinkForm(forms.Form):
    """What a new link needs to know."""

    note = forms.CharField(max_length=200, required=False, help_text="Whom the link is for.")
    expires_at = ExpiryField(initial=in_a_week, validators=[validate_future])


class GuestLinkForm(ModelForm):
    """One link of an app, in a line of its page."""

    expires_at = ExpiryField()
    revoke = forms.BooleanField(required=False)

    class Meta:
        model = GuestLink
        fields = ["note", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.fields["expires_at"].initial = in_a_week
            self.fields["revoke"].disabled = True
        elif not self.instance.is_valid:
            for field in self.fields.values():
                field.disabled = True

    def clean_expires_at(self) -> datetime:
        """A time to come, if it was changed."""
        moment: datetime = self.cleaned_data["expires_at"]
        if "expires_at" in self.changed_data:
            validate_future(moment)
        return moment

    def save(self, commit: bool = True) -> Any:
        """Save the link, and revoke it if that was asked for."""
        if self.cleaned_data["revoke"]:
            self.instance.revoked_at = timezone.now()
        return super().save(commit)


class GuestLinkInline(ManagedInline):
    """The guest links of an app."""

    model = GuestLink
    form = GuestLinkForm
    fields = ("note", "expires_at", "address", "state", "revoke")
    readonly_fields = ("address", "state")
    can_delete = False
    _request: HttpRequest

    def get_queryset(self, request: HttpRequest) -> QuerySet[GuestLink]:
        """The links, with what their addresses are made of."""
        # Django makes an inline for each request
        self._request = request
        return super().get_queryset(request).select_related("app")

    @admin.display
    def address(self, link: GuestLink) -> str | SafeString:
        """The full address, to be copied."""
        if link.pk is None:
            return "shown once it is saved"
        return address_field(guest_url(self._request, link)) if link.is_valid else show.NOTHING

    @admin.display
    def state(self, link: GuestLink) -> str | SafeString:
        """Whether it still opens the app."""
        if link.pk is None:
            return show.NOTHING
        if link.revoked_at is not None:
            return show.badge("quiet", "revoked")
        return show.badge("good", "valid") if link.is_valid else show.badge("quiet", "expired")


def new_link(app: VizApp, user: Any, **values: Any) -> GuestLink:
    """Make a link to an app; ``values`` are its note and when it expires."""
    return GuestLink.objects.create(app=app, created_by=user, **values)
