"""The job: estimates pi by throwing darts at a square. The share that hits the circle is pi / 4.

It stands in a module of its own because a server may clear ``main.py`` when the session ends,
and the thread may outlive it by a round.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

ROUNDS = 100
PAUSE_S = 0.05

Report = Callable[[int, float], None]


class Job:
    """One session's job: at most one thread at a time, which never touches the document."""

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def start(self, darts: int, report: Report) -> None:
        """Begin in a new thread, which calls ``report(round, estimate)`` after each round."""
        self.stopping = threading.Event()
        arguments = (darts // ROUNDS, report, self.stopping)
        threading.Thread(target=throw, args=arguments, name="darts", daemon=True).start()

    def stop(self) -> None:
        """Ask the thread to end, which it does within one round."""
        self.stopping.set()

    def leave(self, session_context: Any) -> None:
        """For ``on_session_destroyed``."""
        self.stop()


def throw(darts_per_round: int, report: Report, stopping: threading.Event) -> None:
    rng = np.random.default_rng()
    hits = 0
    for number in range(1, ROUNDS + 1):
        x, y = rng.random((2, darts_per_round), dtype=np.float32)
        hits += int(np.count_nonzero(x * x + y * y <= 1))
        # The pause leaves the processor to other sessions, and ends at once when asked to stop.
        if stopping.wait(PAUSE_S):
            return
        report(number, 4 * hits / (number * darts_per_round))
