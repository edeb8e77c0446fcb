"""What the source of an app tells without being run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import decode_source, find_spec
from pathlib import Path
from types import CodeType

from ..exceptions import AppLoadError
from .notebook import read_notebook, show_in_tracebacks

#: Files that hold Python code.
CODE_SUFFIXES = (".py", ".ipynb")

#: Code that decides how the page looks, or which scripts it needs beyond BokehJS itself.
_SHAPES_PAGE = re.compile(
    r"__implementation__|__javascript__|__css__|bokeh\.util\.compiler|\.template(_variables)?\s*[=\[.]"
)


@dataclass(frozen=True)
class Traits:
    """What was found in the code of an app.

    ``extensions`` are the packages it imports that bring BokehJS models; ``title`` is that of its documents.
    """

    shapes_page: bool
    extensions: frozenset[str]
    title: str | None


def scan(files: Iterable[Path], main: Path) -> Traits:
    """Look through the code among ``files``; what cannot be read or parsed is passed over."""
    shapes_page = False
    imported: set[str] = set()
    title = None
    for path in files:
        source, tree = _parsed(path)
        shapes_page = shapes_page or _SHAPES_PAGE.search(source) is not None
        imported |= _imported_names(tree)
        if path == main:
            title = _title(tree)
    extensions = frozenset(name for name in imported if _is_extension(name))
    return Traits(shapes_page or bool(extensions), extensions, title)


def imported_names(path: Path) -> set[str]:
    """The top-level names of all that a file imports; those of relative imports too."""
    return _imported_names(_parsed(path)[1])


def compile_main(path: Path) -> CodeType:
    """The code of a main file. Raises ``SyntaxError``, ``OSError``, and for a notebook ``AppLoadError``."""
    source = _read(path)
    if path.suffix == ".ipynb":
        show_in_tracebacks(path, source)
    return compile(source, str(path), "exec", dont_inherit=True)


def _read(path: Path) -> str:
    return read_notebook(path) if path.suffix == ".ipynb" else decode_source(path.read_bytes())


def _parsed(path: Path) -> tuple[str, ast.Module]:
    if path.suffix in CODE_SUFFIXES:
        try:
            source = _read(path)
            return source, ast.parse(source)
        except (OSError, SyntaxError, ValueError, AppLoadError):
            # The error is told when the file is imported or run, if it ever is
            pass
    return "", ast.Module([], [])


def _imported_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.update(alias.name.partition(".")[0] for alias in node.names)
    return names


def _title(tree: ast.AST) -> str | None:
    """The text that is assigned to ``curdoc().title``."""
    assignments = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    documents = {
        target.id
        for node in assignments
        if _is_curdoc(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in assignments:
        target = node.targets[0]
        if not isinstance(target, ast.Attribute) or target.attr != "title":
            continue
        owner = target.value
        if _is_curdoc(owner) or (isinstance(owner, ast.Name) and owner.id in documents):
            return node.value.value if _is_text(node.value) else None  # type: ignore[attr-defined]
    return None


def _is_curdoc(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "curdoc"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@cache
def _is_extension(name: str) -> bool:
    """Whether a top-level package brings BokehJS models; it is not imported to find out."""
    if name == "bokeh":
        return False
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    places = (spec and spec.submodule_search_locations) or ()
    return any(Path(place, "bokeh.ext.json").is_file() for place in places)
