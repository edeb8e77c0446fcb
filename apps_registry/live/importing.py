"""Imports between the files of one app: its own code finds its siblings, and no other code does.

The modules of an app (main file, hooks, siblings) run with ``__builtins__`` of their own, in which
``__import__`` is an ``AppImport``. It looks for a sibling first, as Python does for a script, and imports
it as ``PACKAGE.NAME``. So two apps with a ``helpers.py`` each do not meet, nothing is put on ``sys.path``,
and importlib's locks, one per module, are the only ones held.
"""

from __future__ import annotations

import builtins
import importlib
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, module_from_spec
from types import CodeType, FrameType, ModuleType
from typing import Any, cast

#: How the names of all modules of apps begin; Bokeh knows its own by the same prefix.
PREFIX = "bokeh_app_"
_MAIN = ".main-"

_lock = threading.Lock()
_by_package: dict[str, AppImport] = {}
_used_names: set[str] = set()


class AppImport:
    """The import statement of one app's code.

    ``directory`` holds the siblings, which stand in ``sys.modules`` in a package ``bokeh_app_NAME_NUMBER``.
    The number is the first from ``number`` on that no app had before: what others keep by the name of a
    module, such as Bokeh its compiled models, never comes back for another state of the code.
    """

    def __init__(self, app_name: str, number: int, directory: str, init_file: str | None = None) -> None:
        self._directory = directory
        self._init_file = init_file
        self._builtins: dict[str, Any] = {}
        self._siblings: dict[str, bool] = {}
        self._importlib = _Importlib(self)
        identifier = "".join(c if c.isalnum() and c.isascii() else "_" for c in app_name)
        with _lock:
            if _finder not in sys.meta_path:
                # Before the finder of files, which would find siblings too, but leave them the usual builtins
                sys.meta_path.insert(0, _finder)
            while (package := f"{PREFIX}{identifier}_{number}") in _used_names:
                number += 1
            _used_names.add(package)
        self.package = package
        self._module = module_from_spec(self._package_spec())

    def _package_spec(self) -> ModuleSpec:
        loader = _SiblingLoader(self, self.package, self._init_file) if self._init_file else None
        spec = ModuleSpec(self.package, loader, origin=self._init_file, is_package=True)
        spec.submodule_search_locations = [self._directory]
        return spec

    def run_init(self) -> None:
        """Run the app's ``__init__.py``, if it has one. Raises what that raises."""
        self.open()
        loader = cast(ModuleSpec, self._module.__spec__).loader
        if isinstance(loader, _SiblingLoader):
            loader.exec_module(self._module)

    def open(self) -> None:
        """Let the app's siblings be imported, for the first time or again."""
        with _lock:
            _by_package[self.package] = self
            sys.modules[self.package] = self._module

    def close(self) -> None:
        """Take the app's modules out of ``sys.modules``."""
        with _lock:
            if _by_package.get(self.package) is not self:
                return
            del _by_package[self.package]
            for name in list(sys.modules):
                if self.owns(name):
                    del sys.modules[name]

    def owns(self, module_name: str) -> bool:
        """Whether a module is the app's package or stands in it."""
        return module_name == self.package or module_name.startswith(f"{self.package}.")

    def main_name(self, number: int) -> str:
        """The name for a module that the main file runs in; no import statement can ask for it."""
        return f"{self.package}{_MAIN}{number}"

    def builtins(self) -> dict[str, Any]:
        """The ``__builtins__`` for a module of the app that is about to run."""
        # Again for each module: libraries put names there, such as the ``_`` of gettext
        self._builtins.update({**vars(builtins), "__import__": self})
        return self._builtins

    def has_sibling(self, name: str) -> bool:
        """Whether the top-level module ``name`` is a file or directory beside the app's own."""
        known = self._siblings.get(name)
        if known is None:
            known = self._look_for(name)
            # A name that is neither here nor loaded may be a file that is yet to be written
            if known or name in sys.modules:
                self._siblings[name] = known
        return known

    def _look_for(self, name: str) -> bool:
        if name in sys.builtin_module_names:
            return False
        spec = PathFinder.find_spec(name, [self._directory])
        if spec is None:
            return False
        # A directory without __init__.py gives way to anything installed, as it does everywhere in Python
        return spec.loader is not None or (name not in sys.modules and find_spec(name) is None)

    def __call__(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What ``__import__`` is to the code of the app."""
        fromlist = fromlist or ()
        head = name.partition(".")[0]
        if level == 0 and self.has_sibling(head):
            module = builtins.__import__(f"{self.package}.{name}", globals, locals, fromlist)
            return module if fromlist else sys.modules[f"{self.package}.{head}"]
        module = builtins.__import__(name, globals, locals, fromlist, level)
        return self._importlib if module is importlib else module


def is_app_code(frame: FrameType) -> bool:
    """Whether a frame runs the code of an app, of its main file or of one beside it."""
    return isinstance(frame.f_builtins.get("__import__"), AppImport)


def is_main(module_name: str) -> bool:
    """Whether a module is one that a main file runs in, and thus belongs to one session."""
    return module_name.startswith(PREFIX) and _MAIN in module_name


class _Importlib(ModuleType):
    """``importlib`` for the code of one app: ``import_module("helpers")`` finds the sibling too."""

    def __init__(self, app_import: AppImport) -> None:
        super().__init__("importlib", importlib.__doc__)
        self._app_import = app_import

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        if not name.startswith(".") and self._app_import.has_sibling(name.partition(".")[0]):
            name = f"{self._app_import.package}.{name}"
        return importlib.import_module(name, package)


class _SiblingLoader(SourceFileLoader):
    def __init__(self, app_import: AppImport, name: str, path: str) -> None:
        super().__init__(name, path)
        self._app_import = app_import

    def get_code(self, fullname: str) -> CodeType:
        # Without bytecode files: those tell two states of a source apart by its size and whole seconds
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self.path
        vars(module)["__builtins__"] = self._app_import.builtins()
        super().exec_module(module)


class _SiblingFinder(MetaPathFinder):
    """Finds the siblings of all apps. Code that is already superseded finds a file as it is now."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None or not fullname.startswith(PREFIX):
            return None
        app_import = _by_package.get(fullname.partition(".")[0])
        if app_import is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _SiblingLoader(app_import, fullname, spec.loader.path)
            # Unplaced, so that servers which restart on an edit of any loaded file leave apps to us
            spec.has_location = False
        return spec


_finder = _SiblingFinder()
