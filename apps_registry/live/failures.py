"""What goes wrong in app code, as errors that can be kept and shown."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from ..exceptions import AppError, VizserverError
from .importing import is_app_code

_ENGINE = str(Path(__file__).parent)


def guarded[T](call: Callable[[], T], error: Callable[[BaseException, str], VizserverError]) -> T:
    """The result of a call into app code.

    What it raises, ``SystemExit`` too, becomes ``error(caught, traceback)``, raised without a link to
    the exception itself: an error that is kept would otherwise keep the app's frames and all in them.
    """
    try:
        return call()
    except (KeyboardInterrupt, AppError):
        raise
    except BaseException as caught:
        replacement = error(caught, describe(caught))
    raise replacement


def again[E: AppError](error: E) -> E:
    """The same error to be raised once more; one that is raised twice would gather frames of both times."""
    return type(error)(error.summary, detail=error.detail, reference=error.reference)


def do_all(steps: Iterable[Callable[[], object]]) -> None:
    """Take all steps, also when app code fails in one of them. Raises the first error."""
    errors: list[BaseException] = []
    for step in steps:
        try:
            step()
        except BaseException as error:
            errors.append(error)
    if errors:
        raise errors[0]


def in_one_line(error: BaseException) -> str:
    """What an exception is, and what it says, if it can."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def describe(error: BaseException) -> str:
    """The traceback of an exception from where it enters app code, without the engine's own frames."""
    start = _first_app_frame(error.__traceback__)
    if start is None and isinstance(error, SyntaxError):
        return "".join(traceback.format_exception_only(error)).rstrip()
    told = traceback.TracebackException(type(error), error, start or error.__traceback__, compact=True)
    _drop_engine(told)
    return "".join(told.format()).rstrip()


def _first_app_frame(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and not is_app_code(trace.tb_frame):
        trace = trace.tb_next
    return trace


def _drop_engine(told: traceback.TracebackException) -> None:
    kept = [frame for frame in told.stack if not _is_machinery(frame.filename)]
    if kept:
        told.stack = traceback.StackSummary.from_list(kept)
    for linked in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if linked is not None:
            _drop_engine(linked)


def _is_machinery(file_name: str) -> bool:
    return file_name.startswith((_ENGINE, "<frozen importlib"))
