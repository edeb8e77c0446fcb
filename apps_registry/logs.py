"""What app code prints and logs, told apart by app, session and user."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import Any, TextIO

from .live.context import current_session

log = logging.getLogger("apps_registry.app")


def describe() -> dict[str, str]:
    """App, session and user of the code that runs here, as the attributes of its log records."""
    session = current_session.get()
    if session is None:
        return {"viz_app": "-", "viz_session": "-", "viz_user": "-"}
    # The id opens the session for whoever has it, so the log gets the beginning only
    return {"viz_app": session.app_name, "viz_session": session.id[:8], "viz_user": str(session.user or "-")}


class _Prints(io.TextIOBase):
    """A ``sys.stdout`` that sends the lines of app code to the log, and all else where it went."""

    def __init__(self, original: TextIO) -> None:
        self._original = original
        self._busy = threading.local()

    def write(self, text: str) -> int:
        # A log handler may itself write to this stream
        if current_session.get() is None or getattr(self._busy, "logging", False):
            return self._original.write(text)
        self._busy.logging = True
        try:
            for line in text.splitlines():
                if line.strip():
                    log.info("%s", line)
        finally:
            self._busy.logging = False
        return len(text)

    def flush(self) -> None:
        self._original.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


def install(*, prints: bool) -> None:
    """Let log records carry ``viz_app``, ``viz_session`` and ``viz_user``; once per process.

    With ``prints``, what app code prints is logged as well.
    """
    factory = logging.getLogRecordFactory()
    if getattr(factory, "is_of_apps_registry", False):
        return

    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        record.__dict__.update(describe())
        return record

    make_record.is_of_apps_registry = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make_record)
    if prints:
        sys.stdout = _Prints(sys.stdout)
