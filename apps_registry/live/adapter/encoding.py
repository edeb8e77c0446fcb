"""Documents and events to JSON: the same as Bokeh writes, at the cost of what is set and what is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import bokeh
from bokeh.core.has_props import HasProps, _default_resolver, is_DataModel
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.singletons import Undefined
from bokeh.core.property.wrappers import PropertyValueContainer
from bokeh.core.serialization import NDArrayRep, Serializer
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model
from bokeh.settings import settings
from bokeh.util.serialization import make_id

from ..importing import PREFIX
from .sharing import Array, encode_shared
from .text import dumps

if TYPE_CHECKING:
    from bokeh.document.models import DocumentModelManager

type Models = Mapping[str, type[HasProps]]


class _SetKeysSerializer(Serializer):
    """A serializer that reads of each model only the properties that are set."""

    def encode(self, obj: Any) -> Any:
        if isinstance(obj, Model):
            return self._encode_model(obj)
        return self._encode(obj)

    def _known(self, model: Model) -> bool:
        return self.has_ref(model)

    def _encode_ndarray(self, obj: Array) -> NDArrayRep:
        return encode_shared(obj, self) or super()._encode_ndarray(obj)

    def _encode_model(self, model: Model) -> Any:
        if self._known(model):
            return model.ref
        cls = type(model)
        if not _facts(cls).is_plain or settings.serialize_include_defaults():
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


class _Facts(NamedTuple):
    """What the serializer asks of a class of models."""

    is_plain: bool
    serialized: dict[str, PropertyDescriptor[Any]]
    required: tuple[str, ...]


def _facts(cls: type[Model]) -> _Facts:
    # Kept with the class, as those that an app's main file defines go with its session
    facts: _Facts | None = cls.__dict__.get("_vizserver_facts")
    if facts is None:
        facts = _find_facts(cls)
        cls._vizserver_facts = facts  # type: ignore[attr-defined]
    return facts


def _find_facts(cls: type[Model]) -> _Facts:
    names = cls.properties(_with_props=True)
    # In the order in which ``Model.to_serializable`` asks them
    serialized = {name: descriptor for name in names if (descriptor := cls.lookup(name)).serialized}
    blank = cls.__new__(cls, id=make_id())
    Model.__init__(blank)
    # Properties without a default: reading them unset raises, which whoever wrote the code must learn
    required = tuple(name for name, descriptor in serialized.items() if descriptor._get(blank) is Undefined)
    return _Facts(cls.to_serializable is Model.to_serializable, serialized, required)


def _set_properties(model: Model) -> list[tuple[str, Any]]:
    facts = _facts(type(model))
    values, unstable = model._property_values, model._unstable_default_values
    themed = model.themed_values() or {}
    for name in facts.required:
        if name not in values:
            getattr(model, name)
    candidates = values.keys() | unstable.keys() | themed.keys()
    found = []
    for name, descriptor in facts.serialized.items():
        if name not in candidates:
            continue
        value = descriptor.get_value(model)
        if name in unstable and name not in themed and isinstance(value, PropertyValueContainer):
            continue
        found.append((name, value))
    return found


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
    libraries = [cls for cls in known if is_DataModel(cls) and not cls.__module__.startswith(PREFIX)]
    return libraries + [cls for cls in own.values() if is_DataModel(cls)]


def document_json(document: Document, own: Models | None = None) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A whole document as JSON text, the same as ``Document.to_json``'s, and its buffers.

    ``own`` are the model classes that the document's app defines; those of other apps are not told of.
    """
    serializer = _SetKeysSerializer()
    data_models = _data_models(own or {})
    defs = serializer.encode(data_models)
    rep: dict[str, Any] = {
        "version": bokeh.__version__,
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
