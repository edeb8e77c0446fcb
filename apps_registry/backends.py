"""``user.has_perm("apps_registry.open_vizapp", row)``, or ``open_dataset``, gives the answer of ``permissions.may``."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import BaseBackend

from .models import Dataset, DatasetGrant, Grant, VizApp
from .models.apps import is_login
from .permissions import ROLES, may

_ROLE_OF = {role.permission: name for name, role in ROLES.items()}
_DATA_ROLE_OF = {f"apps_registry.{name}_dataset": name for name in DatasetGrant.Role.values}


class GrantBackend(BaseBackend):
    """Answers for rows and data sets; without one, for whether there is one with which the user may do it."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Whether ``user_obj``, also an ``AnonymousUser``, has ``perm`` for ``obj``."""
        if (role := _DATA_ROLE_OF.get(perm)) is not None:
            return (
                may(user_obj, role, obj)
                if isinstance(obj, Dataset)
                else obj is None and _has_data(user_obj, role)
            )
        if (role := _ROLE_OF.get(perm)) is None:
            return False
        if isinstance(obj, VizApp):
            return may(user_obj, role, obj)
        return obj is None and _has_any(user_obj, role)

    async def ahas_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """``has_perm``, on a thread: Django's own would look at the lists of permissions only."""
        return await sync_to_async(self.has_perm)(user_obj, perm, obj)

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The permissions that ``user_obj`` has for ``obj``; none without a row."""
        perms = _ROLE_OF | _DATA_ROLE_OF
        return {perm for perm in perms if self.has_perm(user_obj, perm, obj)} if obj is not None else set()


def _has_any(user: Any, role: str) -> bool:
    match role:
        case "open":
            return VizApp.objects.visible_to(user).exists()
        case "manage":
            return VizApp.objects.manageable_by(user).exists()
        case "push":
            return is_login(user) and Grant.objects.giving(role, user).filter(app__enabled=True).exists()
    # What is not about rows is for Django's own backends
    return False


def _has_data(user: Any, role: str) -> bool:
    datasets = Dataset.objects
    may_with = {
        "open": datasets.visible_to,
        "publish": datasets.publishable_by,
        "manage": datasets.manageable_by,
    }
    return may_with[role](user).exists()
