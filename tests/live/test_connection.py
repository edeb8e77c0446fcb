"""A tab's outbox."""

from __future__ import annotations

import asyncio

from apps_registry.exceptions import SessionEnded, TooSlow
from apps_registry.live.connection import Connection


async def test_take_waits_for_what_is_put():
    connection = Connection(limit=100)
    taking = asyncio.create_task(connection.take())
    await asyncio.sleep(0)
    assert not taking.done()
    connection.put(["a", b"b"])
    connection.put(["c"])
    assert await taking == ["a", b"b", "c"]


async def test_what_waits_is_sent_before_the_end():
    connection = Connection(limit=100)
    connection.put(["a"])
    connection.close()
    connection.put(["too late"])
    assert await connection.take() == ["a"]
    assert await connection.take() == []
    assert isinstance(connection.closed, SessionEnded)


async def test_the_end_wakes_the_writer():
    connection = Connection(limit=100)
    taking = asyncio.create_task(connection.take())
    await asyncio.sleep(0)
    connection.close()
    assert await taking == []


async def test_what_is_taken_but_not_yet_sent_counts():
    connection = Connection(limit=100)
    connection.put(["x" * 60])
    taken = await connection.take()
    connection.put(["x" * 60])
    assert isinstance(connection.closed, TooSlow)
    assert await connection.take() == []
    quick = Connection(limit=100)
    quick.put(["x" * 60])
    quick.sent(await quick.take())
    quick.put(["x" * 60])
    assert quick.closed is None
    assert taken == ["x" * 60]


async def test_the_first_reason_stays():
    connection = Connection(limit=100)
    connection.close(TooSlow())
    connection.close()
    assert isinstance(connection.closed, TooSlow)
