"""The rows of the registry."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse


class Access(models.TextChoices):
    """Who may open an app that is switched on."""

    PUBLIC = "public", "Everybody"
    LOGIN = "login", "Who is logged in"
    GRANT = "grant", "Who has a grant"


#: With these, whoever is logged in opens the app. A word that is none of ours, written by SQL, opens nothing.
OPEN_TO_LOGINS = (Access.PUBLIC, Access.LOGIN)


def validate_source(value: str) -> None:
    """A source is a plain relative path, which cannot lead out of the directory it stands in."""
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value:
        raise ValidationError("Write a path within one of the directories of apps, without '..'.")


def validate_origins(value: str) -> None:
    """Origins stand one on a line, as a browser names them."""
    for origin in value.split():
        scheme, mark, host = origin.partition("://")
        if scheme not in ("http", "https") or not mark or not host or set("/?#;,'\"") & set(host):
            raise ValidationError(f"{origin} is no origin: write it like https://www.example.org.")


def is_login(user: Any) -> bool:
    """Whether somebody who may log in stands behind ``user``."""
    # Without a key, of a user who was deleted or never saved, grants to nobody would look like his
    return bool(user is not None and user.is_authenticated and user.is_active and user.pk is not None)


def has_permission(user: Any, permission: str) -> bool:
    """Whether the site gives ``user`` a permission for the whole model; a site's own user model may know none."""
    return bool(hasattr(user, "has_perm") and user.has_perm(permission))


class VizAppQuerySet(models.QuerySet["VizApp"]):
    """Rows of the registry."""

    def visible_to(self, user: Any) -> VizAppQuerySet:
        """The rows that ``user`` (None or an ``AnonymousUser``: a visitor) may open, in one query."""
        if not is_login(user):
            link = getattr(user, "guest_link", None)
            invited = Q(pk=link.app_id) if link is not None and link.is_valid else Q()
            return self.filter(Q(access=Access.PUBLIC) | invited, enabled=True)
        if getattr(user, "is_superuser", False):
            return self.all()
        return self.filter(Q(access__in=OPEN_TO_LOGINS) | self._granted("open", user), enabled=True)

    def manageable_by(self, user: Any) -> VizAppQuerySet:
        """The rows that ``user`` may manage."""
        if not is_login(user):
            return self.none()
        if getattr(user, "is_superuser", False) or has_permission(user, "apps_registry.change_vizapp"):
            return self.all()
        return self.filter(self._granted("manage", user))

    def _granted(self, role: str, user: Any) -> Exists:
        # Grants know of rows, and rows not of grants
        grant: Any = apps.get_model("apps_registry", "Grant")
        return Exists(grant.objects.giving(role, user).filter(app=OuterRef("pk")))


class VizApp(models.Model):
    """A row: what the site decides about one app directory."""

    name = models.CharField(
        max_length=150,
        unique=True,
        validators=[
            RegexValidator(
                r"^[^/\s\\?#%;]+\Z", "A name stands in addresses: no spaces, no slashes, none of ?#%%;"
            )
        ],
        help_text="The app's name in addresses.",
    )
    title = models.CharField(
        max_length=200, blank=True, help_text="What people read. Empty: what the app calls itself."
    )
    description = models.TextField(blank=True, help_text="A sentence or two for the catalogue.")
    source = models.CharField(
        max_length=500,
        validators=[validate_source],
        help_text="The app's file or directory, as a path within one of the directories of apps.",
    )
    enabled = models.BooleanField(default=False, help_text="An app that is off is there for superusers only.")
    order = models.IntegerField(default=0, help_text="Smaller numbers stand first in the catalogue.")
    thumbnail = models.ImageField(
        upload_to="apps_registry/thumbnails/", blank=True, help_text="A picture for the catalogue, 16:9."
    )
    access = models.CharField(
        max_length=10, choices=Access, default=Access.GRANT, help_text="Who may open it when it is on."
    )
    embed_origins = models.TextField(
        blank=True,
        validators=[validate_origins],
        help_text="Other sites whose pages may show this app, one on a line, like https://www.example.org.",
    )
    max_sessions = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Sessions of this app at the same time. Empty: no limit of its own.",
    )
    max_sessions_per_user = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Sessions of one user at the same time. Empty: no limit of its own.",
    )
    unattended_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="How long a session stays when no tab shows it. Empty: as set for the site.",
    )
    idle_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(10)],
        help_text="How long a session stays when nobody uses the tabs that show it. Empty: for good.",
    )
    missing_since = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = VizAppQuerySet.as_manager()

    class Meta:
        verbose_name = "app"
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.title or self.name

    def get_absolute_url(self) -> str:
        """The app's page."""
        return reverse("apps_registry:app", args=[self.name])

    @property
    def origins(self) -> list[str]:
        """``embed_origins`` as a list."""
        return self.embed_origins.split()
