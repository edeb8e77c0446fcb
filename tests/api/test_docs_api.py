"""The examples of ``docs/api.md`` do what is written beside them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps_registry import exceptions
from apps_registry.api.problems import problem

from .. import docs_blocks as docs
from .conftest import served_world
from .world import World

PAGE = docs.ROOT / "docs" / "api.md"
BLOCKS = [block for block in docs.blocks() if block.page == PAGE]
SALES = "day,region,price\n2026-03-01,north,10.5\n2026-03-02,south,11\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server of their own: others may have taken the names of the examples."""
    with served_world(tmp_path_factory.mktemp("examples")) as world:
        yield world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where there are the files that the examples publish."""
    for name in ("sales.csv", "prices.csv", "today.csv"):
        (tmp_path / name).write_text(SALES)
    return tmp_path


def of_this_server(text: str, world: World) -> str:
    return text.replace("https://viz.example.org", world.server.url).replace(
        "viz_...", world.tokens["mona/all"]
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl here.")
def test_the_commands_do_what_is_said(world: World, folder: Path):
    lines = [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines()]
    script = "\n".join(line for line in lines if not line.startswith("pip "))
    command = ["bash", "-euxc", of_this_server(script, world)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    sales = world.get("datasets/sales", "mona")
    assert (sales["title"], sales["access"], sales["row_rule"]["column"]) == ("Sales", "login", "region")
    assert sales["newest"]["number"] == 4
    assert [version["appended"] for version in world.get("datasets/sales/versions", "mona")["items"]][2]
    assert world.get("datasets/prices", "mona")["newest"]["number"] == 1
    assert (folder / "sales-now.csv").read_text().startswith('"day","region","price"\n')
    assert (folder / "sales.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=str)
def test_the_scripts_run(world: World, folder: Path, block: docs.Block):
    script = of_this_server(block.text, world)
    env = {**os.environ, "PYTHONPATH": str(docs.ROOT)}
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Somebody was faster: The data set is not as expected" in done.stdout
    assert (folder / "march.csv").exists()


def test_the_error_that_is_shown_is_what_comes(world: World, name: str):
    [shown] = [json.loads(block.text) for block in BLOCKS if block.language == "json"]
    columns = [{"name": "who", "type": "text"}, {"name": "price", "type": "number"}]
    world.put(name, "mona", "who,price\nbob,1.5\n")
    world.ask("PATCH", f"datasets/{name}", "mona", json={"columns": columns})
    assert world.put(name, "mona", "who,price\nbob,1\nzoe,cheap\n").json() == shown


def test_every_code_that_is_named_is_an_error_of_this_status():
    rows = re.findall(r"^\| ([\d, ]+) \| (`.+?`) \|", docs.section(PAGE, "## Errors"), re.MULTILINE)
    assert len(rows) > 10
    for statuses, codes in rows:
        # Of the address, and not of the error
        if (statuses, codes) not in (("404", "`BadArguments`"), ("405", "`BadArguments`")):
            for code in re.findall(r"\w+", codes):
                assert str(problem(getattr(exceptions, code)()).status_code) in statuses.split(", "), code
