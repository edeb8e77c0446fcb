"""The scripts that the page of one app needs beyond BokehJS: custom models and extension packages.

Bokeh gives each page those of all models in the process, and ends the process when one does not compile.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

from bokeh.core.has_props import HasProps
from bokeh.document import Document
from bokeh.model import Model
from bokeh.resources import Resources
from bokeh.util.compiler import CompilationError, bundle_models

from ..exceptions import AppError
from . import adapter
from .failures import again, guarded
from .importing import PREFIX, is_main
from .loading import Code
from .scanning import scan
from .sources import Sources

_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class Extension:
    """A built extension package: ``directory`` is to be served, ``script`` is the file in it to load."""

    name: str
    directory: Path
    script: str


@dataclass(frozen=True)
class PageScripts:
    """What a page needs for an app's models: extensions, URLs that models name, and compiled JavaScript."""

    extensions: tuple[Extension, ...] = ()
    script_urls: tuple[str, ...] = ()
    style_urls: tuple[str, ...] = ()
    compiled: str = ""


@dataclass
class _Compiled:
    """What was compiled for one code, by the names of the models: a text, or why there is none."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    results: dict[frozenset[str], str | AppError] = field(default_factory=dict)


_compiled: WeakKeyDictionary[Code, _Compiled] = WeakKeyDictionary()
_compiled_lock = threading.Lock()


def page_scripts(code: Code, document: Document) -> PageScripts:
    """The scripts for a document that ``code`` has built. Compiles once per code, which takes seconds.

    Raises ``AppError``, with the compiler's words as its detail.
    """
    used = {*code.models(document).values(), *(type(model) for model in document.models)}
    custom = {cls for cls in used if _is_custom(cls)}
    packages = code.extensions | {package for cls in used - custom if (package := _package(cls))}
    known = Model.model_class_reverse_map.values() if packages else ()
    extended = {cls for cls in known if _package(cls) in packages}
    linked = sorted(used | extended, key=lambda cls: cls.__qualified_model__)
    return PageScripts(
        tuple(_extensions(extended)),
        _urls(linked, "__javascript__"),
        _urls(linked, "__css__"),
        _compile_once(code, custom) if custom else "",
    )


def imported_extensions(path: Path) -> list[Extension]:
    """The extension packages that an app's files import; they are imported too, to learn where they lie.

    Raises ``AppError`` for a package that is not whole, ``ImportError`` for one that does not import.
    """
    sources = Sources(path)
    names = scan(sources.files, sources.main).extensions
    for name in names:
        importlib.import_module(name)
    return list(_extensions(cls for cls in Model.model_class_reverse_map.values() if _package(cls) in names))


def _package(cls: type[HasProps]) -> str | None:
    """The top-level package that a model comes from, unless that is Bokeh or an app."""
    name = cls.__view_module__.partition(".")[0]
    return None if name in ("bokeh", "__main__") or name.startswith(PREFIX) else name


def _extensions(used: Iterable[type[HasProps]]) -> Iterator[Extension]:
    one_of_each = {package: cls for cls in used if (package := _package(cls)) and not _is_custom(cls)}
    resources = Resources(mode="server", root_url="/")
    for package, cls in sorted(one_of_each.items()):
        for embed in guarded(partial(adapter.bundle_extensions, {cls}, resources), partial(_broken, package)):
            yield Extension(package, embed.artifact_path.parent, embed.artifact_path.name)


def _urls(models: Iterable[type[HasProps]], attribute: str) -> tuple[str, ...]:
    urls: dict[str, None] = {}
    for cls in models:
        value = getattr(cls, attribute, None) or ()
        urls.update(dict.fromkeys([value] if isinstance(value, str) else value))
    return tuple(urls)


def _is_custom(cls: type[HasProps]) -> bool:
    return getattr(cls, "__implementation__", None) is not None


def _compile_once(code: Code, models: set[type[HasProps]]) -> str:
    with _compiled_lock:
        compiled = _compiled.setdefault(code, _Compiled())
    # Each session has the models of the main file from a module with another name
    key = frozenset(
        cls.__qualname__ if is_main(cls.__module__) else f"{cls.__module__}.{cls.__qualname__}"
        for cls in models
    )
    with compiled.lock:
        result = compiled.results.get(key)
        if result is None:
            result = compiled.results[key] = _compile(models)
    if isinstance(result, AppError):
        raise again(result)
    return result


def _compile(models: set[type[HasProps]]) -> str | AppError:
    try:
        # Never with an empty list, which would stand for all models of all apps
        return guarded(lambda: bundle_models(list(models)) or "", _refused)
    except AppError as error:
        return again(error)


def _refused(caught: BaseException, detail: str) -> AppError:
    # Bokeh prints what the compiler says, and then calls sys.exit()
    cause = caught.__context__ if isinstance(caught, SystemExit) else None
    words = _COLOUR.sub("", str(cause)).strip() if isinstance(cause, CompilationError) else detail
    return AppError("A custom model of this app could not be compiled.", detail=words)


def _broken(package: str, _: BaseException, detail: str) -> AppError:
    return AppError(f"The scripts of the package {package} were not found.", detail=detail)
