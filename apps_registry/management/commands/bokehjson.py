"""``manage.py bokehjson``: an app's document as JSON."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...exceptions import AppError
from ...testing import open_app
from ..paths import app_path


class Command(BaseCommand):
    """Builds an app's document and writes it, as ``bokeh json`` does."""

    help = "Write the document of an app as JSON, as `bokeh json` does; buffers are inline."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """App, output, layout."""
        parser.add_argument("app", metavar="APP", help="A path, or the name of a registered app.")
        parser.add_argument("-o", "--output", metavar="FILE", help="Write to a file and not to the terminal.")
        parser.add_argument("--indent", metavar="N", type=int, help="Indent the JSON by N spaces a level.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Build, then write."""
        try:
            with open_app(app_path(options["app"])) as app:
                content = app.document.to_json(deferred=False)
        except AppError as error:
            raise CommandError(f"{error}\n{error.detail}") from None
        text = json.dumps(content, indent=options["indent"])
        if options["output"]:
            Path(options["output"]).write_text(text + "\n", encoding="utf-8")
        else:
            self.stdout.write(text)
