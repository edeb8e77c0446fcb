"""The wheel: what is in it, and that another project runs on it alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> ForeignSite:
    """The foreign site on a Python that has the wheel, and its dependencies from where these tests have them."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    pip("--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return ForeignSite(folder / "data", str(python), package=None)


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
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(archive.read(name).decode())
    needed = " ".join(metadata.get_all("Requires-Dist", ()))
    for requirement in ("bokeh>=3.10", "channels>=", "Django>=5.2", "uvicorn>="):
        assert requirement in needed.lower() or requirement in needed
    assert metadata["Requires-Python"] == ">=3.12"


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
