"""``--dev``: a change of an app's files reloads the tabs that show it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import awatch

from .exceptions import AppReloaded
from .live.loading import App

if TYPE_CHECKING:
    from .runtime import Runtime

log = logging.getLogger(__name__)

_IGNORED = {"__pycache__", ".ipynb_checkpoints"}


async def watch(host: Runtime, others: Iterable[Path] = ()) -> None:
    """Watch the apps' files, and ``others`` that concern every app, until cancelled."""
    apps = await host.workers.run(host.registry.apps)
    roots = {app.path.resolve(): app for app in apps}
    extra = {path.resolve() for path in others}
    async for changes in awatch(*roots, *extra, debounce=200, step=50):
        changed = {Path(path) for _, path in changes if not _IGNORED.intersection(Path(path).parts)}
        for app in _concerned(roots, extra, changed):
            log.info("%s has changed; its tabs load again.", app.name)
            app.look_again()
            for session in host.pool.sessions(app.name):
                host.pool.end_soon(session, AppReloaded())


def _concerned(roots: dict[Path, App], extra: set[Path], changed: set[Path]) -> list[App]:
    if any(path == other or path.is_relative_to(other) for path in changed for other in extra):
        return list(roots.values())
    return [
        app
        for root, app in roots.items()
        if any(path == root or path.is_relative_to(root) for path in changed)
    ]
