"""Tells all processes which rows of a site's own models have changed, where sources may show them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import islice
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from .datasets.permitted import followed, label, rows_changed
from .relay import publish

#: More rows than these are not named; what shows any of the model asks for all of its rows then.
MOST_ROWS = 500
#: How far to look back for what is to be told of the same model.
_LOOK_BACK = 20


def connect() -> None:
    """Listen to the models that have a ``PermittedQuerySet``, and to those on which these depend."""
    for model in _followed():
        # A listener for all models would slow down every deletion on the site
        for sender in (other for other in apps.get_models() if issubclass(other, model)):
            for signal in (post_save, post_delete):
                signal.connect(_row_changed, sender)
            rows_changed.connect(_rows_changed, sender)
        for field in model._meta.many_to_many:
            m2m_changed.connect(_links_changed, field.remote_field.through)


@cache
def _followed() -> tuple[type[models.Model], ...]:
    return tuple(followed())


def _followed_by(sender: type[models.Model]) -> list[type[models.Model]]:
    """The followed models whose rows those of ``sender`` are, which may be a proxy or a child."""
    return [model for model in _followed() if issubclass(sender, model)]


def tell(model: type[models.Model], pks: Iterable[Any] | None = None, *, using: str | None = None) -> None:
    """Tell, once the transaction is committed, that rows have changed; without ``pks``, any may have."""
    connection = transaction.get_connection(using)
    savepoints = set(connection.savepoint_ids)
    for sids, batch, *_ in islice(reversed(connection.run_on_commit), _LOOK_BACK):
        if isinstance(batch, _Batch) and batch.model == label(model) and sids == savepoints:
            batch.add(pks)
            return
    batch = _Batch(label(model))
    batch.add(pks)
    transaction.on_commit(batch, using=using, robust=True)


class _Batch:
    """The rows of one model that one transaction has changed."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._pks: set[str] | None = set()

    def add(self, pks: Iterable[Any] | None) -> None:
        self._pks = None if pks is None or self._pks is None else self._pks | set(map(str, pks))
        if self._pks is not None and len(self._pks) > MOST_ROWS:
            self._pks = None

    def __call__(self) -> None:
        publish("model", model=self.model, pks=None if self._pks is None else sorted(self._pks))


def _row_changed(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    for model in _followed_by(sender):
        tell(model, [instance.pk], using=using)


def _rows_changed(sender: Any, using: str, **kwargs: Any) -> None:
    for model in _followed_by(sender):
        tell(model, using=using)


def _links_changed(
    instance: Any, action: str, reverse: bool, model: Any, pk_set: set[Any] | None, using: str, **kwargs: Any
) -> None:
    if action in ("post_add", "post_remove", "post_clear"):
        changed, pks = (model, pk_set) if reverse else (type(instance), [instance.pk])
        for other in _followed_by(changed):
            tell(other, pks, using=using)
