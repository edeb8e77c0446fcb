"""``manage.py newapp``: the beginning of an app."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...conf import settings

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

_MAIN = '''"""{title}: move the slider, and Python computes the curve anew."""

import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Slider
from bokeh.plotting import figure

x = np.linspace(0, 10, 200)
source = ColumnDataSource({{"x": x, "y": np.sin(x)}}, name="curve")

plot = figure(title="{title}", sizing_mode="stretch_width", height=350)
plot.line("x", "y", source=source, line_width=2)

frequency = Slider(name="frequency", title="Frequency", start=0.1, end=5, step=0.1, value=1)


def update(attr: str, old: float, new: float) -> None:
    source.data = {{"x": x, "y": np.sin(new * x)}}


frequency.on_change("value", update)

curdoc().title = "{title}"
curdoc().add_root(column(frequency, plot, sizing_mode="stretch_width"))
'''

_TEST = """from pathlib import Path

from apps_registry.testing import open_app


def test_the_slider_changes_the_curve() -> None:
    with open_app(Path(__file__).parent) as app:
        before = app.find("curve").data["y"].copy()
        app.set("frequency", value=2)
        app.wait()
        assert (app.find("curve").data["y"] != before).any()
"""


class Command(BaseCommand):
    """Writes a directory app that runs, with a test of it."""

    help = "Write the beginning of an app: a directory with main.py and a test. Nothing is overwritten."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name and place."""
        parser.add_argument("name", metavar="NAME", help="The app's name, which is also its address.")
        parser.add_argument(
            "--directory", metavar="DIR", help="Where to make it; by default the first of APP_DIRS."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the files."""
        name = options["name"]
        if not _NAME.fullmatch(name):
            raise CommandError("A name is made of letters, digits, - and _, and begins with a letter.")
        folder = self._directory(options["directory"]) / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise CommandError(f"{folder} exists already.") from None
        title = name.replace("_", " ").replace("-", " ").capitalize()
        (folder / "main.py").write_text(_MAIN.format(title=title), encoding="utf-8")
        (folder / "test_app.py").write_text(_TEST, encoding="utf-8")
        self.stdout.write(f"Made {folder}. See it: manage.py runbokeh --dev -- {folder}")

    def _directory(self, given: str | None) -> Path:
        if given:
            return Path(given)
        for directory in settings.APP_DIRS:
            return Path(directory)
        raise CommandError("APP_DIRS is empty; say where with --directory.")
