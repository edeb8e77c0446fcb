"""The Python code of a notebook."""

from __future__ import annotations

import ast
import linecache
import logging
import re
from pathlib import Path
from typing import Any

from ..exceptions import AppLoadError

log = logging.getLogger(__name__)

#: IPython's own at the start of a line: ``%magic``, ``!command``, ``?help`` and ``help?``, ``x = !command``.
_IPYTHON_LINE = re.compile(r"(?P<indent>\s*)([%!?]|[\w.]+\?|[\w\s,]+=\s*[%!])")
#: Cell magics whose cell is Python for this process; the cell of any other is not.
_PYTHON_CELLS = {"capture", "prun", "time", "timeit"}


def read_notebook(path: Path) -> str:
    """The source of all code cells, one after the other, without IPython's magics.

    Raises ``AppLoadError`` when the file is no notebook or ``nbformat`` is not installed.
    """
    cells = (cell["source"] for cell in _cells(path) if cell["cell_type"] == "code")
    parts = [f"# In[{number}]:\n{_plain(cell, path.name)}\n" for number, cell in enumerate(cells, 1)]
    return "\n".join(parts)


def show_in_tracebacks(path: Path, source: str) -> None:
    """Let tracebacks show the lines of ``source``, which stand nowhere on disk, for those of ``path``."""
    linecache.cache[str(path)] = (len(source), None, source.splitlines(keepends=True), str(path))


def _cells(path: Path) -> list[Any]:
    try:
        from nbformat import convert, reader
    except ImportError:
        raise AppLoadError("Notebooks need nbformat: pip install vizserver[notebook]") from None
    try:
        # Not nbformat.read(), which also validates, and warns of much that does not matter here
        with path.open(encoding="utf-8") as file:
            return list(convert(reader.read(file), 4)["cells"])
    except Exception as error:
        raise AppLoadError(f"{path.name} is not a readable notebook.", detail=repr(error)) from None


def _plain(cell: str, file_name: str) -> str:
    if _is_python(cell):
        return cell
    lines = cell.splitlines()
    magic = re.match(r"\s*%%(\w+)", cell)
    if magic and magic[1] not in _PYTHON_CELLS:
        log.debug("%s: a cell of %%%%%s is left out.", file_name, magic[1])
        return "\n".join(f"# {line}" for line in lines)
    return "\n".join(_plain_line(line, file_name) for line in lines)


def _plain_line(line: str, file_name: str) -> str:
    match = _IPYTHON_LINE.match(line)
    if match is None:
        return line
    log.debug("%s: the line %r is left out.", file_name, line)
    return f"{match['indent']}pass  # {line.strip()}"


def _is_python(cell: str) -> bool:
    try:
        ast.parse(cell)
    except SyntaxError:
        return False
    return True
