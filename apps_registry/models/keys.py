"""Keys by which programs act for a user."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .apps import VizApp
from .data import Dataset

#: What a token may be used for.
SCOPES = {
    "read": "See and download the data sets that its user may see.",
    "publish": "Make data sets, and publish new versions, where its user may.",
    "manage": "Change, share and delete data sets where its user may.",
    "push": "Open sessions of apps, and push documents to them, where its user may.",
}
#: Which of them are about data sets.
DATA_SCOPES = ("read", "publish", "manage")

#: What every token begins with, so that it is known for what it is, by people and by scanners for secrets.
PREFIX = "viz_"
_SHOWN = 10


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """API tokens."""

    def valid(self) -> ApiTokenQuerySet:
        """Those that are neither revoked nor expired; whether their users are switched off, only ``of`` asks."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(unexpired, revoked_at=None)

    def issue(
        self,
        user: Any,
        scopes: Collection[str],
        *,
        note: str = "",
        expires_at: datetime | None = None,
        dataset: Dataset | None = None,
        app: VizApp | None = None,
    ) -> tuple[ApiToken, str]:
        """A new token, and its text, which nobody sees again. Raises ``ValidationError``."""
        if unknown := {*scopes} - SCOPES.keys():
            raise ValidationError(f"There is no scope {min(unknown)}: the scopes are {', '.join(SCOPES)}.")
        text = PREFIX + secrets.token_urlsafe(32)
        token = ApiToken(
            user=user,
            scopes=sorted(set(scopes)),
            note=note,
            expires_at=expires_at,
            dataset=dataset,
            app=app,
            start=text[:_SHOWN],
            digest=digest(text),
        )
        token.full_clean()
        token.save()
        return token, text

    @sensitive_variables("text")
    def of(self, text: str) -> ApiToken | None:
        """The token with this text, if it is valid and its user is not switched off."""
        found = self.valid().filter(digest=digest(text)).select_related("user", "dataset", "app").first()
        # Not by the query: a site's own user model may have no column for it
        return found if found is not None and found.user.is_active else None


def idle_binding(scopes: Collection[str], *, has_dataset: bool, has_app: bool) -> str:
    """``dataset`` or ``app``, if a token that is bound so would be good for nothing, or for less than it says."""
    wants_data, wants_apps = bool({*scopes} & {*DATA_SCOPES}), "push" in scopes
    if (has_dataset and not wants_data) or (has_app and not has_dataset and wants_data):
        return "dataset"
    return "app" if (has_app and not wants_apps) or (has_dataset and not has_app and wants_apps) else ""


def digest(text: str) -> str:
    """What is stored of a token; it is random and long, so that a plain hash of it cannot be turned back."""
    return hashlib.sha256(text.encode()).hexdigest()


class ApiToken(models.Model):
    """A key by which a program acts for a user, within its scopes."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="viz_tokens")
    note = models.CharField(max_length=200, blank=True, help_text="What the token is for.")
    start = models.CharField(
        max_length=10, editable=False, help_text="How it begins, to tell it from others."
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    dataset = models.ForeignKey(
        Dataset, models.CASCADE, null=True, blank=True, help_text="Only for this data set.", related_name="+"
    )
    app = models.ForeignKey(
        VizApp, models.CASCADE, null=True, blank=True, help_text="Only for this app.", related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        verbose_name = "API token"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.start}… of {self.user}"

    @property
    def is_valid(self) -> bool:
        """Whether it still serves."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    @property
    def state(self) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        return "revoked" if self.revoked_at else "valid" if self.is_valid else "expired"

    def revoke(self) -> bool:
        """Make it void for good, also where it is in use. Whether it was not before."""
        if self.revoked_at is not None:
            return False
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])
        return True
