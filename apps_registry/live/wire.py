"""Frames to messages and back: the Bokeh wire protocol, without a word on what messages mean.

A message is three text frames (header, metadata, content) and, for each buffer, a text frame
with its id and a binary frame; see ``bokeh.protocol.receiver``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from ..exceptions import ProtocolError

type Frame = str | bytes
type Buffers = list[tuple[str, bytes]]

#: More buffers than any document has; a header that announces more is an attack or an accident.
MAX_BUFFERS = 10_000

_next_id = count(1)


@dataclass(slots=True)
class Message:
    """One whole message as a peer sent it."""

    id: str
    type: str
    content: Any
    buffers: Buffers = field(default_factory=list)
    reply_to: str = ""
    size: int = 0


class Assembler:
    """Puts the frames of one socket together to messages, and bounds what it holds meanwhile."""

    def __init__(self, max_message_size: int) -> None:
        """``max_message_size``: bytes of all frames of one message."""
        self._max_size = max_message_size
        self._frames: list[Frame] = []
        self._size = 0
        self._expected = 3

    def feed(self, frame: Frame) -> Message | None:
        """Take one frame; give the message that it completes, if it does.

        Raises ``ProtocolError``, after which the socket is of no more use.
        """
        self._size += len(frame)
        if self._size > self._max_size:
            raise ProtocolError("The message is too large.")
        position = len(self._frames)
        if isinstance(frame, bytes) is not self._wants_bytes(position):
            raise ProtocolError("A text frame came where a binary one was due, or the other way round.")
        self._frames.append(frame)
        if position == 0:
            self._expected = 3 + 2 * _number_of_buffers(_parse(frame))
        if len(self._frames) < self._expected:
            return None
        message = _message(self._frames)
        message.size = self._size
        self._frames, self._size, self._expected = [], 0, 3
        return message

    @staticmethod
    def _wants_bytes(position: int) -> bool:
        return position > 3 and position % 2 == 0


def _parse(frame: Frame) -> dict[str, Any]:
    try:
        value = orjson.loads(frame)
    except orjson.JSONDecodeError:
        raise ProtocolError("A frame is not JSON.") from None
    if not isinstance(value, dict):
        raise ProtocolError("A frame is not a JSON object.")
    return value


def _number_of_buffers(header: dict[str, Any]) -> int:
    number = header.get("num_buffers", 0)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_BUFFERS:
        raise ProtocolError("The number of buffers is not possible.")
    return number


def _message(frames: list[Frame]) -> Message:
    header, content = _parse(frames[0]), _parse(frames[2])
    message_id, message_type = header.get("msgid"), header.get("msgtype")
    if not isinstance(message_id, str) or not isinstance(message_type, str):
        raise ProtocolError("A header needs msgid and msgtype.")
    pairs = zip(frames[3::2], frames[4::2], strict=True)
    buffers = [(_buffer_id(name), payload) for name, payload in pairs if isinstance(payload, bytes)]
    return Message(message_id, message_type, content, buffers, str(header.get("reqid", "")))


def _buffer_id(frame: Frame) -> str:
    name = _parse(frame).get("id")
    if not isinstance(name, str):
        raise ProtocolError("A buffer has no id.")
    return name


def frames(
    kind: str,
    content: bytes,
    buffers: Buffers | None = None,
    *,
    reply_to: str = "",
    message_id: str = "",
) -> list[Frame]:
    """The frames of one message, ready to be sent. ``content`` is JSON text."""
    header: dict[str, Any] = {"msgid": message_id or f"s{next(_next_id)}", "msgtype": kind}
    if reply_to:
        header["reqid"] = reply_to
    if buffers:
        header["num_buffers"] = len(buffers)
    result: list[Frame] = [orjson.dumps(header).decode(), "{}", content.decode()]
    for name, payload in buffers or ():
        result += [orjson.dumps({"id": name}).decode(), payload]
    return result


def patch_frames(events: list[bytes], buffers: Buffers) -> list[Frame]:
    """A PATCH-DOC of events that are JSON text already."""
    return frames("PATCH-DOC", b'{"events":[' + b",".join(events) + b"]}", buffers)


def error_frames(text: str, reply_to: str, traceback: str | None = None) -> list[Frame]:
    """An ERROR reply; BokehJS and ``bokeh.client`` show its text."""
    return frames("ERROR", orjson.dumps({"text": text, "traceback": traceback}), reply_to=reply_to)
