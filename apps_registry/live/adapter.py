"""All that the engine needs of Bokeh's private names, so that a Bokeh upgrade breaks one file.

Measured on Bokeh 3.10.2: its own ``Serializer`` and ``Deserializer`` copy the references of every
model of a document for each message, and ``Document.to_json`` reads each property of each model.
The classes here look references up when they are asked for, and read only what is set.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import orjson
from bokeh import __version__ as bokeh_version
from bokeh.core.has_props import HasProps, _default_resolver, is_DataModel
from bokeh.core.json_encoder import serialize_json
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.core.serialization import (
    Buffer,
    Deserializer,
    Serialized,
    Serializer,
    UnknownReferenceError,
)
from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model
from bokeh.settings import settings
from bokeh.util.callback_manager import _nargs
from bokeh.util.serialization import make_id

if TYPE_CHECKING:
    from bokeh.document.events import Invoker
    from bokeh.document.models import DocumentModelManager
    from bokeh.events import Event, ModelEvent

__all__ = [
    "SessionCallbacks",
    "apply_patch",
    "bokeh_version",
    "document_json",
    "dumps",
    "encode_event",
    "forget_models",
    "loads",
    "new_document",
    "preload",
    "release_document",
    "replace_document",
]

#: How the names of the modules of apps begin.
APP_MODULES = "bokeh_app_"

type Models = Mapping[str, type[HasProps]]
type Collect = Callable[[Awaitable[Any]], None]


def dumps(content: Any) -> bytes:
    """JSON text of an encoded content, as Bokeh's ``serialize_json`` gives it, four times faster."""
    try:
        return orjson.dumps(content, default=_json_default)
    except (orjson.JSONEncodeError, TypeError):
        # orjson refuses lone surrogates and integers beyond 64 bits, which json lets pass
        return serialize_json(content).encode()


loads = orjson.loads


def _json_default(value: Any) -> Any:
    if isinstance(value, Buffer):
        return value.ref
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"can't write {type(value)} as JSON")


class _SetKeysSerializer(Serializer):
    """A serializer that reads of each model only the properties that are set."""

    def encode(self, obj: Any) -> Any:
        if isinstance(obj, Model):
            return self._encode_model(obj)
        return self._encode(obj)

    def _known(self, model: Model) -> bool:
        return self.has_ref(model)

    def _encode_model(self, model: Model) -> Any:
        if self._known(model):
            return model.ref
        cls = type(model)
        if not _plain_model(cls) or settings.serialize_include_defaults():
            return model.to_serializable(self)
        self.add_ref(model, model.ref)
        rep: dict[str, Any] = {"type": "object", "name": cls.__qualified_model__, "id": model.id}
        attributes = {name: self.encode(value) for name, value in _set_properties(model)}
        if attributes:
            rep["attributes"] = attributes
        return rep


class _PatchSerializer(_SetKeysSerializer):
    """A serializer for one event, which knows the models that every tab already has."""

    def __init__(self, models: DocumentModelManager) -> None:
        super().__init__()
        self._models = models
        self.defined: set[Model] = set()

    def _known(self, model: Model) -> bool:
        if model in self.defined:
            return True
        return self._models.get_by_id(model.id) is model and model not in self._models._new_models

    def add_ref(self, obj: Any, ref: Any) -> None:
        super().add_ref(obj, ref)
        self.defined.add(obj)

    def has_ref(self, obj: Any) -> bool:
        return isinstance(obj, Model) and self._known(obj)


@cache
def _plain_model(cls: type[Model]) -> bool:
    return cls.to_serializable is Model.to_serializable


@cache
def _serialized_properties(cls: type[Model]) -> dict[str, PropertyDescriptor[Any]]:
    """The descriptors that ``Model.to_serializable`` would ask, in its order."""
    names = cls.properties(_with_props=True)
    return {name: descriptor for name in names if (descriptor := cls.lookup(name)).serialized}


@cache
def _required_properties(cls: type[Model]) -> tuple[str, ...]:
    """Properties without a default: reading them unset raises, which a viewer of the code must learn."""
    from bokeh.core.property.singletons import Undefined

    blank = cls.__new__(cls, id=make_id())
    Model.__init__(blank)
    return tuple(
        name
        for name, descriptor in _serialized_properties(cls).items()
        if descriptor._get(blank) is Undefined
    )


def _set_properties(model: Model) -> list[tuple[str, Any]]:
    cls = type(model)
    values, unstable = model._property_values, model._unstable_default_values
    themed = model.themed_values() or {}
    for name in _required_properties(cls):
        if name not in values:
            getattr(model, name)
    candidates = values.keys() | unstable.keys() | themed.keys()
    found = []
    for name, descriptor in _serialized_properties(cls).items():
        if name not in candidates:
            continue
        value = descriptor.get_value(model)
        if name in unstable and name not in themed and isinstance(value, PropertyValueContainer):
            continue
        found.append((name, value))
    return found


class SessionCallbacks(DocumentCallbackManager):
    """A document's callbacks, of which those that are ``async def`` are collected and not dropped."""

    collect: Collect | None = None

    def notify_change(
        self,
        model: Model,
        attr: str,
        old: Any,
        new: Any,
        hint: DocumentPatchedEvent | None = None,
        setter: Any = None,
        callback_invoker: Invoker | None = None,
    ) -> None:
        def invoke() -> None:
            for callback in tuple(model._callbacks.get(attr, ())):
                self._collect(callback(attr, old, new))

        # A model without callbacks needs no call back: the common case of a changed data source
        invoker = invoke if model._callbacks.get(attr) else None
        super().notify_change(model, attr, old, new, hint, setter, invoker)

    def notify_event(self, model: Model, event: ModelEvent, callback_invoker: Invoker) -> None:
        def invoke() -> None:
            if event.model is None or event.model.id != model.id:
                return
            for callback in tuple(model._event_callbacks.get(event.event_name, ())):
                arguments = () if _nargs(callback) == 0 else (event,)
                self._collect(cast(Any, callback)(*arguments))

        super().notify_event(model, event, invoke)

    def trigger_event(self, event: Event) -> None:
        from bokeh.events import ModelEvent

        if isinstance(event, ModelEvent):
            for reference in self._subscribed_models[event.event_name].copy():
                if (model := reference()) is not None:
                    model._trigger_event(event)
        for callback in self.event_callbacks_for_event_name(event.event_name):
            self._collect(callback(event))

    def _collect(self, result: Any) -> None:
        if not inspect.isawaitable(result):
            return
        if self.collect is None:
            if inspect.iscoroutine(result):
                result.close()
            raise RuntimeError("An async callback can only run in a live session.")
        self.collect(result)


def preload() -> None:
    """Import what Bokeh looks up in ``sys.modules`` without waiting for another thread's import of it.

    ``ColumnDataSource.stream`` fails in one session while another one imports pandas.
    """
    with suppress(ImportError):
        import pandas  # type: ignore[import-untyped]  # noqa: F401


def new_document() -> Document:
    """An empty document whose async callbacks can be awaited by its session."""
    document = Document()
    document.callbacks = SessionCallbacks(document)
    return document


def encode_event(document: Document, event: DocumentPatchedEvent) -> tuple[bytes, list[tuple[str, bytes]]]:
    """One event as JSON text and its buffers ``(id, payload)``, frozen as of now.

    Models that no tab has yet are defined in full, and count as known from here on.
    """
    models = document.models
    serializer = _PatchSerializer(models)
    rep = event.to_serializable(serializer)
    text = dumps(rep)
    models._new_models -= serializer.defined
    return text, [(buffer.id, buffer.to_bytes()) for buffer in serializer.buffers]


def _data_models(own: Models) -> list[Any]:
    """The data models whose definitions a document brings along: those of libraries, and its own app's."""
    # A copy, as another thread may be at defining a class
    known = list(cast(Any, _default_resolver)._known_models.values())
    libraries = [cls for cls in known if is_DataModel(cls) and not cls.__module__.startswith(APP_MODULES)]
    return libraries + [cls for cls in own.values() if is_DataModel(cls)]


def document_json(document: Document, own: Models | None = None) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A whole document as JSON text, the same as ``Document.to_json``'s, and its buffers.

    ``own`` are the model classes that the document's app defines; those of other apps are not told of.
    """
    serializer = _SetKeysSerializer()
    data_models = _data_models(own or {})
    defs = serializer.encode(data_models)
    rep: dict[str, Any] = {
        "version": bokeh_version,
        "title": document.title,
        "config": serializer.encode(document.config),
        "roots": serializer.encode(document._roots),
    }
    if data_models:
        rep["defs"] = defs
    if document.callbacks.js_event_callbacks:
        rep["callbacks"] = serializer.encode(document.callbacks.js_event_callbacks)
    document.models.flush_synced()
    return dumps(rep), [(buffer.id, buffer.to_bytes()) for buffer in serializer.buffers]


class _Deserializer(Deserializer):
    """A deserializer that knows the classes of one session, where Bokeh's table has the newest of a name."""

    def __init__(self, own: Models, setter: Any) -> None:
        super().__init__(setter=setter)
        self._own = own

    def _resolve_type(self, type: str) -> Any:
        return self._own.get(type) or super()._resolve_type(type)


class _References(dict[str, Model]):
    """The models that a patch defines, and behind them those of the document."""

    def __init__(self, known: DocumentModelManager) -> None:
        super().__init__()
        self._known_models = known

    def get(self, key: str, default: Any = None) -> Any:
        model = super().get(key)
        return model if model is not None else self._known_models.get_by_id(cast(Any, key))


def apply_patch(
    document: Document,
    content: Any,
    buffers: list[tuple[str, bytes]],
    setter: Any,
    own: Models | None = None,
) -> None:
    """Apply the content of a PATCH-DOC as ``Document.apply_json_patch`` does, at the cost of what it names.

    ``own`` are the model classes that the document's app defines, by qualified name.
    """
    deserializer = _Deserializer(own or {}, setter)
    references = _References(document.models)
    deserializer._references = cast(Any, references)
    rep = Serialized(content, [Buffer(cast(Any, name), payload) for name, payload in buffers])
    try:
        patch = deserializer.deserialize(rep)
    except UnknownReferenceError as error:
        # A tab may still speak of a model that was removed on this side a moment ago
        if document.models.seen(error.id):
            return
        raise
    for event in patch["events"]:
        DocumentPatchedEvent.handle_event(document, event, setter)
    document.models._new_models -= set(references.values())


def replace_document(document: Document, content: Any, buffers: list[tuple[str, bytes]]) -> None:
    """Put the document of a PUSH-DOC in the place of everything in ``document``."""
    rep = Serialized(content, [Buffer(cast(Any, name), payload) for name, payload in buffers])
    document.replace_with_json(cast(Any, rep))


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


def forget_models(module_name: str) -> None:
    """Take the model classes that one module defined out of Bokeh's table of all models."""
    known = cast(Any, _default_resolver)._known_models
    for name in [name for name, cls in list(known.items()) if cls.__module__ == module_name]:
        known.pop(name, None)
