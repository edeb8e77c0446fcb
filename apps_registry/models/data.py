"""Published data: data sets, their immutable versions, and who may see or publish them."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.storage import Storage, storages
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from ..conf import settings as own_settings
from .apps import OPEN_TO_LOGINS, Access, has_permission, is_login
from .grants import Holding, held_by, holding_constraints


def data_storage() -> Storage:
    """The Django storage that holds versions, by the setting ``DATA_STORAGE``."""
    return storages[own_settings.DATA_STORAGE]


#: The names that data sets may have: they stand in addresses and in code.
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


def validate_tags(value: Any) -> None:
    """Tags are words."""
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ValidationError('Write a list of words, like ["sales", "2026"].')


def validate_schema(value: Any) -> None:
    """A schema is a list of columns; which types there are, ``datasets.columns`` knows."""
    if not isinstance(value, list) or not all(isinstance(column, dict) for column in value):
        raise ValidationError('Write a list of columns, like [{"name": "price", "type": "number"}].')


class DatasetQuerySet(models.QuerySet["Dataset"]):
    """Data sets."""

    def existing(self) -> DatasetQuerySet:
        """Those that are not deleted."""
        return self.filter(deleted_at=None)

    def visible_to(self, user: Any) -> DatasetQuerySet:
        """The data sets that ``user`` (None or an ``AnonymousUser``: a visitor) may see, in one query."""
        existing = self.existing()
        if not is_login(user):
            return existing.filter(access=Access.PUBLIC)
        if getattr(user, "is_superuser", False):
            return existing
        return existing.filter(
            Q(access__in=OPEN_TO_LOGINS) | Q(owner=user.pk) | _granted("open", user),
        )

    def publishable_by(self, user: Any) -> DatasetQuerySet:
        """The data sets of which ``user`` may publish new versions."""
        existing = self.existing()
        if not is_login(user):
            return existing.none()
        if getattr(user, "is_superuser", False):
            return existing
        return existing.filter(Q(owner=user.pk) | _granted("publish", user))

    def manageable_by(self, user: Any) -> DatasetQuerySet:
        """The data sets that ``user`` may change, share, delete and have back: deleted ones too."""
        if not is_login(user):
            return self.none()
        if getattr(user, "is_superuser", False) or has_permission(user, "apps_registry.change_dataset"):
            return self.all()
        return self.filter(Q(owner=user.pk) | _granted("manage", user))


def _granted(role: str, user: Any) -> Exists:
    return Exists(DatasetGrant.objects.giving(role, user).filter(dataset=OuterRef("pk")))


class Dataset(models.Model):
    """What somebody publishes under a name: a table, or a plain file (an artifact)."""

    class Kind(models.TextChoices):
        """What its versions are."""

        TABLE = "table", "Table"
        FILE = "file", "File"

    class RowRule(models.TextChoices):
        """Which rows a viewer sees."""

        ALL = "", "All rows"
        USERNAME = "username", "Rows whose column is the viewer's user name"
        GROUPS = "groups", "Rows whose column is one of the viewer's groups"

    name = models.CharField(
        max_length=150,
        unique=True,
        validators=[
            RegexValidator(
                NAME, "Use letters from A to Z, digits, '_', '-' and '.', a letter or digit first."
            )
        ],
        help_text="Its name in addresses and in code.",
    )
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TABLE)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    tags = models.JSONField(
        default=list, blank=True, validators=[validate_tags], help_text="A list of words."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="viz_datasets"
    )
    access = models.CharField(max_length=10, choices=Access, default=Access.GRANT)
    schema = models.JSONField(
        null=True,
        blank=True,
        validators=[validate_schema],
        help_text='Columns that every version must have: [{"name": ..., "type": ...}].',
    )
    row_rule = models.CharField(max_length=10, choices=RowRule, blank=True, default=RowRule.ALL)
    row_column = models.CharField(max_length=200, blank=True, help_text="The column that the row rule reads.")
    keep_versions = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="How many versions are kept, the newest first. Empty, and no days either: all.",
    )
    keep_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="For how many days versions are kept, the newest for good. With a number too: what either keeps.",
    )
    newest = models.ForeignKey(
        "DatasetVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DatasetQuerySet.as_manager()

    class Meta:
        verbose_name = "data set"
        ordering = ["name"]
        permissions = [("publish_data", "Can make data sets and publish them")]
        constraints = [
            models.CheckConstraint(
                condition=Q(row_rule="") | ~Q(row_column=""),
                name="viz_dataset_row_rule_column",
                violation_error_message="A row rule needs the name of a column.",
            )
        ]

    def __str__(self) -> str:
        return self.title or self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save it. Of one that is there, ``newest`` and ``deleted_at`` must be named in ``update_fields``."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            # Whoever has had a form open since before a publication does not turn it back
            names = {field.name for field in self._meta.concrete_fields if not field.primary_key}
            kwargs["update_fields"] = names - {"newest", "deleted_at"}
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        """The data set's page."""
        return reverse("apps_registry:dataset", args=[self.name])


class DatasetVersion(models.Model):
    """One immutable publication of a data set."""

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_name = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=500, blank=True)
    file = models.FileField(storage=data_storage, max_length=300)
    #: Of the stored file
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=200)
    filename = models.CharField(max_length=200, blank=True, help_text="What the publisher called the file.")
    rows = models.PositiveBigIntegerField(null=True, blank=True)
    columns = models.JSONField(default=list, help_text='[{"name": ..., "type": ...}]')
    base = models.PositiveIntegerField(
        help_text="The number of the version since which rows were only added at the end; its own: it is all new."
    )
    key = models.CharField(max_length=200, blank=True, help_text="The idempotency key of the publication.")
    upload_sha256 = models.CharField(max_length=64, blank=True, help_text="Of what the publisher sent.")

    class Meta:
        verbose_name = "version"
        ordering = ["dataset", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="viz_version_number"),
            models.UniqueConstraint(fields=["dataset", "key"], condition=~Q(key=""), name="viz_version_key"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset.name} {self.number}"

    @property
    def appended(self) -> bool:
        """Whether it is the version before, with rows added at its end."""
        return self.base < self.number

    def extends(self, number: int) -> bool:
        """Whether it begins with all rows of the version ``number`` of the same data set, in their order."""
        return self.base <= number <= self.number


class PendingFile(models.Model):
    """A file in storage that no version has yet, or has any more; what is left of it after an hour goes."""

    name = models.CharField(max_length=300, unique=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["at"]

    def __str__(self) -> str:
        return self.name


class DatasetGrantQuerySet(models.QuerySet["DatasetGrant"]):
    """Grants of data sets."""

    def giving(self, role: str, user: Any) -> DatasetGrantQuerySet:
        """The grants, his own and those of his groups, by which ``user`` has ``role``."""
        roles = DatasetGrant.Role.values
        return self.filter(held_by(user), role__in=roles[roles.index(role) :])


_HELP = {
    "open": "See and download the data set.",
    "publish": "Publish new versions of it, too.",
    "manage": "Change and share it, and delete it, too.",
}


class DatasetGrant(Holding):
    """One user or one group may do one thing with one data set."""

    class Role(models.TextChoices):
        """What can be granted, by the names of ``ROLES``; each holds those before it."""

        VIEWER = "open", "viewer"
        PUBLISHER = "publish", "publisher"
        OWNER = "manage", "owner"

        @property
        def help(self) -> str:
            """What whoever has it may do."""
            return _HELP[self.value]

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="grants")
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)

    objects = DatasetGrantQuerySet.as_manager()

    class Meta:
        ordering = ["dataset", "role", "pk"]
        constraints = holding_constraints("dataset")

    def __str__(self) -> str:
        return f"{self.holder}: {self.get_role_display()} of {self.dataset.name}"
