"""Frames to messages and back."""

from __future__ import annotations

import random

import orjson
import pytest
from bokeh.protocol import Protocol
from bokeh.protocol.receiver import Receiver

from apps_registry.exceptions import ProtocolError
from apps_registry.live import wire
from apps_registry.live.wire import Assembler, Message

LIMIT = 10_000


def _feed(frames, assembler=None):
    assembler = assembler or Assembler(LIMIT)
    return [message for frame in frames if (message := assembler.feed(frame)) is not None]


async def test_bokeh_reads_what_we_write():
    receiver = Receiver(Protocol())
    frames = wire.frames("PATCH-DOC", b'{"events":[]}', [("b1", b"\x00\x01"), ("b2", b"")], reply_to="r")
    messages = [await receiver.consume(frame) for frame in frames]
    message = messages[-1]
    assert messages[:-1] == [None] * 6
    assert message.header["reqid"] == "r"
    assert message.content == {"events": []}
    assert [(buffer.id, buffer.data) for buffer in message.buffers] == [("b1", b"\x00\x01"), ("b2", b"")]


def test_we_read_what_bokeh_writes():
    message = Protocol().create("SERVER-INFO-REQ")
    message.prepare()
    frames = [message.header_json, message.metadata_json, message.content_json]
    [read] = _feed(frames)
    assert (read.type, read.id) == ("SERVER-INFO-REQ", message.header["msgid"])


def test_messages_follow_one_another():
    first, second = wire.frames("A", b"{}", [("x", b"1")]), wire.frames("B", b'{"k":1}')
    assert [(m.type, m.content, m.buffers) for m in _feed(first + second)] == [
        ("A", {}, [("x", b"1")]),
        ("B", {"k": 1}, []),
    ]


@pytest.mark.parametrize(
    "frames",
    [
        ["no json"],
        ["[]"],
        [b"{}"],
        ['{"num_buffers": -1}'],
        ['{"num_buffers": 1e9}'],
        ['{"num_buffers": 99999999}'],
        ['{"num_buffers": true}'],
        ['{"num_buffers": "1"}'],
        ["{}", "{}", "{}"],
        ['{"msgid": 1, "msgtype": "A"}', "{}", "{}"],
        ['{"msgid": "1", "msgtype": "A"}', "{}", "[]"],
        ['{"msgid": "1", "msgtype": "A", "num_buffers": 1}', "{}", "{}", "{}", b""],
        ['{"msgid": "1", "msgtype": "A", "num_buffers": 1}', "{}", "{}", b"x"],
        ['{"msgid": "1", "msgtype": "A", "num_buffers": 1}', "{}", "{}", '{"id": "b"}', "text"],
        ['{"msgid": "1", "msgtype": "A"}', "{}", '"' + "x" * LIMIT + '"'],
    ],
)
def test_what_the_protocol_does_not_allow(frames):
    with pytest.raises(ProtocolError) as caught:
        _feed(frames)
    assert caught.value.close_code == 4400


def test_endless_buffers_are_not_held():
    assembler = Assembler(LIMIT)
    header = orjson.dumps({"msgid": "1", "msgtype": "A", "num_buffers": 5000}).decode()
    _feed([header, "{}", "{}"], assembler)
    held = 0
    for number in range(5000):
        try:
            _feed([f'{{"id":"{number}"}}', b"x" * 100], assembler)
        except ProtocolError:
            break
        held += 100
    assert 0 < held < LIMIT


def test_noise_is_refused_or_harmless():
    randomness = random.Random(7)
    pieces = [
        '{"msgid":"1","msgtype":"A"}',
        "{}",
        "[]",
        "",
        b"",
        b"\xff",
        '{"id":"b"}',
        '{"num_buffers":2}',
        "{",
    ]
    for _ in range(500):
        assembler = Assembler(LIMIT)
        for frame in randomness.choices(pieces, k=8):
            try:
                message = assembler.feed(frame)
            except ProtocolError:
                break
            assert message is None or isinstance(message, Message)
