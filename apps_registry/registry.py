"""The apps of this process, by name."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from django.conf import settings as site

from .conf import settings
from .exceptions import AppNotFound
from .live import blank
from .live.loading import App, discover

log = logging.getLogger(__name__)

#: The name of the empty app.
BLANK = "blank"
#: Seconds between two looks at the directories, so that new apps are found without a restart.
LOOK_EVERY = 1.0


class Registry:
    """Finds apps in the directories of the settings, and holds one ``App`` for each. Thread-safe."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._problems: set[str] = set()

    def apps(self) -> list[App]:
        """All apps, by name."""
        self._look()
        return [self._apps[name] for name in sorted(self._apps) if name != BLANK]

    def known(self, name: str) -> App | None:
        """The app of this name if it was found before; touches no disk."""
        return self._apps.get(name)

    def get(self, name: str) -> App:
        """The app of this name; looks for it when need be. Raises ``AppNotFound``."""
        if name not in self._apps:
            self._look()
        app = self._apps.get(name)
        if app is None:
            raise AppNotFound
        return app

    def _look(self) -> None:
        with self._lock:
            now = time.monotonic()
            if self._looked is not None and now - self._looked < LOOK_EVERY:
                return
            self._looked = now
            paths = {name: path.absolute() for name, path in self._paths().items()}
            for name in [name for name, app in self._apps.items() if paths.get(name) != app.path]:
                self._apps.pop(name).close()
            for name in paths.keys() - self._apps.keys():
                self._apps[name] = App(name, paths[name], validate=site.DEBUG)

    def _paths(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        if settings.BLANK_APP:
            paths[BLANK] = Path(blank.__file__)
        if settings.APPS is not None:
            return paths | {name: Path(path) for name, path in settings.APPS.items()}
        for directory in settings.APP_DIRS:
            found = self._discover(Path(directory))
            for name in found.keys() & paths.keys():
                self._complain(f"There are two apps named {name}; the one in {directory} is left out.")
            paths = found | paths
        return paths

    def _discover(self, directory: Path) -> dict[str, Path]:
        try:
            apps, errors = discover(directory)
        except OSError as error:
            self._complain(f"The apps in {directory} cannot be read: {error.strerror}.")
            return {}
        for problem in errors.values():
            self._complain(problem.summary)
        return apps

    def _complain(self, problem: str) -> None:
        """Log a problem once, however often it is met."""
        if problem not in self._problems:
            self._problems.add(problem)
            log.error("%s", problem)
