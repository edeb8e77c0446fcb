"""Does an app load, and does it build a session?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..exceptions import AppError, DataRefused
from ..live import adapter
from ..live.failures import describe
from .inprocess import CallbackFailed, open_app


@dataclass(frozen=True)
class CheckedApp:
    """What a session of an app that is well consists of."""

    models: int
    #: Bytes of the document, as a browser gets it
    size: int
    seconds: float
    timed_callbacks: int

    def __str__(self) -> str:
        return (
            f"{self.models} models, {self.size / 1000:,.0f} kB to a browser, "
            f"{self.seconds:.2f} s to load and build, {self.timed_callbacks} timed callbacks."
        )


def check_app(path: str | Path, **options: Any) -> CheckedApp:
    """Load an app and build one session, without a browser; options are those of ``open_app``.

    Raises ``AppError``, whose detail is the traceback, also when a callback fails right after the start.
    """
    started = time.perf_counter()
    try:
        with open_app(path, **options) as app:
            seconds = time.perf_counter() - started
            text, buffers = adapter.document_json(app.document)
            return CheckedApp(
                models=len(list(app.document.models)),
                size=len(text) + sum(len(payload) for _, payload in buffers),
                seconds=seconds,
                timed_callbacks=len(app.document.session_callbacks),
            )
    except DataRefused as error:
        failed = AppError(f"It wants data that nobody gets who is not logged in: {error}")
    except CallbackFailed as error:
        failed = AppError(
            "A callback failed right after the start.", detail=describe(error.__cause__ or error)
        )
    raise failed
