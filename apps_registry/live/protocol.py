"""What the messages of a peer ask for: each becomes a turn of the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import bokeh

from ..exceptions import ProtocolError
from . import adapter, wire
from .turn import Turn

if TYPE_CHECKING:
    from .connection import Connection
    from .session import Session


def turn_for(session: Session, connection: Connection, message: wire.Message) -> Turn:
    """The turn that answers a message. Raises ``ProtocolError`` for one that is not allowed."""
    try:
        prepare = _MESSAGES[message.type]
    except KeyError:
        raise ProtocolError("There is no such message type.") from None
    turn = Turn(lambda: None, origin=connection, reply_to=message.id, size=message.size)
    turn.fn = prepare(session, turn, message)
    return turn


def _pull(session: Session, turn: Turn, message: wire.Message) -> Callable[[], None]:
    def pull() -> None:
        text, buffers = adapter.document_json(session.document, session.own_models)
        content = b'{"doc":' + text + b"}"
        turn.reply = wire.frames("PULL-DOC-REPLY", content, buffers, reply_to=message.id)
        turn.gives_document = True

    return pull


def _push(session: Session, turn: Turn, message: wire.Message) -> Callable[[], None]:
    if turn.origin is None or not turn.origin.may_push:
        raise ProtocolError("This connection may not replace the document.")
    if "doc" not in message.content:
        raise ProtocolError("A PUSH-DOC has no document.")

    def push() -> None:
        turn.gives_document = True
        adapter.replace_document(session.document, message.content["doc"], message.buffers)
        turn.reply = _ok(message)

    return push


def _patch(session: Session, turn: Turn, message: wire.Message) -> Callable[[], None]:
    def patch() -> None:
        adapter.apply_patch(session.document, message.content, message.buffers, turn, session.own_models)
        turn.reply = _ok(message)

    return patch


def _server_info(session: Session, turn: Turn, message: wire.Message) -> Callable[[], None]:
    def server_info() -> None:
        version = bokeh.__version__
        content = adapter.dumps({"version_info": {"bokeh": version, "server": version}})
        turn.reply = wire.frames("SERVER-INFO-REPLY", content, reply_to=message.id)

    return server_info


def _ok(message: wire.Message) -> list[wire.Frame]:
    return wire.frames("OK", b"{}", reply_to=message.id)


_MESSAGES: dict[str, Callable[[Session, Turn, wire.Message], Callable[[], None]]] = {
    "PULL-DOC-REQ": _pull,
    "PUSH-DOC": _push,
    "PATCH-DOC": _patch,
    "SERVER-INFO-REQ": _server_info,
}
