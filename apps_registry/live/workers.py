"""Threads for app code: one serves while callbacks are short, another takes over when one is held up.

As in Go's scheduler, the thread that takes jobs is handed over when a job has run for some
milliseconds; so short callbacks of thousands of sessions share one warm thread (measured: 0.55 ms of
CPU per round trip with one thread, 0.64 with four, 0.81 with ``run_in_executor``), and a callback
that blocks delays only its own session. Results go back with one wake-up of the loop for many.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import Any

log = logging.getLogger(__name__)

type Job = Callable[[], Any]
type Done = Callable[[Any, BaseException | None], None]

#: How long a job may run, in seconds, before another thread takes the following jobs.
HANDOVER_SECONDS = 0.002


class Workers:
    """A bounded pool of threads for the jobs of one event loop.

    ``around`` is run before and after each job on its thread (Django closes stale database
    connections there); ``idle_seconds`` is how long a spare thread waits before it ends.
    """

    def __init__(
        self,
        *,
        max_threads: int = 64,
        around: Callable[[], None] | None = None,
        on_thread_end: Callable[[], None] | None = None,
        idle_seconds: float = 30.0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._max_threads = max_threads
        self._around = around
        self._on_thread_end = on_thread_end
        self._idle_seconds = idle_seconds
        self._jobs: SimpleQueue[tuple[Job, Done] | None] = SimpleQueue()
        self._results: deque[tuple[Done, Any, BaseException | None]] = deque()
        self._wake_lock = threading.Lock()
        self._wake_sent = False
        self._outstanding = 0
        self._threads: set[_Thread] = set()
        self._spare: list[_Thread] = []
        self._lock = threading.Lock()
        self._active: _Thread | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def threads(self) -> int:
        """How many threads there are now."""
        return len(self._threads)

    @property
    def outstanding(self) -> int:
        """How many jobs wait or run."""
        return self._outstanding

    def submit(self, job: Job, done: Done) -> None:
        """Run ``job`` on a thread, then ``done(result, error)`` on the loop. Called on the loop."""
        if self._closed:
            raise RuntimeError("The workers have been closed.")
        self._outstanding += 1
        self._jobs.put((job, done))
        if self._active is None:
            self._hand_over()
        if self._watch is None:
            self._watch = self._loop.call_later(HANDOVER_SECONDS, self._check)

    async def run(self, job: Job) -> Any:
        """The result of ``job``, run on a thread."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(awaitable_error(error))
            else:
                future.set_result(result)

        self.submit(job, done)
        return await future

    async def call(self, fn: Callable[[], Any]) -> Any:
        """The result of ``fn``, run on a thread, and then awaited on the loop when it is an awaitable."""
        result = await self.run(fn)
        if not inspect.isawaitable(result):
            return result
        try:
            return await result
        except (SystemExit, KeyboardInterrupt) as error:
            raise awaitable_error(error) from None

    async def close(self, grace: float = 5.0) -> int:
        """End all threads; give how many still run app code after ``grace`` seconds."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for thread in list(self._threads):
            thread.retire()
            self._jobs.put(None)
        until = monotonic() + grace
        while self._threads and monotonic() < until:  # noqa: ASYNC110 - threads tell no loop of their end
            await asyncio.sleep(0.01)
        return len(self._threads)

    def _check(self) -> None:
        self._watch = None
        active = self._active
        if active is not None and not self._jobs.empty() and active.held_up():
            self._hand_over()
        if self._outstanding:
            self._watch = self._loop.call_later(HANDOVER_SECONDS, self._check)

    def _hand_over(self) -> None:
        """Let a spare or a new thread take the jobs from here on."""
        with self._lock:
            if self._spare:
                successor, is_new = self._spare.pop(), False
            elif len(self._threads) < self._max_threads:
                successor, is_new = _Thread(self), True
                self._threads.add(successor)
            else:
                return
            previous, self._active = self._active, successor
            if previous is not None:
                previous.taking = False
            successor.taking = True
        if is_new:
            successor.start()
        else:
            successor.wake.release()

    def _finish(self, done: Done, result: Any, error: BaseException | None) -> None:
        self._results.append((done, result, error))
        with self._wake_lock:
            if self._wake_sent:
                return
            self._wake_sent = True
        try:
            self._loop.call_soon_threadsafe(self._drain)
        except RuntimeError:
            # The loop is closed: nobody is left to hear of this job
            return

    def _drain(self) -> None:
        with self._wake_lock:
            self._wake_sent = False
        while self._results:
            done, result, error = self._results.popleft()
            self._outstanding -= 1
            try:
                done(result, error)
            except Exception:
                # The others wait for their results too
                log.exception("The result of a job could not be taken in.")

    def _park(self, thread: _Thread) -> bool:
        """Whether ``thread``, which takes no jobs any more, is wanted again; waits to find out."""
        with self._lock:
            if self._closed:
                return False
            if self._active is None:
                # All threads were held up, so nobody could take over: this one goes on
                self._active = thread
                thread.taking = True
                return True
            self._spare.append(thread)
        if thread.wake.acquire(timeout=self._idle_seconds):
            return not self._closed
        with self._lock:
            if thread in self._spare:
                self._spare.remove(thread)
                return False
        thread.wake.acquire()
        return not self._closed

    def _ended(self, thread: _Thread) -> None:
        with self._lock:
            self._threads.discard(thread)
            if self._active is thread:
                self._active = None
        if self._on_thread_end is not None:
            self._on_thread_end()


class _Thread(threading.Thread):
    def __init__(self, workers: Workers) -> None:
        super().__init__(name=f"app-code-{len(workers._threads) + 1}", daemon=True)
        self.taking = False
        self.wake = threading.Semaphore(0)
        self._workers = workers
        self._since: float | None = None

    def held_up(self) -> bool:
        since = self._since
        return since is not None and monotonic() - since > HANDOVER_SECONDS

    def retire(self) -> None:
        self.wake.release()

    def run(self) -> None:
        try:
            while self.taking or self._workers._park(self):
                if not self._work():
                    return
        finally:
            self._workers._ended(self)

    def _work(self) -> bool:
        task = self._workers._jobs.get()
        if task is None:
            return False
        self._since = monotonic()
        job, done = task
        result, error = self._run_job(job)
        self._since = None
        self._workers._finish(done, result, error)
        return True

    def _run_job(self, job: Job) -> tuple[Any, BaseException | None]:
        self._tidy()
        try:
            return job(), None
        except BaseException as error:  # sys.exit() in app code must not end the thread
            return None, error
        finally:
            self._tidy()

    def _tidy(self) -> None:
        if self._workers._around is None:
            return
        try:
            self._workers._around()
        except Exception:
            log.exception("Tidying up around app code failed.")


def awaitable_error(error: BaseException) -> Exception:
    """The error as one that may be raised in a task: ``SystemExit`` there would end the loop, and with it the server.

    A future refuses ``StopIteration``, which would end the coroutine that awaits it silently.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"App code ended with {error!r}.")
