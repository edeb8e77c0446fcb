"""Who is here: shared by all sessions, since the server imports this module once."""

import threading


class Visitors:
    """Counts sessions. Hooks and sessions may run in several threads, hence the lock."""

    def __init__(self) -> None:
        self.here: set[str] = set()
        self.total = 0
        self.lock = threading.Lock()

    def arrive(self, session_id: str) -> None:
        with self.lock:
            self.here.add(session_id)
            self.total += 1

    def leave(self, session_id: str) -> None:
        with self.lock:
            self.here.discard(session_id)

    def summary(self) -> str:
        with self.lock:
            return f"{len(self.here)} here now, {self.total} since the server started"


VISITORS = Visitors()
