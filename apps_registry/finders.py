"""Static files that are not Django's: BokehJS and its extension packages."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bokeh.embed.bundle import extension_dirs
from bokeh.settings import settings as bokeh_settings
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.files.storage import FileSystemStorage

from .conf import settings
from .directories import look
from .exceptions import AppError
from .live.extensions import imported_extensions

log = logging.getLogger(__name__)

#: Of BokehJS: what a browser loads, and the maps that tell where in the sources it came from.
_BOKEHJS_SUFFIXES = (".min.js", ".min.js.map", ".css")


class _Folder(FileSystemStorage):
    """A folder whose files appear under ``prefix``."""

    def __init__(self, prefix: str, location: Path) -> None:
        super().__init__(location=location)
        self.prefix = prefix


class BokehFinder(BaseFinder):
    """Finds ``bokeh/...`` and ``bokeh/extensions/NAME/...``.

    Not the files of an app's own ``static/``: a door gives them to whoever may open the app, and to nobody else.
    It asks no database: `collectstatic` often runs where there is none.
    """

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        """The absolute path of a static file, or ``[]``."""
        matches = []
        # Whoever asks for a file of an extension has a page of an app that has imported it
        loaded = [_Folder(f"bokeh/extensions/{name}", place) for name, place in extension_dirs.items()]
        for folder in [_bokehjs(), *loaded]:
            if not path.startswith(folder.prefix + "/"):
                continue
            name = path.removeprefix(folder.prefix + "/")
            if folder.exists(name) and Path(folder.path(name)).is_file():
                if not find_all:
                    return folder.path(name)
                matches.append(folder.path(name))
        return matches

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        """All static files, each with the storage that holds it."""
        patterns = [*(ignore_patterns or ())]
        extensions = dict(self._extensions())
        for folder in [_bokehjs(), *extensions.values()]:
            base = Path(folder.location)
            for file in sorted(base.rglob("*")):
                name = file.relative_to(base).as_posix()
                if not file.is_file() or matches_patterns(name, patterns):
                    continue
                if folder.prefix == "bokeh" and not name.endswith(_BOKEHJS_SUFFIXES):
                    continue
                yield name, folder

    def _extensions(self) -> Iterator[tuple[str, _Folder]]:
        """The extension packages that apps import, as far as they can be had."""
        paths = settings.APPS if settings.APPS is not None else look().paths
        for app, path in paths.items():
            try:
                found = imported_extensions(Path(path))
            except (AppError, ImportError) as error:
                log.warning("The extension packages of %s are left out: %s", app, error)
                continue
            for extension in found:
                prefix = f"bokeh/extensions/{extension.name}"
                yield extension.name, _Folder(prefix, extension.directory)


def _bokehjs() -> _Folder:
    return _Folder("bokeh", Path(bokeh_settings.bokehjs_path()))
