"""From the files of an app to its documents.

An ``App`` watches the files and holds their newest ``Code``. A ``Code`` is one state of the files, compiled
once, and run once per session in a module of its own. No lock is held while documents are built.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from itertools import count
from pathlib import Path
from time import monotonic
from types import ModuleType

from bokeh.core.has_props import HasProps
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from bokeh.model import Model
from bokeh.themes import Theme
from jinja2 import Environment, FileSystemLoader, Template

from ..exceptions import AppError, AppLoadError, DataRefused, VizserverError
from . import adapter, output
from .failures import again, guarded
from .hooks import Hooks
from .importing import AppImport, is_main
from .scanning import compile_main, scan
from .sources import Snapshot, Sources, discover

__all__ = ["App", "Code", "discover"]

log = logging.getLogger(__name__)

#: Files are looked at again at most this often, in seconds.
LOOK_EVERY = 0.5
#: An app that never loaded is tried again after this many seconds: it may lack what is no file of its own.
RETRY_AFTER = 5.0

_KEPT = "%s: the edited files do not load, so the code from before goes on serving. %s\n%s"


class App:
    """One registered app, for as long as the process lives.

    ``path`` is its directory or its one file. With ``reload``, edited files serve the next session; with
    ``validate``, each new document is checked by Bokeh, without it the first one of each code.
    """

    def __init__(self, name: str, path: Path, *, reload: bool = True, validate: bool = True) -> None:
        self.name = name
        self.path = path.absolute()
        #: What new sessions get; None as long as the app has never loaded
        self.code: Code | None = None
        #: Why the newest state of the files does not load
        self.error: AppLoadError | None = None
        self._reload = reload
        self._validate = validate
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._next_look = self._next_try = 0.0

    def load(self) -> Code:
        """The code of the files as they are now. Runs app code (hooks file, ``__init__.py``).

        Raises ``AppLoadError``, whose detail has the traceback; code from before goes on serving then.
        """
        with self._lock:
            return self._load()

    def current(self) -> Code:
        """The code for a new session, loaded anew when files were edited. May run app code, as ``load`` does.

        Raises ``AppLoadError`` only when the app has never loaded.
        """
        code = self.code
        if code is None:
            with self._lock:
                return self._refreshed()
        # Who comes while another thread loads is served at once, with what there is
        if self._reload and monotonic() >= self._next_look and self._lock.acquire(blocking=False):
            try:
                return self._refreshed()
            finally:
                self._lock.release()
        return code

    def look_again(self) -> None:
        """Let the next session look at the files, however short a time ago the last one did."""
        self._next_look = 0.0

    def close(self) -> None:
        """The app is served no more: its code is let go with the last session."""
        with self._lock:
            if self.code is not None:
                self.code.supersede()
            self.code = None

    def _refreshed(self) -> Code:
        self._next_look = monotonic() + LOOK_EVERY
        if self.code is None:
            if self.error is not None and monotonic() < self._next_try and not self._is_edited():
                raise again(self.error)
            return self._load()
        if self._reload and self._is_edited():
            try:
                return self._load()
            except AppLoadError as error:
                log.error(_KEPT, self.name, error, error.detail)
        return self.code

    def _is_edited(self) -> bool:
        return self._snapshot is None or self._snapshot.is_stale()

    def _load(self) -> Code:
        # Before the files are read: an edit in between is then seen as one
        self._snapshot = Snapshot(self.path)
        generation = 1 if self.code is None else self.code.generation + 1
        try:
            code = Code(self.name, self.path, generation, validate=self._validate)
        except AppLoadError as error:
            self.error = again(error)
            self._next_try = monotonic() + RETRY_AFTER
            raise
        superseded, self.code, self.error = self.code, code, None
        if superseded is not None:
            superseded.supersede()
        return code


class Code:
    """One state of an app's files, shared by all sessions made from it.

    ``package`` is the name under which the app's siblings stand in ``sys.modules``. Raises ``AppLoadError``.
    """

    def __init__(self, app_name: str, path: Path, generation: int, *, validate: bool = True) -> None:
        output.install()
        self.app_name = app_name
        self.path = path
        self.generation = generation
        sources = Sources(path)
        self._path = str(sources.main)
        self._main = _step(sources.main, lambda: compile_main(sources.main))
        self.theme = _read_theme(sources.theme)
        self.template = _read_template(sources.template)
        self.static_path = sources.static
        traits = scan(sources.files, sources.main)
        #: The title that the main file gives the document, if it says so in plain words
        self.title = traits.title
        #: Whether the page can only be rendered with a document that is built
        self.builds_for_page = self.template is not None or traits.shapes_page
        #: Imported packages that bring BokehJS models of their own
        self.extensions = traits.extensions
        init = str(sources.init) if sources.init else None
        self._import = AppImport(app_name, generation, str(sources.directory), init)
        self.package = self._import.package
        try:
            self.hooks = self._run_once(sources)
        except BaseException:
            self._close()
            raise
        self._validate_all = validate
        self._validated = False
        self._lock = threading.Lock()
        self._sessions = 0
        self._superseded = False
        self._mains: dict[Document, tuple[str, ModuleType]] = {}
        self._free_names: list[str] = []
        self._numbers = count()

    def _run_once(self, sources: Sources) -> Hooks:
        # FileFinder takes a directory's listing for good until its time stamp, which is coarse, has changed
        importlib.invalidate_caches()
        if sources.init is not None:
            _step(sources.init, self._import.run_init)
        else:
            self._import.open()
        if sources.hooks is None:
            return Hooks()
        name = f"{self.package}.{sources.hooks.stem}"
        module = _step(sources.hooks, lambda: importlib.import_module(name))
        return Hooks.of(vars(module), sources.hooks.name)

    def build(self, document: Document) -> None:
        """Fill ``document``: theme, template, then the main file in a module of its own.

        Raises ``AppError``, also for ``sys.exit()``, or ``DataRefused``; the document is of no use then.
        """
        try:
            guarded(lambda: self._build(document), _build_error)
        except BaseException:
            self.release(document)
            raise

    def _build(self, document: Document) -> None:
        if self.theme is not None:
            document.theme = self.theme
        if self.template is not None:
            document.template = self.template
        module = self._new_main(document)
        with patch_curdoc(document), output.output_ignored(self.app_name):
            exec(self._main, vars(module))  # noqa: S102 - the app itself
        if self._validate_all or not self._validated:
            document.validate()
            self._validated = True

    def _new_main(self, document: Document) -> ModuleType:
        with self._lock:
            # Names are used again, because each new one would stay in logging's table of loggers
            free = self._free_names
            name = free.pop() if free else self._import.main_name(next(self._numbers))
            module = ModuleType(name)
            self._mains[document] = name, module
        module.__file__ = self._path
        module.__spec__ = ModuleSpec(name, None, origin=self._path)
        module.__package__ = self.package
        vars(module)["__builtins__"] = self._import.builtins()
        # Bokeh finds the files of custom models, and pickle finds classes, by the name of their module
        sys.modules[name] = module
        return module

    def release(self, document: Document) -> None:
        """Forget the module that ``build`` made for ``document``, and the models defined in it."""
        with self._lock:
            name, module = self._mains.pop(document, (None, None))
        if name is None or module is None:
            return
        adapter.forget_models(name)
        sys.modules.pop(name, None)
        vars(module).clear()
        with self._lock:
            self._free_names.append(name)

    def models(self, document: Document) -> dict[str, type[HasProps]]:
        """The model classes that the app itself defines, as one session has them, by qualified name."""
        name, module = self._mains.get(document, (None, None))
        known = Model.model_class_reverse_map.values()
        own = [cls for cls in known if self._import.owns(cls.__module__) and not is_main(cls.__module__)]
        own += [cls for cls in known if cls.__module__ == name]
        # Bokeh's table has for each name the class that was defined last, maybe in another session
        own += [cls for cls in list(vars(module).values() if module else ()) if _is_model_of(cls, name)]
        return {cls.__qualified_model__: cls for cls in own}

    def attach(self) -> None:
        """One more session lives on this code."""
        with self._lock:
            self._sessions += 1
            self._import.open()

    def detach(self) -> None:
        """One session less lives on this code."""
        with self._lock:
            self._sessions -= 1
        self._close_if_unused()

    def supersede(self) -> None:
        """No new session gets this code: let it go with the last of those that have it."""
        self._superseded = True
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        with self._lock:
            if not self._superseded or self._sessions > 0:
                return
            self._close()

    def _close(self) -> None:
        self._import.close()
        known = {cls.__module__ for cls in Model.model_class_reverse_map.values()}
        for name in filter(self._import.owns, known):
            adapter.forget_models(name)


def _build_error(caught: BaseException, detail: str) -> VizserverError:
    if isinstance(caught, DataRefused):
        # No failure of the app: the viewer reads its words
        caught.__context__ = caught.__cause__ = None
        return caught.with_traceback(None)
    return AppError(detail=detail)


def _is_model_of(value: object, module_name: str | None) -> bool:
    return isinstance(value, type) and issubclass(value, HasProps) and value.__module__ == module_name


def _step[T](path: Path, call: Callable[[], T]) -> T:
    """The result of one step of loading; ``path`` is the file to be blamed for what it raises."""

    def error(caught: BaseException, detail: str) -> AppLoadError:
        if isinstance(caught, SyntaxError) and caught.filename and caught.lineno:
            place = f"{Path(caught.filename).name}, line {caught.lineno}"
            return AppLoadError(f"{place}: {caught.msg}.", detail=detail)
        return AppLoadError(f"{path.name} could not be loaded: {type(caught).__name__}.", detail=detail)

    return guarded(call, error)


def _read_theme(path: Path | None) -> Theme | None:
    return None if path is None else _step(path, lambda: Theme(filename=path))


def _read_template(path: Path | None) -> Template | None:
    if path is None:
        return None
    # As Bokeh does: an app's template places markup that Bokeh made, which must not be escaped
    environment = Environment(loader=FileSystemLoader(path.parent), autoescape=False)  # noqa: S701
    return _step(path, lambda: environment.get_template(path.name))
