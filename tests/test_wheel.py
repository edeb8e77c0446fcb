"""The wheel: what is in it, and that another project runs on it alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from .foreign import ForeignSite
from .serving import ROOT

pytestmark = pytest.mark.slow

PACKAGE = "apps_registry"
#: What building needs, and what must not get into the wheel.
SOURCES = ("LICENSE", "README.md", "pyproject.toml", PACKAGE, "templates", "vizserver")


def pip(*words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def package_files() -> set[str]:
    """The files of the package in the working tree."""
    found = (path for path in (ROOT / PACKAGE).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, because building leaves things behind."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    (tree / "tests").mkdir()
    (tree / "tests" / "__init__.py").touch()
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "built", tree)
    [built] = (folder / "built").iterdir()
    return built


def python_with(wheel: Path, folder: Path, dependencies: Path) -> str:
    """A Python that has the wheel, and what it needs from a folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    return str(python)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> ForeignSite:
    """The foreign site on a Python that has the wheel, and its dependencies from where these tests have them."""
    folder = tmp_path_factory.mktemp("installed")
    python = python_with(wheel, folder / "venv", Path(sysconfig.get_path("purelib")))
    return ForeignSite(folder / "data", python, package=None)


def requirements(wheel: Path, extra: str) -> list[Requirement]:
    """What pip would install for this extra."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
    found = [Requirement(line) for line in metadata.get_all("Requires-Dist", ())]
    return [each for each in found if not each.marker or each.marker.evaluate({"extra": extra})]


def only(names: Iterable[str], folder: Path) -> Path:
    """A folder with these distributions and all that they need, and nothing else."""
    folder.mkdir()
    waiting, seen = [*names], set()
    while waiting:
        name = waiting.pop()
        if name.lower() in seen:
            continue
        seen.add(name.lower())
        found = distribution(name)
        for top in {path.parts[0] for path in found.files or () if ".." not in path.parts}:
            if top != "__pycache__":
                (folder / top).symlink_to(Path(str(found.locate_file(top))))
        needed = [Requirement(line) for line in found.requires or ()]
        waiting += [each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    return folder


def test_it_holds_the_package_whole_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    own = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    assert own == package_files()
    assert {f"{PACKAGE}/py.typed", f"{PACKAGE}/migrations/0001_initial.py"} <= own
    for folder in ("static", "templates", "management/commands"):
        assert any(name.startswith(f"{PACKAGE}/{folder}/") for name in own), folder
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_it_names_what_it_needs(wheel: Path):
    assert requirements(wheel, "") == []
    assert [each.name for each in requirements(wheel, "client")] == ["httpx"]
    needed = {each.name: each.specifier for each in requirements(wheel, "server")}
    assert {"bokeh", "channels", "Django", "uvicorn", "PyYAML", "pyarrow"} <= set(needed)
    assert all(distribution(name).version in versions for name, versions in needed.items())
    assert "5.2.0" in needed["Django"], "The long-term version serves, too."


def test_publishers_need_nothing_of_the_server(wheel: Path, tmp_path: Path):
    names = [each.name for each in requirements(wheel, "client")]
    python = python_with(wheel, tmp_path / "venv", only(names, tmp_path / "dependencies"))
    script = """
import sys
from apps_registry.client import Client, ClientError, Unreachable
with Client("http://127.0.0.1:9", "viz_token", tries=1) as client:
    try:
        client.publish("march", b"a,b\\n1,2\\n", filename="march.csv")
    except Unreachable as error:
        print(type(error).__name__)
    try:
        client.publish("march", [1, 2])
    except ClientError as error:
        print(error)
print({"django", "bokeh", "pyarrow"} & set(sys.modules))
"""
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "Unreachable",
        "A list is no table, no path and no bytes.",
        "set()",
    ], done


def test_a_site_without_the_part_of_the_server_is_told_what_to_install(wheel: Path, tmp_path: Path):
    python = python_with(wheel, tmp_path / "venv", only(["Django"], tmp_path / "dependencies"))
    script = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["apps_registry"])
django.setup()
"""
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60)
    [*_, last] = done.stderr.splitlines()
    assert last == (
        "django.core.exceptions.ImproperlyConfigured: The server's part of Vizserver is not installed; bokeh, "
        "channels, ninja, openpyxl, orjson, pyarrow, uvicorn, websockets, yaml cannot be found. "
        "Run: pip install 'vizserver[server]'"
    )


def test_another_project_runs_on_it(installed: ForeignSite):
    where = installed.manage(
        "shell", "--no-imports", stdin="import apps_registry; print(apps_registry.__file__)"
    )
    assert where.startswith(str(Path(installed.python).parents[1])), where
    installed.data.mkdir()
    assert "no issues" in installed.manage("check", "--fail-level", "WARNING")
    assert "No changes detected" in installed.manage("makemigrations", "--check")
    # Images are often built where there is no database
    installed.manage("collectstatic", "--no-input", "-v0")
    for name in ("apps_registry/page.js", "bokeh/js/bokeh.min.js"):
        assert (installed.data / "assets" / name).is_file()
    assert not (installed.data / "assets" / "apps").exists(), (
        "The files of apps are for those who may open them."
    )
    assert "apps_registry.0001_initial... OK" in installed.manage("migrate")
    installed.manage("migrate", "apps_registry", "zero", "-v0")
