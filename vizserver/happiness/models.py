"""People, teams, and how happy they are: what each reports of a day, and the averages that all may see.

A report is for whoever made it, and for the leads of the team. Everybody else sees averages, which are made of
whole groups of five or more people: see ``reporting.settle``.
"""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from apps_registry.data import PermittedQuerySet

WORST, BEST = 1, 10
SCORES = range(WORST, BEST + 1)


class Team(models.Model):
    """People who work together."""

    name = models.CharField(max_length=100, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """A user as one of a team."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="person")
    team = models.ForeignKey(Team, models.PROTECT, related_name="people")
    is_lead = models.BooleanField("lead", default=False, help_text="Sees what each of the team reports.")

    class Meta:
        ordering = ["team", "-is_lead", "user"]
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.user.get_short_name() or self.user.get_username()

    @classmethod
    def of(cls, user: Any) -> Person | None:
        """The person that ``user`` is, if any; None for visitors, too."""
        if user is None or not user.is_authenticated:
            return None
        return cls.objects.select_related("team", "user").filter(user=user).first()


class ReportQuerySet(PermittedQuerySet["Report"]):
    """Reports."""

    depends_on = ("happiness.Person",)

    def visible_to(self, user: Any) -> Self:
        """One's own, and those of the team that one leads."""
        if user is None or not user.is_active:
            return self.none()
        led = Team.objects.filter(people__user=user, people__is_lead=True)
        return self.filter(Q(person__user=user) | Q(team__in=led))


class Report(models.Model):
    """How happy a person was on a day."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="reports")
    #: The person's team at that time
    team = models.ForeignKey(Team, models.PROTECT, related_name="reports")
    day = models.DateField()
    score = models.PositiveSmallIntegerField(validators=[MinValueValidator(WORST), MaxValueValidator(BEST)])
    note = models.CharField(max_length=200, blank=True)
    #: Whether it is done with as to averages: counted, or left out for good
    is_settled = models.BooleanField(default=False, editable=False)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["person", "day"], name="happiness_once_a_day"),
            models.CheckConstraint(condition=Q(score__range=(WORST, BEST)), name="happiness_score"),
        ]
        indexes = [models.Index(fields=["day"], condition=Q(is_settled=False), name="happiness_to_settle")]

    def __str__(self) -> str:
        return f"{self.person}, {self.day}"


class AverageQuerySet(PermittedQuerySet["Average"]):
    """Averages."""

    def visible_to(self, user: Any) -> Self:
        """All, for whoever is logged in."""
        return self.all() if user is not None and user.is_active else self.none()


class Average(models.Model):
    """How happy a team, or the whole company, was on a day."""

    #: None: the company
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="averages")
    day = models.DateField()
    people = models.PositiveIntegerField()
    #: The sum of their scores
    total = models.PositiveIntegerField()
    score = models.GeneratedField(
        expression=F("total") * 1.0 / F("people"), output_field=models.FloatField(), db_persist=True
    )

    objects = AverageQuerySet.as_manager()

    class Meta:
        ordering = ["day", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["team", "day"], name="happiness_average_of_team"),
            models.UniqueConstraint(
                fields=["day"], condition=Q(team=None), name="happiness_average_of_company"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team or 'Company'}, {self.day}"
