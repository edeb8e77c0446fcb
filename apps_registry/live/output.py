"""``show()``, ``save()`` and their kind do nothing while an app is built, where they make no sense."""

from __future__ import annotations

import functools
import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

log = logging.getLogger(__name__)

_MODULES = ("bokeh.io", "bokeh.io.output", "bokeh.io.saving", "bokeh.io.showing", "bokeh.plotting")
_FUNCTIONS = ("output_file", "output_notebook", "reset_output", "save", "show")

_building: ContextVar[str | None] = ContextVar("building", default=None)
_lock = threading.Lock()
_installed = False


@contextmanager
def output_ignored(app_name: str) -> Iterator[None]:
    """Within it, Bokeh's output functions do nothing but write a line to the log."""
    token = _building.set(app_name)
    try:
        yield
    finally:
        _building.reset(token)


def install() -> None:
    """Put Bokeh's output functions behind a look at ``output_ignored``, once per process.

    Bokeh's own server swaps them to and fro for each session, which takes a lock on the whole process.
    """
    global _installed
    with _lock:
        if _installed:
            return
        _installed = True
        for module in map(importlib.import_module, _MODULES):
            for name in _FUNCTIONS:
                if hasattr(module, name):
                    setattr(module, name, _ignorable(getattr(module, name)))


def _ignorable(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        app_name = _building.get()
        if app_name is None:
            return function(*args, **kwargs)
        log.info("%s: the call of %s() is ignored while the app is built.", app_name, function.__name__)
        return None

    return call
