"""The docs are true: every block runs, every table is up to date, every link leads somewhere."""

from __future__ import annotations

import argparse
import asyncio
import configparser
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pyarrow as pa
import pytest
import yaml
from bokeh.command.subcommands.serve import Serve
from bokeh.events import ButtonClick
from bokeh.models import Button, Select, Slider, Spinner, TextInput
from csp.utils import build_policy
from django.core.management import get_commands, load_command_class
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import RequestFactory

from apps_registry import checks, conf
from apps_registry.management.options import OPTIONS, REPLACED
from apps_registry.models import VizApp
from apps_registry.testing import OpenedApp, connect, open_app, run_server
from apps_registry.testing.socket import token_of

from . import docs_blocks as docs
from .datasets import published
from .docs_blocks import PAGES, ROOT, Block
from .serving import MANAGE, Site, page_token, ws_url

#: Blocks that cannot be run. Whoever adds one has a good reason.
MAX_NOT_RUN = 3
#: The data set of those apps that need one.
DAYS = pa.table(
    {
        "day": [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 3)],
        "region": ["EU", "US", "EU"],
        "price": [10.5, 11.0, 12.5],
    }
)
#: Blocks of languages in which nothing is run: trees and output.
PLAIN = {"text"}
#: Other people's programs in console blocks.
PROGRAMS = {"cd", "curl", "django-admin", "export", "mkdir", "pip", "source", "uvicorn"}
USERS_PROGRAMS = {"pre-commit"}


# Tables, links, names


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=docs.page_id)
def test_tables_are_up_to_date(generate: ModuleType, page: Path):
    text = page.read_text(encoding="utf-8")
    assert generate.generated(text) == text, "Run `python docs/generate.py`."


def test_every_generated_table_stands_on_one_page(generate: ModuleType):
    found = [name for page in PAGES for name in re.findall(r"<!-- begin: (.+) -->", page.read_text())]
    assert sorted(found) == sorted(generate.TABLES)


def test_every_option_of_bokeh_serve_is_here_or_replaced():
    parser = argparse.ArgumentParser()
    Serve(parser)
    stock = {flag for action in parser._actions for flag in action.option_strings} - {"-h", "--help"}
    replaced = {name for names in REPLACED for name in names.split(", ")}
    here = {option.flag for option in OPTIONS}
    assert stock - here == replaced
    assert here & replaced == set()


def test_every_check_is_documented():
    table = docs.section(ROOT / "docs" / "settings.md", "## System checks")
    assert docs.table_column(table) == list(checks.FAULTS)


def test_every_variable_of_the_environment_is_documented():
    source = (ROOT / "vizserver" / "settings.py").read_text()
    read = set(re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', source))
    table = docs.section(ROOT / "docs" / "settings.md", "## The environment of this site")
    assert set(docs.table_column(table)) == read


def test_every_setting_that_a_page_names_exists():
    assert set(conf.SETTINGS) >= {
        word for page in PAGES for word in re.findall(r'APPS_REGISTRY\["([A-Z_]+)"\]', page.read_text())
    }


@pytest.mark.parametrize("page", PAGES, ids=docs.page_id)
def test_links_lead_somewhere(page: Path):
    for link in docs.links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in docs.anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=docs.page_id)
def test_named_files_exist(page: Path):
    own = {f"bokeh_apps/{name}{suffix}" for name in docs.app_names() for suffix in ("", "/", ".py")}
    folders = "apps_registry|bench|bokeh_apps|docs|tests|vizserver"
    for word in docs.code_words(page):
        if re.fullmatch(rf"({folders})/[\w./-]*", word) and word not in own:
            assert (ROOT / word).exists(), word


def test_the_index_names_every_page():
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(docs.links(ROOT / "docs" / "README.md"))


# Blocks that are not run, and those that are only read


def test_every_block_is_run_or_says_why_not():
    run = {"api", "app", "client", "embed", "policy", "settings", "site", "test"}
    left = docs.with_word("norun")
    assert all(len(block.words["norun"]) > 10 for block in left)
    assert len(left) <= MAX_NOT_RUN, [str(block) for block in left]
    for block in docs.blocks():
        known = run & block.words.keys() or block.language in {*PLAIN, *_READERS, "console", "sh"}
        assert known or block in left, f"{block}: nothing is done with this block"


_READERS = {
    "ini": lambda text: configparser.ConfigParser(interpolation=None).read_string(text),
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


@pytest.mark.parametrize("block", [b for b in docs.blocks() if b.language in _READERS], ids=str)
def test_configuration_can_be_read(block: Block):
    _READERS[block.language](block.text)


@pytest.mark.parametrize("block", docs.with_word("settings"), ids=str)
def test_settings_are_good_ones(block: Block, monkeypatch: pytest.MonkeyPatch, settings: Any):
    names: dict[str, Any] = {"BASE_DIR": ROOT, "INSTALLED_APPS": []}
    exec(block.text, names)
    settings.APPS_REGISTRY = names["APPS_REGISTRY"]
    assert [*checks.values.check_settings(), *checks.values.check_app_dirs()] == []


# Commands


@pytest.mark.parametrize("block", [b for b in docs.blocks() if b.language in ("console", "sh")], ids=str)
def test_commands_and_their_options_exist(block: Block):
    found = list(docs.console(block))
    assert found
    for command, _ in found:
        for part in command.split(" && "):
            _check_command(shlex.split(part, comments=True))


def _check_command(words: list[str]) -> None:
    match [word for word in words if not re.match(r"[A-Z_]+=", word)]:
        case ["python" | ".venv/bin/python", "manage.py", name, *rest]:
            load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(rest)
        case ["python", "-m", "pytest", *_]:
            pass
        case ["python", path]:
            assert (ROOT / path).is_file()
        case ["make", *targets]:
            known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(targets) <= set(known)
        case ["bokeh", "serve", *rest]:
            parser = argparse.ArgumentParser(exit_on_error=False)
            Serve(parser)
            parser.parse_args(rest)
        case [program, *_]:
            assert program in PROGRAMS | USERS_PROGRAMS, program


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({b.page for b in docs.with_word("run")}), ids=docs.page_id)
def test_commands_do_what_is_shown(page: Path, folder: Path, environment: dict[str, str]):
    for block in docs.with_word("run", "console"):
        if block.page != page:
            continue
        for command, shown in docs.console(block):
            words = [sys.executable if word == "python" else word for word in shlex.split(command)]
            done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            pattern = ".*".join(map(re.escape, shown.strip().split("...")))
            assert re.search(pattern, done.stdout, re.DOTALL), done.stdout


# Apps


_PYTEST_INI = f"""[pytest]
DJANGO_SETTINGS_MODULE = tests.settings
asyncio_default_fixture_loop_scope = function
asyncio_mode = auto
pythonpath = {ROOT}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory like that of the project, with the apps of the docs in ``bokeh_apps/``."""
    docs.write_apps(tmp_path / "bokeh_apps")
    (tmp_path / "manage.py").symlink_to(MANAGE)
    (tmp_path / "pytest.ini").write_text(_PYTEST_INI)
    return tmp_path


@pytest.fixture
def environment(folder: Path, site: Site) -> dict[str, str]:
    """The environment of commands in ``folder``."""
    own = {"APP_DIRS": str(folder / "bokeh_apps"), "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return site.env(debug=True) | own | {"DJANGO_SETTINGS_MODULE": "vizserver.settings"}


def _app_parameters() -> Iterator[Any]:
    for name in docs.app_names():
        words = docs.app_words(name)
        marks = [pytest.mark.django_db(transaction=True)] if words.keys() & {"data", "db"} else []
        yield pytest.param(name, dict(parse_qsl(words.get("query", ""))), marks=marks, id=name)


@pytest.mark.parametrize(("name", "arguments"), list(_app_parameters()))
def test_an_app_opens_and_all_its_widgets_can_be_used(
    name: str, arguments: dict[str, str], folder: Path, settings: Any
):
    if "data" in docs.app_words(name):
        settings.MEDIA_ROOT = str(folder / "media")
        published.put("sales", DAYS, access="public")
    with open_app(docs.app_path(folder / "bokeh_apps", name), arguments=arguments) as app:
        assert app.document.roots
        for model in list(app.document.models):
            _use(app, model)
            app.wait()


def _use(app: OpenedApp, model: Any) -> None:
    match model:
        case Button():
            app.send(ButtonClick(model))
        case Slider() | Spinner():
            app.set({"id": model.id}, value=model.value + 1)
        case TextInput():
            app.set({"id": model.id}, value="other")
        case Select():
            app.set({"id": model.id}, value=model.options[-1])


@pytest.mark.slow
async def test_all_apps_are_served_together(folder: Path, site: Site):
    compiled = {block.words["app"] for block in docs.with_word("app", "ts")}
    # In this database there are no data sets
    own = {name for name in docs.app_names() if "data" not in docs.app_words(name)}
    names = own if shutil.which("node") else own - compiled
    with site.serve(*(docs.app_path(folder / "bokeh_apps", name) for name in names)) as server:
        for name in names:
            token = page_token(server, name)
            if name not in compiled:  # whose models no Python client knows
                async with connect(ws_url(server, name), token) as tab:
                    assert tab.document.roots, name
        assert "Traceback" not in server.output, server.output


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({b.page for b in docs.with_word("test")}), ids=docs.page_id)
def test_the_tests_of_a_page_pass(page: Path, folder: Path, environment: dict[str, str]):
    written = [block for block in docs.with_word("test", "python") if block.page == page]
    for block in written:
        (folder / f"test_line_{block.line}.py").write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *sorted(folder.glob("test_line_*.py"))],
        cwd=folder,
        env=environment | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(block.text.count('def test_') for block in written)} passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("block", docs.with_word("client"), ids=str)
def test_a_client_script_runs_beside_a_server(block: Block, site: Site, tmp_path: Path):
    key = _manage(site, "bokehsecret")
    with site.serve("--blank", debug=True) as server:
        script = tmp_path / "client.py"
        script.write_text(block.text.replace("http://localhost:5006", server.url))
        env = os.environ | {"BOKEH_SECRET_KEY": key, "BOKEH_SIGN_SESSIONS": "yes", "BOKEH_BROWSER": "none"}
        done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in server.output, server.output


def _manage(site: Site, *words: str) -> str:
    command, env = [sys.executable, str(MANAGE), *words], site.env(debug=True)
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()


# Apps in pages


@pytest.mark.django_db
@pytest.mark.parametrize("block", docs.with_word("embed"), ids=str)
def test_a_page_with_apps_can_be_made(block: Block, rf: RequestFactory):
    for name in ("sales", "customer"):
        VizApp.objects.create(name=name, source=name, enabled=True, access="public")
    for page in _pages(block, rf.get("/report/")):
        assert re.search('<bokeh-app id="[^"]+" src="/apps/(sales|customer)', page), page
        assert "apps_registry/bokeh-app.js" in page


def _pages(block: Block, request: HttpRequest) -> list[str]:
    facts = {"customer": 7, "discount": 10}
    names: dict[str, Any] = {"request": request, "region": "EU", "years": [2025, 2026], "facts": facts}
    if block.language == "html":
        return [Template(block.text).render(Context(names))]
    exec(block.text, names)
    views = [value for name, value in names.items() if name.endswith("report")]
    assert views
    answers = [view(request) for view in views]
    return [answer.text if isinstance(answer, HttpResponse) else answer for answer in answers]


def test_both_policies_are_the_same():
    """The tests of embedded apps run under that of django-csp; see ``tests.rows_settings``."""
    of_django = pytest.importorskip("django.utils.csp", reason="needs Django 6")
    names: dict[str, Any] = {"MIDDLEWARE": []}
    for block in docs.with_word("policy", "python"):
        exec(block.text, names)
    one = of_django.build_policy(names["SECURE_CSP"], "x")
    other = build_policy(names["CONTENT_SECURITY_POLICY"]["DIRECTIVES"], nonce="x")
    assert set(one.split("; ")) == set(other.split("; "))
    assert len(names["MIDDLEWARE"]) == 2


# Another site


@pytest.fixture
def another_site(tmp_path: Path) -> Path:
    """A fresh Django project to which the blocks of the docs were added."""
    project = tmp_path / "project"
    project.mkdir()
    subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", str(project)], check=True)
    for block in docs.with_word("site"):
        path = project / block.words["site"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if "append" in block.words else "w") as file:
            file.write(f"\n{block.text}")
    docs.write_apps(project / "bokeh_apps")
    return project


@pytest.mark.slow
def test_apps_on_another_site(another_site: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(another_site)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    check = ["manage.py", "check", "--fail-level", "WARNING"]
    migrate = ["manage.py", "migrate", "--run-syncdb", "-v0"]
    for words in (["-c", "import mysite.asgi"], check, migrate):
        subprocess.run([sys.executable, *words], check=True)
    with run_server() as server:
        assert server.url.endswith("/viz")
        page = httpx.get(f"{server.url}/apps/hello").text
        assert "| My site</title>" in page
        origin = server.url.removesuffix("/viz")
        addresses = set(re.findall(r'(?:src|href)="(/[^"]+)"', page))
        assert "/static/bokeh/js/bokeh.min.js" in addresses
        for address in addresses:
            assert httpx.get(origin + address).status_code == 200, address
        for name in ("hello", "orders"):
            token = token_of(httpx.get(f"{server.url}/apps/{name}").text)
            asyncio.run(_opens(f"{server.ws_url}/apps/{name}/ws", token))


async def _opens(url: str, token: str) -> None:
    async with connect(url, token) as tab:
        assert len(tab.document.roots) == 1


def test_the_lines_of_the_readme_are_those_of_the_page():
    shown = next(b for b in docs.blocks() if b.page.name == "README.md" and "norun" in b.words)
    whole = "\n".join(block.text for block in docs.with_word("site"))
    lines = [line.strip() for line in shown.text.splitlines() if line and not line.startswith("#")]
    assert len(lines) >= 4
    for line in lines:
        assert line in whole, line
