"""App code uses the ORM as any Django code does, on a bounded number of connections."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import close_old_connections, connections

from apps_registry.live.workers import Workers
from apps_registry.testing import open_app

APP = Path(__file__).parent / "apps" / "orm"


@pytest.mark.django_db(transaction=True)
def test_sync_and_async_queries_in_callbacks():
    with open_app(APP) as app:
        assert app.find("answer").text == "0"
        app.press("ask")
        app.wait()
        assert app.find("answer").text == "1"
        app.press("ask_async")
        app.wait()
        assert app.find("answer").text == "1 async"
    assert get_user_model().objects.count() == 1


@pytest.mark.django_db(transaction=True)
async def test_many_sessions_share_few_connections():
    opened: set[int] = set()
    open_now: list[int] = []
    lock = threading.Lock()

    def job() -> None:
        connection = connections["default"]
        connection.ensure_connection()
        with lock:
            opened.add(threading.get_ident())
            open_now.append(1)
        get_user_model().objects.count()
        with lock:
            open_now.pop()

    held: list[object] = []
    workers = Workers(
        max_threads=4,
        around=lambda: (close_old_connections(), held.append(connections["default"].connection)),
        on_thread_end=connections.close_all,
    )
    await asyncio.gather(*(workers.run(job) for _ in range(100)))
    await workers.close()
    assert 1 <= len(opened) <= 4
    # With CONN_MAX_AGE at its 0, no connection is held between two callbacks
    assert set(held) == {None}
