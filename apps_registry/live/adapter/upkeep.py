"""Before the first document, and after the last use of one."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, cast

from bokeh.core.has_props import HasProps, _default_resolver
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.document import Document
from bokeh.embed.bundle import ExtensionEmbed, _bundle_extensions
from bokeh.resources import Resources


def prepare() -> None:
    """Make Bokeh ready for many threads and many documents; once per process, before the first one."""
    # ColumnDataSource.stream fails in one session while another one imports pandas
    with suppress(ImportError):
        import pandas  # noqa: F401
    # A third of what it takes to make a model goes into asking its class the same again (3.10.2)
    PropertyDescriptor.has_unstable_default = _has_unstable_default  # type: ignore[method-assign]
    HasProps.themed_values = _themed_values  # type: ignore[method-assign]


_ask_has_unstable_default = PropertyDescriptor.has_unstable_default


def _has_unstable_default(self: PropertyDescriptor[Any], obj: HasProps) -> bool:
    cls = type(obj)
    known: dict[str, bool] | None = cls.__dict__.get("_vizserver_unstable")
    if known is None:
        known = cls._vizserver_unstable = {}  # type: ignore[attr-defined]
    answer = known.get(self.name)
    if answer is None:
        answer = known[self.name] = bool(_ask_has_unstable_default(self, obj))
    return answer


def _themed_values(self: HasProps) -> dict[str, Any] | None:
    # Without HasProps.__getattr__, which looks through all properties for a name that is none
    return self.__dict__.get("__themed_values__")


def release_document(document: Document) -> None:
    """Cut a document's circles of references, so that its models go without a garbage collection.

    ``Document.destroy`` calls ``gc.collect()``, which costs 75 ms and more per session.
    """
    for model in list(document.models):
        model._callbacks.clear()
        model._event_callbacks.clear()
        model._unstable_default_values.clear()
        model._unstable_themed_values.clear()
        model.destroy()
    models = document.models
    models._models, models._models_by_name, models._new_models = {}, type(models._models_by_name)(), set()
    document._roots = []
    document._session_context = None
    callbacks = document.callbacks
    for table in (
        callbacks._change_callbacks,
        callbacks._event_callbacks,
        callbacks._js_event_callbacks,
        callbacks._message_callbacks,
        callbacks._session_destroyed_callbacks,
        callbacks._session_callbacks,
        callbacks._subscribed_models,
        callbacks._held_events,
    ):
        table.clear()
    for module in document.modules._modules:
        sys.modules.pop(module.__name__, None)
        module.__dict__.clear()
    document.modules._modules = []


def bundle_extensions(models: set[type[HasProps]], resources: Resources) -> list[ExtensionEmbed]:
    """The built extension packages that some classes of models come from."""
    # Asks of an object only what its class knows too; gives nothing for a package that is no extension
    return _bundle_extensions(cast(Any, models), resources)


def forget_models(module_name: str) -> None:
    """Take the model classes that one module defined out of Bokeh's table of all models."""
    known = cast(Any, _default_resolver)._known_models
    for name in [name for name, cls in list(known.items()) if cls.__module__ == module_name]:
        known.pop(name, None)
