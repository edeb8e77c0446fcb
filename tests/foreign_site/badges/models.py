"""A user model as small as Django allows: no names, no groups, no permissions, no `is_staff`."""

import uuid

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


class Badge(AbstractBaseUser):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True)

    objects = BaseUserManager()

    USERNAME_FIELD = "number"

    def __str__(self):
        return f"badge {self.number}"
