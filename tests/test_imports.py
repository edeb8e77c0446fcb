"""The direction of imports, as DESIGN.md draws it: read from the sources, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from .serving import ROOT

PACKAGE = "apps_registry"

#: The rooms from the bottom to the top: each may import from those in the rows before its own.
ROOMS = [
    {"exceptions", "client"},
    {"live"},
    {"conf", "signals", "texts"},
    {"models"},
    {"migrations", "permissions", "audit", "thumbnails"},
    {"backends"},
    {"directories"},
    {"registry", "datasets"},
    {"tokens", "relay", "records"},
    {"changes", "model_changes", "presence"},
    {"data"},
    {"bearer", "uploads", "logs", "requests", "origins", "development", "shutdown"},
    {"login"},
    {"visits"},
    {"upkeep"},
    {"runtime"},
    {"access"},
    {"forms"},
    {"doors"},
]
#: What the doors consist of.
DOORS = {
    "admin",
    "answers",
    "api",
    "apps",
    "asgi",
    "checks",
    "consumers",
    "embedding",
    "finders",
    "management",
    "routing",
    "servers",
    "templatetags",
    "testing",
    "urls",
    "views",
}
#: The doors that may know of each other, and why.
BETWEEN_DOORS = {
    ("views", "embedding"),  # the page
    ("templatetags", "embedding"),  # the same in another site's page
    ("views", "answers"),  # what a refusal looks like
    ("embedding", "answers"),  # where a visitor of an embedded app logs in
    ("urls", "views"),  # wiring: an address and its view
    ("urls", "api"),
    ("routing", "consumers"),  # wiring: an address and its consumer
    ("asgi", "routing"),
    ("asgi", "api"),  # uploads are stopped while they come
    ("apps", "checks"),  # wiring: Django asks for both at its start
    ("apps", "admin"),
    ("management", "servers"),  # a command starts what it is named after
    ("management", "testing"),
    ("admin", "testing"),  # as `checkapp` does
}
#: Within ``live``, from the bottom to the top.
LIVE = [
    {"wire", "connection", "hooks", "turn", "output", "blank", "notebook", "scanning", "importing"},
    {"failures", "sources", "workers", "context"},
    {"adapter", "memory"},
    {"extensions", "loading", "protocol", "scheduling"},
    {"session"},
    {"pool"},
]
FOREIGN_TO_LIVE = {"asgiref", "channels", "daphne", "django", "rest_framework", "tornado", "uvicorn"}
BOKEH_INSIDE = "live.adapter."


@cache
def sources() -> dict[str, ast.Module]:
    """The syntax tree of each module of the package, by its name without the package's."""
    trees = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        trees[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


def imports(module: str, *, typing: bool = False) -> Iterator[str]:
    """The full names of what a module imports; with ``typing``, also what only type checkers read."""
    package = [PACKAGE, *module.split(".")]
    for node in nodes(sources()[module], typing=typing):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: -node.level] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def nodes(tree: ast.AST, *, typing: bool) -> Iterator[ast.AST]:
    """All nodes, without the bodies of ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        yield node
        if isinstance(node, ast.If) and not typing and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from nodes(node, typing=typing)


def own(module: str, *, typing: bool = False) -> set[str]:
    """The modules of the package that a module imports, without the package's name."""
    found = set()
    for name in imports(module, typing=typing):
        if not name.startswith(f"{PACKAGE}."):
            continue
        inner = name.removeprefix(f"{PACKAGE}.")
        # The last part may be a name in a module
        while inner and inner not in sources() and f"{inner}.__init__" not in sources():
            inner = inner.rpartition(".")[0]
        found.add(inner or "__init__")
    return found - {module}


def room(module: str) -> str:
    """The part of the package that a module belongs to."""
    return module.split(".")[0]


def within_live(module: str) -> str:
    """The part of the engine that a module belongs to."""
    return module.split(".")[1]


def floor(part: str) -> int:
    """The row of a part; raises ``StopIteration`` for one that has none."""
    name = "doors" if part in DOORS else part
    return next(number for number, row in enumerate(ROOMS) if name in row)


MODULES = [name for name in sources() if name != "__init__"]


def test_every_module_has_its_room():
    known = DOORS.union(*ROOMS)
    assert {room(module) for module in MODULES} <= known, "Say in this table where a new part belongs."
    inside = {within_live(name) for name in MODULES if name.startswith("live.")} - {"__init__"}
    assert inside <= set().union(*LIVE)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str):
    for other in own(module) - {"__init__"}:
        if room(other) == room(module):
            continue
        if room(module) in DOORS and room(other) in DOORS:
            assert (room(module), room(other)) in BETWEEN_DOORS, f"{module} imports the door {other}."
        else:
            assert floor(room(other)) < floor(room(module)), f"{module} imports {other}."


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("live.")])
def test_live_knows_neither_the_web_nor_what_stands_above_it(module: str):
    heads = {name.partition(".")[0] for name in imports(module, typing=True)}
    assert not heads & FOREIGN_TO_LIVE
    for name in imports(module, typing=True):
        # Bokeh's own server needs Tornado; its plain data classes of callbacks do not
        assert not name.startswith("bokeh.server") or name.startswith("bokeh.server.callbacks."), name
    assert {room(other) for other in own(module, typing=True)} <= {"live", "exceptions"}


@pytest.mark.parametrize(
    "module", [name for name in MODULES if name.startswith("live.") and name != "live.__init__"]
)
def test_within_live_imports_go_down(module: str):
    def height(name: str) -> int:
        return next(number for number, row in enumerate(LIVE) if within_live(name) in row)

    for other in own(module):
        if other.startswith("live."):
            assert height(other) <= height(module), f"{module} imports {other}."


def test_exceptions_import_nothing_of_ours():
    assert own("exceptions", typing=True) == set()


def test_only_the_runtime_and_the_testing_tools_know_the_pool():
    users = {module for module in MODULES if "live.pool" in own(module)}
    assert {room(module) for module in users} <= {"runtime", "testing"}


def test_no_circle():
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in done or module not in sources():
            return
        for other in sorted(own(module)):
            walk(other if other in sources() else f"{other}.__init__", (*path, module))
        done.add(module)

    for module in MODULES:
        walk(module, ())


def test_the_product_never_imports_the_site():
    for module in sources():
        assert not [name for name in imports(module, typing=True) if name.split(".")[0] == "vizserver"]


@pytest.mark.parametrize("module", [name for name in sources() if not name.startswith(BOKEH_INSIDE)])
def test_private_names_of_bokeh_stand_in_one_place(module: str):
    private = [
        name
        for name in imports(module, typing=True)
        if name.startswith("bokeh.") and any(is_private(part) for part in name.split("."))
    ]
    assert not private
    bokeh_names = names_from_bokeh(sources()[module])
    for node in ast.walk(sources()[module]):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            assert root_name(node) not in bokeh_names, f"{module}, line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("module", [name for name in sources() if not name.startswith(BOKEH_INSIDE)])
def test_no_private_part_of_a_document_is_touched(module: str):
    """Documents, and only they, go by the names ``document`` and ``doc``."""
    for node in ast.walk(sources()[module]):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = ast.unparse(node.value).rpartition(".")[2]
            assert owner not in ("document", "doc"), f"{module}, line {node.lineno}: {ast.unparse(node)}"


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def names_from_bokeh(tree: ast.Module) -> set[str]:
    """The names that a module gives to what it imports from Bokeh."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bokeh":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {
                (alias.asname or alias.name).split(".")[0]
                for alias in node.names
                if alias.name.split(".")[0] == "bokeh"
            }
    return names


def root_name(node: ast.Attribute) -> str:
    """The name that a chain of attributes begins with."""
    value: ast.expr = node
    while isinstance(value, ast.Attribute | ast.Call):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if isinstance(value, ast.Name) else ""


def test_the_site_imports_the_product_by_its_public_parts():
    public = {"asgi", "data", "finders", "models", "urls", "testing"}
    for path in sorted(Path(ROOT / "vizserver").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
                assert node.module.split(".")[1] in public, f"{path.name} imports {node.module}."
