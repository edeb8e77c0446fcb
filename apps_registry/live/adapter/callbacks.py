"""A document's callbacks, awaited when they are ``async def``."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bokeh.document import Document
from bokeh.document.callbacks import DocumentCallbackManager, invoke_with_curdoc
from bokeh.document.events import DocumentPatchedEvent
from bokeh.model import Model
from bokeh.util.callback_manager import _nargs

from ..failures import do_all

if TYPE_CHECKING:
    from bokeh.application.application import SessionContext
    from bokeh.document.events import DocumentChangedEvent, Invoker
    from bokeh.events import Event, ModelEvent

type Collect = Callable[[Awaitable[Any]], None]


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

    def trigger_on_change(self, event: DocumentChangedEvent) -> None:
        if event.callback_invoker is None or self.hold_value is not None:
            # Most are of the first kind: of models without callbacks
            super().trigger_on_change(event)
        else:
            self._tell([event])

    def unhold(self) -> None:
        if self.hold_value is None:
            return
        events, self._held_events, self._hold = self._held_events, [], None
        self._tell(events)

    def _tell(self, events: list[DocumentChangedEvent]) -> None:
        # Before the callbacks, where Bokeh has it after them: a callback may fail, or change the same again,
        # and the tabs take for true what they hear last
        tell = super().trigger_on_change
        steps = [partial(tell, event) for event in events]
        for event in events:
            if event.callback_invoker is not None:
                steps.append(partial(invoke_with_curdoc, cast(Any, self._document()), event.callback_invoker))
            event.callback_invoker = None
        do_all(steps)

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


def set_session_context(document: Document, context: SessionContext) -> None:
    """Let ``document.session_context`` be ``context``, which somebody else must hold."""
    document._session_context = weakref.ref(context)


def new_document() -> Document:
    """An empty document whose async callbacks can be awaited by its session."""
    document = Document()
    document.callbacks = SessionCallbacks(document)
    return document
