"""Query sets of a site's own models that know who may see what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

from django.apps import apps
from django.db import models
from django.dispatch import Signal

#: Rows of ``sender``, a model, were changed by one statement, without signals of their own.
rows_changed = Signal()


class PermittedQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows of which each user sees those that ``visible_to`` gives him.

    For ``objects = ReportQuerySet.as_manager()``. Sources that are made of it follow what is saved, deleted, and
    written by ``update``, ``bulk_update`` and ``bulk_create``.
    """

    #: Other models on which ``visible_to`` depends, as ``"app_label.Model"``: when they change, it is asked again.
    depends_on: ClassVar[Sequence[str]] = ()

    def visible_to(self, user: Any) -> Self:
        """Those of these rows that ``user`` may see (``AnonymousUser``: nobody is logged in); to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a method visible_to(user).")

    def update(self, **kwargs: Any) -> int:
        """As in Django; what shows the rows is told."""
        number = super().update(**kwargs)
        self._tell()
        return number

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[M]:
        """As in Django; what shows the rows is told."""
        made = super().bulk_create(*args, **kwargs)
        self._tell()
        return made

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def _tell(self) -> None:
        rows_changed.send(self.model, using=self.db)


def label(model: type[models.Model]) -> str:
    """What a model is called in notices; those that share its rows are called the same."""
    concrete: Any = model._meta.concrete_model
    return str(concrete._meta.label_lower)


def followed() -> Iterable[type[models.Model]]:
    """The models whose changes may change what a source shows."""
    return dict.fromkeys(_followed())


def _followed() -> Iterator[type[models.Model]]:
    for model in apps.get_models():
        for kind in _kinds(model):
            yield from with_parents(model)
            yield from depended_on(kind)


def with_parents(model: type[models.Model]) -> Iterator[type[models.Model]]:
    """A model, and those in whose tables a part of its rows is."""
    yield model
    yield from model._meta.get_parent_list()


def depended_on(kind: type[PermittedQuerySet[Any]]) -> Iterator[type[models.Model]]:
    """The models on which its ``visible_to`` depends."""
    for name in kind.depends_on:
        yield from with_parents(apps.get_model(name))


def _kinds(model: type[models.Model]) -> Iterator[type[PermittedQuerySet[Any]]]:
    for manager in model._meta.managers:
        kind = getattr(manager, "_queryset_class", None)
        if isinstance(kind, type) and issubclass(kind, PermittedQuerySet):
            yield kind
