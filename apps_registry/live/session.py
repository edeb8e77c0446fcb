"""A live document: its connections, its lock, and the one door by which work comes in."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bokeh.document.events import (
    DocumentPatchedEvent,
    MessageSentEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
)
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.events import ConnectionLost
from bokeh.io.doc import patch_curdoc

from ..exceptions import DataRefused, SessionEnded, UnlockedChange, VizserverError, new_reference
from . import adapter, wire
from .context import Request, ServerContext, SessionContext, current_session
from .failures import describe
from .protocol import turn_for
from .scheduling import Schedule
from .turn import Turn, current_turn
from .workers import awaitable_error

if TYPE_CHECKING:
    from bokeh.document.events import DocumentChangedEvent

    from .connection import Connection
    from .workers import Workers

log = logging.getLogger(__name__)

#: Called with the app's name, the reference, and what was raised.
type OnError = Callable[[str, str, BaseException], None]

#: The kind of Bokeh's own messages (``MessageSentEvent``) that pages of this package show to their viewer.
MESSAGE = "apps-registry-message"
#: A peer that has this many messages unanswered is not read from until some are.
MAX_WAITING_TURNS = 200
#: Or messages of so many bytes.
MAX_WAITING_BYTES = 20 * 1024 * 1024


class Session:
    """One document, kept in step with the connections attached to it.

    All work enters by ``run`` (or ``handle``, for what a peer sent): it waits for its turn, runs on a
    worker thread, what it changed is encoded there once, and put to each connection on the loop.
    """

    def __init__(
        self,
        session_id: str,
        *,
        app_name: str,
        owner: object,
        workers: Workers,
        server_context: ServerContext,
        request: Request,
        token_payload: Mapping[str, Any] | None = None,
        logout_url: str | None = None,
        on_error: OnError | None = None,
    ) -> None:
        self.id = session_id
        self.app_name = app_name
        self.owner = owner
        self.user = request.user
        self.connections: list[Connection] = []
        self.destroyed = False
        self._loop = asyncio.get_running_loop()
        #: Times of the loop
        self.started = self.active = self.unattended_since = self._loop.time()
        self.document = adapter.new_document()
        self.session_context = SessionContext(
            self,
            server_context,
            request=request,
            token_payload=token_payload or {},
            logout_url=logout_url,
        )
        adapter.set_session_context(self.document, self.session_context)
        self.document.callbacks.collect = self._collect  # type: ignore[attr-defined]
        #: The model classes that the app defines, as this session has them
        self.own_models: adapter.Models = {}
        #: What other parts keep with a session for as long as it lives
        self.attachments: dict[str, Any] = {}
        self._workers = workers
        self._on_error = on_error
        self._context = contextvars.Context()
        self._context.run(current_session.set, self)
        self._schedule = Schedule(self._loop, self._run_scheduled)
        self._turns: deque[Turn] = deque()
        self._turn: Turn | None = None
        self._turn_began = 0.0
        self._waiting_bytes = 0
        self._room: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._awaited: asyncio.Task[None] | None = None

    # What the pool does with a session

    def start(self) -> None:
        """The document is built: from here on its changes go to the connections."""
        self.unattended_since = self._loop.time()
        self.document.on_change(self._on_change)
        for callback in self.document.session_callbacks:
            self._schedule.add(callback)

    def attach(self, connection: Connection) -> None:
        """Let ``connection`` take part: it is greeted, and gets changes once it has pulled or pushed the document."""
        if self.destroyed:
            raise SessionEnded
        self.connections.append(connection)
        self.active = self._loop.time()
        connection.put(wire.frames("ACK", b"{}"))

    def detach(self, connection: Connection) -> None:
        """Forget ``connection``, whose peer is gone."""
        if connection not in self.connections:
            return
        # Another list, for a turn under way may go through this one
        self.connections = [other for other in self.connections if other is not connection]
        self.unattended_since = self._loop.time()
        if not self.destroyed and self.document.callbacks.event_callbacks_for_event_name("connection_lost"):
            self.post(lambda: self.document.callbacks.trigger_event(ConnectionLost()))

    def tell(self, text: str) -> None:
        """Show ``text`` to the viewers, as soon as the turns that wait are through."""
        document = self.document
        self.post(lambda: document.callbacks.trigger_on_change(MessageSentEvent(document, MESSAGE, text)))

    def end(self, reason: VizserverError | None = None) -> None:
        """Take no more work, and close the connections with ``reason``."""
        self.destroyed = True
        self._schedule.close()
        for task in self._tasks:
            if task is not self._awaited:
                task.cancel()
        for connection in self.connections:
            connection.close(reason)

    def release(self) -> None:
        """Let the document go, on a worker thread. The session has ended, and no turn is left."""
        adapter.release_document(self.document)
        self.document.callbacks.collect = None  # type: ignore[attr-defined]
        self.own_models = {}
        self.attachments.clear()
        self._context = contextvars.Context()

    # The one door

    async def run(self, fn: Callable[[], Any], *, final: bool = False) -> Any:
        """The result of ``fn``, called with the lock held; awaited when it is ``async``.

        Raises what ``fn`` raises; ``SessionEnded`` after the end, unless the call is a ``final`` one.
        """
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(turn: Turn) -> None:
            if future.done():
                return
            if turn.error is None:
                future.set_result(turn.result)
            else:
                future.set_exception(awaitable_error(turn.error))

        if self.destroyed and not final:
            raise SessionEnded
        self._enqueue(Turn(fn, done=done))
        return await future

    def post(self, fn: Callable[[], Any], done: Callable[[], None] | None = None) -> None:
        """Run ``fn`` with the lock held, some time soon; an exception goes to the log."""

        def ended(turn: Turn) -> None:
            try:
                if turn.error is not None:
                    self._report(turn.error)
            finally:
                if done is not None:
                    done()

        self._enqueue(Turn(fn, done=ended))

    def handle(self, connection: Connection, message: wire.Message) -> asyncio.Future[None] | None:
        """Take in a message of a peer; its reply is put to the connection when its turn is through.

        Gives something to wait for when too many messages wait already. Raises ``ProtocolError``.
        """
        if self.destroyed:
            raise SessionEnded
        self.active = self._loop.time()
        turn = turn_for(self, connection, message)
        self._waiting_bytes += turn.size
        self._enqueue(turn)
        if len(self._turns) < MAX_WAITING_TURNS and self._waiting_bytes < MAX_WAITING_BYTES:
            return None
        if self._room is None or self._room.done():
            self._room = self._loop.create_future()
        return self._room

    # Turns

    @property
    def is_busy(self) -> bool:
        """Whether a turn is under way or waits."""
        return self._turn is not None

    @property
    def holds_lock(self) -> bool:
        """Whether the code that asks stands in the turn under way."""
        turn = current_turn.get()
        return turn is not None and turn is self._turn

    def has_worked_since(self, moment: float) -> bool:
        """Whether one and the same turn is under way since then, by the time of the loop."""
        return self._turn is not None and self._turn_began <= moment

    def _enqueue(self, turn: Turn) -> None:
        self._turns.append(turn)
        if self._turn is None:
            self._next()

    def _next(self) -> None:
        if not self._turns:
            self._turn = None
            self._make_room()
            return
        turn = self._turn = self._turns.popleft()
        self._turn_began = self._loop.time()
        self._waiting_bytes -= turn.size
        self._make_room()
        self._workers.submit(
            lambda: self._context.run(self._call, turn), lambda _, error: self._called(turn, error)
        )

    def _make_room(self) -> None:
        has_room = len(self._turns) < MAX_WAITING_TURNS // 2 and self._waiting_bytes < MAX_WAITING_BYTES // 2
        if self._room is not None and not self._room.done() and has_room:
            self._room.set_result(None)

    def _call(self, turn: Turn) -> None:
        token = current_turn.set(turn)
        try:
            with patch_curdoc(self.document):
                turn.call()
        finally:
            current_turn.reset(token)

    def _called(self, turn: Turn, error: BaseException | None) -> None:
        turn.error = turn.error or error
        if not turn.is_waiting:
            self._finish(turn)
            return
        task = self._awaited = self._task(self._await(turn), self._context)
        # Not from within the task: the next turn could not enter the context that it still stands in
        task.add_done_callback(lambda _: self._finish(turn))

    async def _await(self, turn: Turn) -> None:
        token = current_turn.set(turn)
        try:
            with patch_curdoc(self.document):
                await turn.finish()
        finally:
            current_turn.reset(token)

    def _finish(self, turn: Turn) -> None:
        try:
            self._put(turn)
            if turn.done is not None:
                turn.done(turn)
        finally:
            self._next()

    def _put(self, turn: Turn) -> None:
        for connection in self.connections:
            if connection.has_document and (frames := turn.frames_for(connection)):
                connection.put(frames)
        if turn.origin is None:
            return
        if turn.error is not None:
            turn.origin.put(self._error_reply(turn))
        elif turn.reply is not None:
            turn.origin.put(turn.reply)
            turn.origin.has_document |= turn.gives_document

    def _error_reply(self, turn: Turn) -> list[wire.Frame]:
        assert turn.error is not None and turn.origin is not None
        reference = self._report(turn.error)
        if isinstance(turn.error, DataRefused):
            return wire.error_frames(str(turn.error), turn.reply_to)
        shown = describe(turn.error) if turn.origin.sees_tracebacks else None
        return wire.error_frames(f"The app's code failed. Reference: {reference}", turn.reply_to, shown)

    def _report(self, error: BaseException) -> str:
        reference = new_reference()
        if isinstance(error, DataRefused):
            # No failure of the app
            self.tell(str(error))
            return reference
        self._context.copy().run(log.error, "A callback failed. Reference: %s", reference, exc_info=error)
        if self._on_error is not None:
            self._context.copy().run(self._on_error, self.app_name, reference, error)
        return reference

    # Changes of the document

    def _on_change(self, event: DocumentChangedEvent) -> None:
        match event:
            case DocumentPatchedEvent():
                self._patched(event)
            case SessionCallbackAdded():
                self._schedule.add(event.callback)
            case SessionCallbackRemoved():
                self._schedule.remove(event.callback)

    def _patched(self, event: DocumentPatchedEvent) -> None:
        turn = self._held_turn()
        if not any(connection.has_document for connection in self.connections):
            return
        text, buffers = adapter.encode_event(self.document, event)
        setter: object = event.setter
        echo = setter is turn or turn.gives_document
        turn.add_event(text, buffers, echo=echo)

    def _collect(self, awaitable: Any) -> None:
        self._held_turn().add_awaitable(awaitable)

    def _held_turn(self) -> Turn:
        """The turn under way, for code that stands in it. Raises ``UnlockedChange`` for any other."""
        if self._turn is None or not self.holds_lock:
            raise UnlockedChange
        return self._turn

    # Callbacks that come by the clock

    def _run_scheduled(self, fn: Callable[[], Any], *, locked: bool, done: Callable[[], None]) -> None:
        if locked:
            self.post(fn, done)
        else:
            self._task(self._run_unlocked(fn, done), self._context.copy())

    async def _run_unlocked(self, fn: Callable[[], Any], done: Callable[[], None]) -> None:
        current_turn.set(None)
        context = contextvars.copy_context()
        try:
            result = await self._workers.run(lambda: context.run(fn))
            if inspect.isawaitable(result):
                proxy = UnlockedDocumentProxy(self.document)
                with patch_curdoc(proxy):
                    await result
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            # The last two would end the loop, and with it the server
            self._report(error)
        finally:
            done()

    def _task(self, coroutine: Any, context: contextvars.Context) -> asyncio.Task[None]:
        task = self._loop.create_task(coroutine, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
