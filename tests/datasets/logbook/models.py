"""Notes that are for whoever wrote them, for readers who are named, and for the members of a team."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps_registry.data import PermittedQuerySet


class NoteQuerySet(PermittedQuerySet["Note"]):
    """Notes."""

    depends_on: ClassVar[list[str]] = ["logbook.Membership"]
    #: For whom it was asked
    asked: ClassVar[list[str]] = []

    def visible_to(self, user: Any) -> NoteQuerySet:
        self.asked.append(str(user))
        if not user.is_authenticated:
            return self.none()
        teams = Membership.objects.filter(user=user).values("team")
        mine = Q(owner=user) | Q(readers=user) | Q(team__in=teams)
        return self.filter(pk__in=Note._base_manager.filter(mine).values("pk"))


class Note(models.Model):
    """A note."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notes")
    readers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    team = models.CharField(max_length=20, blank=True)
    text = models.CharField(max_length=20)
    number = models.IntegerField(null=True)
    amount = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    day = models.DateField(null=True)
    at = models.DateTimeField(null=True)

    objects = NoteQuerySet.as_manager()

    def __str__(self) -> str:
        return self.text


class Shout(Note):
    """The same rows, by another name."""

    class Meta:
        proxy = True


class LongNote(Note):
    """A note with more in it."""

    more = models.TextField()


class Membership(models.Model):
    """Somebody is in a team."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    team = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class Open(models.Model):
    """Rows that nobody has said who may see."""

    text = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.text


class Forgotten(models.Model):
    """Rows of which it was forgotten to say who may see them."""

    text = models.CharField(max_length=20)

    objects = PermittedQuerySet.as_manager()

    def __str__(self) -> str:
        return self.text
