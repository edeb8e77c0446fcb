"""The files of an app: which there are, and whether they changed."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..exceptions import AppLoadError
from .hooks import HOOK_FILES
from .scanning import CODE_SUFFIXES, imported_names

MAIN_FILES = ("main.py", "main.ipynb")

#: Files that make an app what it is, besides its theme and templates.
_SUFFIXES = {*CODE_SUFFIXES, ".ts", ".js", ".css", ".less"}
_PASSED_OVER = {"__pycache__", "node_modules", "static"}

type _Stamp = tuple[int, int] | None


class Discovery(NamedTuple):
    """The apps of a directory by name, and by name why others in it are none."""

    apps: dict[str, Path]
    errors: dict[str, AppLoadError]


def discover(directory: Path) -> Discovery:
    """The apps in a directory: scripts, notebooks, and directories with a main file.

    Names that begin with ``_`` or ``.`` are no apps. Two apps of one name, and what cannot be read, are an
    error of that name only.
    """
    found: dict[str, list[Path]] = {}
    errors = {}
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        try:
            if not path.name.startswith(("_", ".")) and _is_app(path):
                found.setdefault(path.name if path.is_dir() else path.stem, []).append(path)
        except PermissionError:
            errors[path.name] = AppLoadError(f"{path.name} cannot be read: its permissions forbid it.")
    apps = {name: paths[0] for name, paths in found.items() if len(paths) == 1}
    errors |= {
        name: AppLoadError(f"There are {len(paths)} apps named {name}: {_listed(paths)}.")
        for name, paths in found.items()
        if len(paths) > 1
    }
    return Discovery(apps, errors)


def _is_app(path: Path) -> bool:
    own = [path] if path.suffix in CODE_SUFFIXES else []
    return any(_is_there(file) for file in (*own, *(path / name for name in MAIN_FILES)))


def _is_there(path: Path) -> bool:
    """Whether this is a file. Raises ``PermissionError`` when nobody may know."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        raise
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _listed(paths: list[Path]) -> str:
    return ", ".join(f"{path.name}/" if path.is_dir() else path.name for path in paths)


class Sources:
    """The files of one app, found by their names.

    ``path`` is the app's directory, or its one file. Raises ``AppLoadError`` when there is no main file,
    or more than one kind of hooks file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_directory = path.is_dir()
        #: Where the app's siblings lie
        self.directory = path if self.is_directory else path.parent
        main = self._first(*MAIN_FILES) if self.is_directory else path
        if main is None or not _is_file(main):
            wanted = " or ".join(MAIN_FILES) if self.is_directory else path.name
            raise AppLoadError(f"The app has no {wanted}.")
        #: The file that is run for each session
        self.main = main
        if all(self._first(name) for name in HOOK_FILES):
            raise AppLoadError(f"An app may have {' or '.join(HOOK_FILES)}, but not both.")
        self.hooks = self._first(*HOOK_FILES)
        self.init = self._first("__init__.py")
        self.theme = self._first("theme.yaml")
        self.template = self._first("templates/index.html")
        static = path / "static"
        self.static = static if static.is_dir() else None

    def _first(self, *names: str) -> Path | None:
        paths = (self.path / name for name in names) if self.is_directory else ()
        return next((path for path in paths if _is_file(path)), None)

    @cached_property
    def files(self) -> list[Path]:
        """All files that the app is made of."""
        return _files(self.path)


class Snapshot:
    """The state of an app's files at one moment, to be told from a later one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._take()

    def is_stale(self) -> bool:
        """Whether a file of the app was edited, came or went since.

        Looks at what was there; directories are listed again only when something in them came or went.
        """
        if all(_stamp(path) == stamp for path, stamp in (self._folders | self._files).items()):
            return False
        before = self._files
        self._take()
        return self._files != before

    def _take(self) -> None:
        self._folders = {path: _stamp(path) for path in _folders(self._path)}
        self._files = {path: _stamp(path) for path in _files(self._path)}


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _files(app: Path) -> list[Path]:
    if app.is_dir():
        return [file for folder in _folders(app) for file in _files_in(folder, app)]
    return _with_siblings(app)


def _folders(app: Path) -> list[Path]:
    folders = []
    for folder, names, files in app.walk():
        # A virtual environment is no part of an app that happens to stand around it
        inside = [] if "pyvenv.cfg" in files else names
        names[:] = sorted(name for name in inside if name not in _PASSED_OVER and name[0] != ".")
        folders.append(folder)
    return folders


def _files_in(folder: Path, app: Path) -> Iterator[Path]:
    is_template = folder.relative_to(app).parts[:1] == ("templates",)
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        # Gone since its name was read
        return
    for path in paths:
        if (is_template or path.suffix in _SUFFIXES or path.name == "theme.yaml") and _is_file(path):
            yield path


def _with_siblings(main: Path) -> list[Path]:
    """A script and the files beside it that it imports, and those that they import."""
    found: dict[Path, None] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = None
        for name in sorted(imported_names(path)):
            module = main.parent / f"{name}.py"
            waiting += [module] if module.is_file() else (main.parent / name).rglob("*.py")
    return list(found)
