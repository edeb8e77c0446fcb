"""What a tab says to a session: the messages of a browser, made from a test's wishes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any, cast

from bokeh.core.serialization import Serializable, Serializer
from bokeh.document import Document
from bokeh.events import Event
from bokeh.model import Model

from ..live import adapter
from ..live.wire import Message

_numbers = count(1)


def find(document: Document, selector: str | type[Model] | dict[str, Any]) -> Any:
    """The one model of this name, type, or Bokeh selector. Raises ``LookupError``."""
    if isinstance(selector, str):
        found = [model for model in document.models if model.name == selector]
    elif isinstance(selector, type):
        found = [model for model in document.models if isinstance(model, selector)]
    else:
        found = list(document.select(cast(Any, selector)))
    if len(found) != 1:
        raise LookupError(f"{len(found)} models are {selector!r}; there should be one.")
    return found[0]


def change(model: Model, values: dict[str, Any]) -> Message:
    """The patch by which a browser sets properties of a model."""
    return _patch(
        model.document,
        (
            {"kind": "ModelChanged", "model": model, "attr": attr, "new": value}
            for attr, value in values.items()
        ),
    )


def event(document: Document, happened: Event) -> Message:
    """The patch by which a browser tells of an event."""
    told = _Told(happened)
    return _patch(document, [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": told}])


class _Told(Serializable):
    """An event as a browser sends it: with all its values, of which Bokeh's own encoding has the model only."""

    def __init__(self, happened: Event) -> None:
        self._happened = happened

    def to_serializable(self, serializer: Serializer) -> Any:
        values = {name: value for name, value in vars(self._happened).items() if name != "timestamp"}
        return {"type": "event", "name": self._happened.event_name, "values": serializer.encode(values)}


def _patch(document: Document | None, events: Iterable[dict[str, Any]]) -> Message:
    serializer = Serializer(references=set(document.models) if document is not None else set())
    reps = [{name: serializer.encode(value) for name, value in entry.items()} for entry in events]
    buffers = [(str(buffer.id), buffer.to_bytes()) for buffer in serializer.buffers]
    # By way of the text, as a real peer's content is never shared with the document
    content = adapter.loads(adapter.dumps({"events": reps}))
    return Message(f"test{next(_numbers)}", "PATCH-DOC", content, buffers)


def request(kind: str) -> Message:
    """A message without content, such as PULL-DOC-REQ."""
    return Message(f"test{next(_numbers)}", kind, {})
