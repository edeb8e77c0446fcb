"""What has happened: who opened what, and what app code did wrong."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models

from .apps import VizApp


class Record(models.Model):
    """Something that happened to an app; it outlives the app and the user."""

    app = models.ForeignKey(VizApp, models.SET_NULL, null=True, blank=True, related_name="+")
    app_name = models.CharField(max_length=150)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    username = models.CharField(max_length=200, blank=True, help_text="Empty: a visitor without a login.")

    class Meta:
        abstract = True


class Opening(Record):
    """The audit: one try to open an app, let in or refused."""

    class Outcome(models.TextChoices):
        """How it ended."""

        OPENED = "opened", "opened"
        REFUSED = "refused", "refused"

    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it was refused, or why it ended.")
    door = models.CharField(max_length=20, help_text="Where it was tried: page, socket, autoload, ...")
    address = models.GenericIPAddressField(null=True, blank=True)
    origin = models.CharField(max_length=200, blank=True, help_text="The site whose page it was tried from.")
    session = models.CharField(max_length=16, blank=True, help_text="The session, by a short name.")
    started_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    times = models.PositiveIntegerField(default=1, help_text="Equal refusals within a minute are one record.")

    class Meta:
        verbose_name = "audit record"
        ordering = ["-started_at", "-pk"]
        indexes = [models.Index(fields=["app_name", "-started_at"], name="viz_opening_app")]

    def __str__(self) -> str:
        return f"{self.username or 'visitor'} {self.outcome} {self.app_name}"

    @property
    def duration(self) -> timedelta | None:
        """How long the connection lasted; None while it does, and for a refusal."""
        return None if self.ended_at is None else self.ended_at - self.started_at


class Failure(Record):
    """What app code did wrong, by the reference that its viewer was shown."""

    reference = models.CharField(max_length=16, unique=True)
    summary = models.CharField(max_length=300)
    detail = models.TextField(help_text="The traceback.")
    at = models.DateTimeField(db_index=True)
    host = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = "error"
        verbose_name_plural = "last errors"
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["app_name", "-at"], name="viz_failure_app")]

    def __str__(self) -> str:
        return f"{self.reference} {self.app_name}"
