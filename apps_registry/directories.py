"""What lies in the directories of ``APP_DIRS``, and where the files of a row are."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from django.core.exceptions import ValidationError

from .conf import settings
from .exceptions import AppLoadError
from .live.loading import discover
from .models import VizApp

#: The name of the empty app.
BLANK = "blank"


@dataclass
class Found:
    """The apps in the directories: the path of each by its name, and what is wrong, in sentences."""

    paths: dict[str, Path] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def look() -> Found:
    """What lies in the directories of ``APP_DIRS``."""
    found = Found()
    for directory in map(Path, settings.APP_DIRS):
        try:
            if not directory.is_dir():
                found.problems.append(f"There is no directory {directory}, where apps should be.")
                continue
            apps, errors = discover(directory)
        except OSError as error:
            found.problems.append(f"The apps in {directory} cannot be read: {error.strerror}.")
            continue
        found.problems += [printable(problem.summary) for problem in errors.values()]
        for name, path in apps.items():
            if (problem := _why_not(name, path, found)) is None:
                found.paths[name] = path
            else:
                found.problems.append(printable(problem))
    return found


def _why_not(name: str, path: Path, found: Found) -> str | None:
    """Why the app in ``path`` is left out, if it is."""
    if name in found.paths:
        return f"There are two apps named {name}; the one in {path.parent} is left out."
    if settings.BLANK_APP and name == BLANK:
        return f"The app {name} is left out: BLANK_APP gives its address to the empty app."
    if (problem := name_problem(name)) is not None:
        return f"The app {path.name} is left out: {problem}"
    if not _is_within(path):
        return f"The app {name} is a link that leads out of the directories of apps."
    return None


def name_problem(name: str) -> str | None:
    """Why ``name`` can be that of no row."""
    try:
        VizApp._meta.get_field("name").run_validators(name)
    except ValidationError as error:
        return str(error.messages[0])
    # Neither addresses nor databases take the names of files that are no text
    return None if name and name.isprintable() else "Its name has characters that are no text."


def printable(text: str) -> str:
    """A text that every log and terminal takes, whatever files are named."""
    return text.encode(errors="backslashreplace").decode()


def source_path(row: VizApp) -> Path:
    """Where the files of a row lie. Raises ``AppLoadError`` when they are nowhere, or outside ``APP_DIRS``."""
    message = "The files of this app are not there."
    for directory in map(Path, settings.APP_DIRS):
        path = (directory / row.source).absolute()
        try:
            path.stat()
        except PermissionError:
            message = "The files of this app cannot be read: their permissions forbid it."
        except (OSError, ValueError):
            # ValueError: what no file can be named
            continue
        else:
            if not _is_within(path):
                raise AppLoadError("The files of this app lie outside the directories of apps.")
            return path
    raise AppLoadError(message)


def _is_within(path: Path) -> bool:
    real = _real(path)
    roots = [_real(directory) for directory in settings.APP_DIRS]
    return any(real != root and real.is_relative_to(root) for root in roots)


def _real(path: str | Path) -> Path:
    # Path.resolve() may fail over links in a circle
    return Path(os.path.realpath(path))


def plain_source(source: str) -> str:
    """A source as a found app would have it, however it was written: ``./sales/`` is ``sales``."""
    return str(PurePosixPath(source))
