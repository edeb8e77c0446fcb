"""Threads for app code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from apps_registry.live.workers import Workers


@pytest_asyncio.fixture
async def workers() -> AsyncIterator[Workers]:
    pool = Workers(max_threads=4)
    yield pool
    assert await pool.close(2) == 0


async def test_results_and_errors_come_back(workers):
    assert await workers.run(lambda: 41 + 1) == 42
    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await workers.run(lambda: next(iter(())))


async def test_short_jobs_share_one_thread(workers):
    threads = [await workers.run(threading.get_ident) for _ in range(50)]
    assert len(set(threads)) == 1
    assert workers.threads == 1


async def test_a_blocked_job_delays_no_other(workers):
    release = threading.Event()
    blocked = asyncio.create_task(workers.run(lambda: release.wait(5)))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await workers.run(lambda: "meanwhile") == "meanwhile"
    assert not blocked.done()
    release.set()
    assert await blocked is True


async def test_threads_are_bounded_and_go_on_when_all_are_held_up(workers):
    release = threading.Event()
    jobs = [asyncio.create_task(workers.run(lambda: release.wait(5))) for _ in range(10)]
    await asyncio.sleep(0.1)
    assert workers.threads == 4
    assert workers.outstanding == 10
    release.set()
    assert await asyncio.gather(*jobs) == [True] * 10
    assert await workers.run(lambda: "still there") == "still there"
    assert workers.outstanding == 0


async def test_spare_threads_end():
    pool = Workers(max_threads=4, idle_seconds=0.05)
    release = threading.Event()
    jobs = [asyncio.create_task(pool.run(lambda: release.wait(5))) for _ in range(4)]
    await asyncio.sleep(0.1)
    release.set()
    await asyncio.gather(*jobs)
    async with asyncio.timeout(2):
        while pool.threads > 1:
            await asyncio.sleep(0.01)
    assert await pool.run(lambda: 1) == 1
    await pool.close()


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_a_job_cannot_end_its_thread(workers, ending):
    def leave() -> None:
        raise ending

    thread = await workers.run(threading.get_ident)
    results: list[BaseException | None] = []
    workers.submit(leave, lambda result, error: results.append(error))
    assert await workers.run(threading.get_ident) == thread
    assert isinstance(results[0], ending)


async def test_tidying_happens_around_each_job_and_cannot_fail_it():
    calls: list[str] = []

    def around() -> None:
        calls.append(threading.current_thread().name)
        raise RuntimeError("no database")

    pool = Workers(around=around, on_thread_end=lambda: calls.append("end"))
    assert await pool.run(lambda: calls.append("job")) is None
    await pool.close()
    assert [call.split("-")[0] for call in calls] == ["app", "job", "app", "end"]


async def test_close_tells_of_jobs_that_do_not_end():
    pool = Workers()
    release = threading.Event()
    job = asyncio.create_task(pool.run(lambda: release.wait(5)))
    await asyncio.sleep(0.02)
    assert await pool.close(0.05) == 1
    with pytest.raises(RuntimeError):
        await pool.run(lambda: None)
    release.set()
    await job


async def test_many_results_come_with_few_wake_ups(workers, monkeypatch):
    loop = asyncio.get_running_loop()
    wakes = []
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(
        loop, "call_soon_threadsafe", lambda *args, **kw: wakes.append(1) or wake(*args, **kw)
    )
    gate = threading.Event()
    first = asyncio.create_task(workers.run(lambda: gate.wait(5)))
    done: list[int] = []
    for number in range(200):
        workers.submit(lambda number=number: number, lambda result, error: done.append(result))
    gate.set()
    # The loop is held up, so that results gather
    threading.Event().wait(0.05)
    await first
    async with asyncio.timeout(2):
        while len(done) < 200:
            await asyncio.sleep(0)
    assert done == list(range(200))
    assert len(wakes) < 50
