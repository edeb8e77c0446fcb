"""Who may do what with an app."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils import timezone

from .apps import VizApp
from .roles import ROLES


def new_key() -> str:
    """A name for a link that nobody guesses."""
    return secrets.token_urlsafe(16)


def grantable() -> list[tuple[str, str]]:
    """The roles that can be granted on an app."""
    return [(name, name) for name, role in ROLES.items() if role.granted_by]


def held_by(user: Any) -> Q:
    """What picks the grants of ``user``, his own and those of his groups."""
    whom = Q(user=user.pk)
    # A site's own user model may know no groups, or others
    if getattr(getattr(user, "groups", None), "model", None) is Group:
        whom |= Q(group__in=user.groups.all())
    return whom


class GrantQuerySet(models.QuerySet["Grant"]):
    """Grants."""

    def giving(self, role: str, user: Any) -> GrantQuerySet:
        """The grants, his own and those of his groups, by which ``user`` has ``role``."""
        return self.filter(held_by(user), role__in=ROLES[role].granted_by)

    def holders(self, role: str, user_ids: Collection[Any]) -> frozenset[Any]:
        """Which of these users have ``role`` by these grants, as ``giving`` says of each; in two queries."""
        giving = self.filter(role__in=ROLES[role].granted_by)
        holders = frozenset(giving.filter(user__in=user_ids).values_list("user", flat=True))
        users: Any = get_user_model()
        if (
            getattr(getattr(getattr(users, "groups", None), "field", None), "related_model", None)
            is not Group
        ):
            return holders
        members = users._base_manager.filter(pk__in=user_ids, groups__in=giving.values("group"))
        return holders.union(members.values_list("pk", flat=True))


class Holding(models.Model):
    """Something that either one user or one group has."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="viz_%(class)ss"
    )
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, related_name="viz_%(class)ss")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @property
    def holder(self) -> str:
        """The user or the group, in words."""
        return f"group {self.group}" if self.group_id else str(self.user)


def holding_constraints(thing: str) -> list[models.BaseConstraint]:
    """The constraints of a grant on ``thing``: one holder, and each role once for each holder."""
    return [
        models.CheckConstraint(
            condition=Q(user__isnull=True) ^ Q(group__isnull=True),
            name=f"viz_{thing}_grant_holder",
            violation_error_message="Name either a user or a group.",
        ),
        *(
            models.UniqueConstraint(
                fields=[thing, "role", holder],
                condition=Q(**{f"{holder}__isnull": False}),
                name=f"viz_{thing}_grant_once_per_{holder}",
                violation_error_message=f"This {holder} has this grant already.",
            )
            for holder in ("user", "group")
        ),
    ]


class Grant(Holding):
    """One user or one group may do one thing with one app."""

    app = models.ForeignKey(VizApp, models.CASCADE, related_name="grants")
    role = models.CharField(max_length=10, choices=grantable, default="open")

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ["app", "role", "pk"]
        constraints = holding_constraints("app")

    def __str__(self) -> str:
        return f"{self.holder}: {self.role} {self.app.name}"


class GuestLinkQuerySet(models.QuerySet["GuestLink"]):
    """Guest links."""

    def valid(self) -> GuestLinkQuerySet:
        """Those that still open their app."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class GuestLink(models.Model):
    """An address that opens one app for whoever has it, until it expires or is revoked."""

    app = models.ForeignKey(VizApp, models.CASCADE, related_name="guest_links")
    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    note = models.CharField(max_length=200, blank=True, help_text="Whom the link is for.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = GuestLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.app.name} for {self.note or 'guests'}"

    @property
    def is_valid(self) -> bool:
        """Whether it still opens its app."""
        return self.revoked_at is None and self.expires_at > timezone.now()
