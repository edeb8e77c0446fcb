"""What the processes that serve apps tell one another."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from .apps import VizApp

#: A host that has not been heard of for so long is gone.
HOST_IS_GONE_AFTER = timedelta(seconds=30)


class HostQuerySet(models.QuerySet["Host"]):
    """Hosts."""

    def gone(self) -> HostQuerySet:
        """Those that ended without a word."""
        return self.filter(seen_at__lt=timezone.now() - HOST_IS_GONE_AFTER)


class Host(models.Model):
    """A process in which sessions live; it writes down every few seconds that it still does."""

    name = models.CharField(max_length=100, unique=True, help_text="Machine, process id, and a random part.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class LiveSession(models.Model):
    """A session as its host described it a few seconds ago."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="sessions")
    session = models.CharField(max_length=16, help_text="A short name; the id itself would open the session.")
    app = models.ForeignKey(VizApp, models.CASCADE, null=True, blank=True, related_name="live_sessions")
    app_name = models.CharField(max_length=150)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+"
    )
    username = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    active_at = models.DateTimeField()
    tabs = models.PositiveIntegerField()
    memory = models.PositiveBigIntegerField(null=True, help_text="Bytes, estimated from models and data.")

    class Meta:
        verbose_name = "live session"
        ordering = ["-started_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["host", "session"], name="viz_live_session_once")]

    def __str__(self) -> str:
        return f"{self.app_name} {self.session}"


class Notice(models.Model):
    """A small event between processes; the newest number tells whether there is something to read."""

    kind = models.CharField(max_length=30)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.pk} {self.kind}"
