"""Tells all processes when something that decides who may open or see what is saved, whoever saves it.

What only adds rights, such as a new grant, needs no telling: nobody's socket depends on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import m2m_changed, post_delete, post_save

from .models import ApiToken, Dataset, DatasetGrant, Grant, GuestLink, VizApp
from .relay import publish


def connect() -> None:
    """Listen to the models that decide about access."""
    user_model = get_user_model()
    for signal in (post_save, post_delete):
        signal.connect(_row_changed, VizApp)
        signal.connect(_grant_changed, Grant)
        signal.connect(_link_changed, GuestLink)
        signal.connect(_token_changed, ApiToken)
        signal.connect(_dataset_changed, Dataset)
        signal.connect(_dataset_grant_changed, DatasetGrant)
        signal.connect(_user_changed, user_model)
        signal.connect(_group_changed, Group)
    through = getattr(getattr(user_model, "groups", None), "through", None)
    if through is not None:
        m2m_changed.connect(_groups_changed, through)
    permissions = getattr(getattr(user_model, "user_permissions", None), "through", None)
    if permissions is not None:
        m2m_changed.connect(_groups_changed, permissions)
    m2m_changed.connect(_group_permissions_changed, Group.permissions.through)
    user_logged_out.connect(_logged_out)


def login_name(session_key: str) -> str:
    """What a login is called in notices; its key itself would be the login."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def _row_changed(instance: VizApp, **kwargs: Any) -> None:
    publish("rows", app=instance.name)


def _grant_changed(instance: Grant, created: bool | None = None, **kwargs: Any) -> None:
    if created is None:
        _tell_of_rights(instance.app_id)
    elif not created:
        # It may have been that of another app
        publish("rights", app=None)


def _link_changed(instance: GuestLink, created: bool = False, **kwargs: Any) -> None:
    if not created:
        _tell_of_rights(instance.app_id)


def _token_changed(instance: ApiToken, created: bool = False, **kwargs: Any) -> None:
    if not created:
        publish("user", user=str(instance.user_id))


def _tell_of_rights(app_id: int) -> None:
    name = VizApp.objects.filter(pk=app_id).values_list("name", flat=True).first()
    # Without a name the app goes as well, and says so itself
    if name is not None:
        publish("rights", app=name)


def _dataset_changed(
    instance: Dataset, created: bool = False, update_fields: Collection[str] | None = None, **kwargs: Any
) -> None:
    if set(update_fields or ()) == {"newest"}:
        publish("dataset", dataset=instance.name)
    elif not created:
        publish("data_rights", dataset=instance.name)


def _dataset_grant_changed(instance: DatasetGrant, created: bool | None = None, **kwargs: Any) -> None:
    if created is False:
        # It may have been that of another data set
        publish("data_rights", dataset=None)
        return
    # Also of a new grant: whoever has lost a right while he watched may have it back
    name = Dataset.objects.filter(pk=instance.dataset_id).values_list("name", flat=True).first()
    if name is not None:
        publish("data_rights", dataset=name)


def _user_changed(
    instance: Any, created: bool = False, update_fields: Collection[str] | None = None, **kwargs: Any
) -> None:
    # Every login writes this field
    if not created and set(update_fields or ()) != {"last_login"}:
        publish("user", user=str(instance.pk))


def _groups_changed(
    instance: Any, action: str, reverse: bool, pk_set: set[Any] | None, **kwargs: Any
) -> None:
    # Also of a group that is new: it may give what is shown live
    if action not in ("post_add", "post_remove", "post_clear"):
        return
    if not reverse:
        publish("user", user=str(instance.pk))
    elif pk_set is None or len(pk_set) > 1:
        # A group that was emptied does not say of whom
        publish("rights", app=None)
    else:
        for pk in pk_set:
            publish("user", user=str(pk))


def _group_changed(created: bool = False, **kwargs: Any) -> None:
    # Rules on rows go by the names of groups
    if not created:
        publish("data_rights", dataset=None)


def _group_permissions_changed(action: str, **kwargs: Any) -> None:
    if action in ("post_add", "post_remove", "post_clear"):
        publish("rights", app=None)


def _logged_out(request: Any, user: Any, **kwargs: Any) -> None:
    key = getattr(getattr(request, "session", None), "session_key", None)
    # Who was not logged in loses nothing
    if key and user is not None:
        publish("logout", login=login_name(key))
