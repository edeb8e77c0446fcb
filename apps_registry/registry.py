"""The apps of this process, by name: what lies in the directories, joined with what the rows say."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from django.conf import settings as site
from django.db import Error, transaction
from django.utils import timezone

from .conf import settings
from .directories import BLANK, Found, look, name_problem, plain_source, printable, source_path
from .exceptions import AppLoadError, AppNotFound
from .live import blank
from .live.loading import App
from .models import VizApp

__all__ = [
    "BLANK",
    "Registry",
    "SyncReport",
    "find_row",
    "look",
    "named_row",
    "source_path",
    "sync",
]

log = logging.getLogger(__name__)

#: Seconds between two looks at the directories, so that new apps are found without a restart.
LOOK_EVERY = 1.0


@dataclass
class SyncReport:
    """What ``sync`` did: names of rows, and what is wrong, in sentences."""

    created: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def has_changed(self) -> bool:
        """Whether a row was made or changed."""
        return bool(self.created or self.missing or self.returned)


def named_row(name: str) -> VizApp:
    """The row of an app that stands in no database, because the settings name it: the setting ``ACCESS`` rules."""
    return VizApp(name=name, enabled=True, access=settings.ACCESS)


def find_row(name: str) -> VizApp | None:
    """The row of this name, from the database; of apps that the settings name, one made up."""
    if (settings.BLANK_APP and name == BLANK) or (settings.APPS is not None and name in settings.APPS):
        return named_row(name)
    if settings.APPS is not None or name_problem(name) is not None:
        return None
    return VizApp.objects.filter(name=name).first()


def sync(*, save: bool = True) -> SyncReport:
    """Make rows for apps that have none, and note which rows have lost their files or got them back.

    With ``save=False`` nothing is written. Rows of lost files keep their grants.
    """
    found = look()
    report = SyncReport(problems=found.problems)
    rows = {row.name: row for row in VizApp.objects.all()}
    taken = {plain_source(row.source) for row in rows.values()}
    for row in rows.values():
        _note_files(row, found, taken, report, save=save)
    taken = {plain_source(row.source) for row in rows.values()}
    for name, path in found.paths.items():
        if path.name in taken:
            continue
        if name in rows:
            if not PurePosixPath(rows[name].source).is_relative_to(path.name):
                report.problems.append(f"{path.name} would be {name}, which is the name of another app.")
        elif not save or _make(name, path.name):
            report.created.append(name)
    return report


def _make(name: str, source: str) -> bool:
    """Make a row, unless another process has done so at the same moment."""
    values = {"source": source, "enabled": site.DEBUG, "access": settings.ACCESS}
    return VizApp.objects.get_or_create(name=name, defaults=values)[1]


def _note_files(row: VizApp, found: Found, taken: set[str], report: SyncReport, *, save: bool) -> None:
    before = row.source, row.missing_since
    try:
        source_path(row)
        row.missing_since = None
    except AppLoadError as error:
        path = found.paths.get(row.name)
        if path is not None and path.name not in taken:
            # A script that has become a directory, or the other way round
            row.source, row.missing_since = path.name, None
        elif row.missing_since is None:
            row.missing_since = timezone.now()
            report.missing.append(row.name)
            report.problems.append(f"{row.name}: {error.summary}")
    if before[1] is not None and row.missing_since is None:
        report.returned.append(row.name)
    if save and before != (row.source, row.missing_since):
        _save(row)


def _save(row: VizApp) -> None:
    try:
        with transaction.atomic():
            row.save(update_fields=["source", "missing_since"])
    except Error:
        # Somebody may have deleted the row meanwhile
        if VizApp.objects.filter(pk=row.pk).exists():
            raise


class Registry:
    """Holds the rows, and one ``App`` for each whose files are there. Thread-safe; the rows are for reading only."""

    def __init__(self) -> None:
        self._apps: dict[str, App] = {}
        self._rows: dict[str, VizApp] = {}
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._is_stale = True
        self._complained: set[str] = set()
        #: Whether the rows could be read when they were last asked for
        self.is_current = False

    def apps(self) -> list[App]:
        """All apps whose files are there, in the order of their rows."""
        self._look()
        hidden = {BLANK} if settings.BLANK_APP else set()
        return [self._apps[name] for name in self._rows if name in self._apps and name not in hidden]

    def known(self, name: str) -> App | None:
        """The app of this name if that is known without asking disk or database."""
        return None if self._is_stale else self._apps.get(name)

    def get(self, name: str) -> App:
        """The app of this name; looks for it when need be. Raises ``AppNotFound``."""
        if (app := self.known(name)) is not None:
            return app
        self._look()
        if (app := self._apps.get(name)) is None:
            raise AppNotFound
        return app

    def row(self, name: str) -> VizApp | None:
        """The row of this name, as it was last read."""
        return self._rows.get(name)

    def origins(self) -> list[str]:
        """The other sites whose pages may show an app, of all rows together."""
        return [origin for row in self._rows.values() for origin in row.origins]

    def close(self) -> None:
        """Let the code of all apps go."""
        with self._lock:
            for app in self._apps.values():
                app.close()
            self._apps = {}

    def refresh(self) -> None:
        """Let the next question read the rows again."""
        self._is_stale = True

    def sync(self) -> None:
        """Make rows for new apps (see ``sync``), and log what is wrong."""
        if settings.APPS is None:
            try:
                self._complain(sync().problems)
            except Error as error:
                self._complain(
                    [f"The rows of the apps cannot be read: {error}. Is `manage.py migrate` done?"]
                )
        self.refresh()

    def _look(self) -> None:
        with self._lock:
            now = time.monotonic()
            is_due = self._looked is None or now - self._looked >= LOOK_EVERY
            if not (is_due or self._is_stale):
                return
            self._looked, self._is_stale = now, False
            if site.DEBUG and is_due and self._has_news():
                self.sync()
                self._is_stale = False
            rows, paths = self._read()
            gone = [app for name, app in self._apps.items() if paths.get(name) != app.path]
            for app in gone:
                del self._apps[app.name]
            for name in paths.keys() - self._apps.keys():
                self._apps[name] = App(name, paths[name], validate=site.DEBUG)
            self._rows = rows
        for app in gone:
            # Not under the lock: an app that is just being loaded closes only then
            app.close()

    def _has_news(self) -> bool:
        if settings.APPS is not None:
            return False
        taken = {plain_source(row.source) for row in self._rows.values()}
        return any(path.name not in taken for path in look().paths.values())

    def _read(self) -> tuple[dict[str, VizApp], dict[str, Path]]:
        named: dict[str, Path] = {}
        if settings.BLANK_APP:
            named[BLANK] = Path(blank.__file__)
        self.is_current = True
        if settings.APPS is not None:
            named |= {name: Path(settings.APPS[name]).absolute() for name in sorted(settings.APPS)}
            return {name: named_row(name) for name in named}, named
        rows = {name: named_row(name) for name in named}
        try:
            rows |= {row.name: row for row in VizApp.objects.exclude(name__in=rows)}
        except Error as error:
            self.is_current = False
            self._complain([f"The rows of the apps cannot be read: {error}. Is `manage.py migrate` done?"])
            return rows | self._rows, named | {name: app.path for name, app in self._apps.items()}
        for name in rows.keys() - named.keys():
            if (problem := name_problem(name)) is not None:
                self._complain([printable(f"The row {name} is left out: {problem}")])
                continue
            try:
                named[name] = source_path(rows[name])
            except AppLoadError as error:
                self._complain([f"{name}: {error.summary}"])
        return rows, named

    def _complain(self, problems: list[str]) -> None:
        """Log each problem once, however often it is met."""
        for problem in problems:
            if problem not in self._complained:
                self._complained.add(problem)
                log.error("%s", problem)
