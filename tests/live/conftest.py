"""Apps for the tests of the engine: written for one test, or taken from ``tests/apps``."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from bokeh.document import Document
from bokeh.events import ButtonClick

from apps_registry.live import loading
from apps_registry.live.importing import PREFIX
from apps_registry.live.loading import App, Code

SAMPLES = Path(__file__).parent.parent / "apps"


@pytest.fixture
def open_app(monkeypatch) -> Iterator[Callable[..., App]]:
    """``open_app(name, path, **options)`` makes an ``App`` that sees edits at once; all are closed at the end."""
    monkeypatch.setattr(loading, "LOOK_EVERY", 0.0)
    apps: list[App] = []

    def open_app(name: str, path: Path, **options) -> App:
        apps.append(App(name, path, **options))
        return apps[-1]

    before = app_modules()
    yield open_app
    for app in apps:
        app.close()
    assert app_modules() == before


@pytest.fixture
def write_app(open_app, tmp_path) -> Callable[..., App]:
    """``write_app(files)`` makes an app of a new directory with these files, ``{name: content}``.

    With ``main``, the app is that one file of the directory.
    """
    numbers = itertools.count()

    def write_app(files: dict[str, str], name: str = "app", main: str = "", **options) -> App:
        directory = tmp_path / str(next(numbers)) / "app"
        for file_name, content in files.items():
            write(directory / file_name, content)
        return open_app(name, directory / main, **options)

    return write_app


@pytest.fixture
def sample_app(open_app) -> Callable[..., App]:
    """``sample_app(name)`` is an app of ``tests/apps``."""
    return lambda name, **options: open_app(name, SAMPLES / name, **options)


@pytest.fixture
def build(open_app) -> Iterator[Callable[[Code], Document]]:
    """``build(code)`` is a document that the code has built; all are released at the end."""
    built: list[tuple[Code, Document]] = []

    def build(code: Code) -> Document:
        document = Document()
        built.append((code, document))
        code.build(document)
        return document

    yield build
    for code, document in built:
        code.release(document)


@pytest.fixture
def press() -> Callable[[Document, str], None]:
    """``press(document, name)`` clicks the button of that name."""

    def press(document: Document, name: str) -> None:
        document.callbacks.trigger_event(ButtonClick(document.get_model_by_name(name)))

    return press


def write(path: Path, content: str) -> None:
    """Write a file of an app, in such a way that it is seen as edited however fast the test is."""
    before = path.stat().st_mtime_ns if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(content), encoding="utf-8")
    if before is not None:
        os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def app_modules() -> set[str]:
    """The modules of apps that are loaded now."""
    return {name for name in sys.modules if name.startswith(PREFIX)}
