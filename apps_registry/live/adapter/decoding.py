"""Patches and documents from peers, into a document that lives here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bokeh.core.serialization import Buffer, Deserializer, Serialized, UnknownReferenceError
from bokeh.document import Document
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model

from ..failures import do_all
from .encoding import Models

if TYPE_CHECKING:
    from bokeh.document.models import DocumentModelManager


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
    try:
        # The tab has all these changes, as those of both ends of a range, even when a callback fails over one
        do_all(partial(_apply, document, event, setter) for event in patch["events"])
    finally:
        document.models._new_models -= set(references.values())


def _apply(document: Document, event: dict[str, Any], setter: Any) -> None:
    _keep_columns(event)
    DocumentPatchedEvent.handle_event(document, cast(Any, event), setter)


def _keep_columns(event: dict[str, Any]) -> None:
    # Bokeh takes the columns that changed for all there are, and drops the others; BokehJS keeps them
    if event.get("kind") == "ColumnDataChanged" and event.get("cols") is not None:
        event["data"] = {**getattr(event["model"], event["attr"]), **event["data"]}


def replace_document(document: Document, content: Any, buffers: list[tuple[str, bytes]]) -> None:
    """Put the document of a PUSH-DOC in the place of everything in ``document``."""
    rep = Serialized(content, [Buffer(cast(Any, name), payload) for name, payload in buffers])
    document.replace_with_json(cast(Any, rep))
