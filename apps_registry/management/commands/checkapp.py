"""``manage.py checkapp``: does an app load, and does it build a session?"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...exceptions import AppError
from ...live import adapter
from ...testing import CallbackFailed, OpenedApp, open_app
from ..paths import app_path


class Command(BaseCommand):
    """Loads apps, builds a session of each without a browser, and says what came of it."""

    help = "Load apps and build a session of each, without a browser. The exit code is 1 when one fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The apps."""
        parser.add_argument("apps", metavar="APP", nargs="+", help="Paths, or the names of registered apps.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check each app; the exit code tells whether all are well."""
        failed = [given for given in options["apps"] if not self._check(given)]
        if failed:
            raise CommandError(f"Not well: {', '.join(failed)}.")

    def _check(self, given: str) -> bool:
        started = time.perf_counter()
        try:
            with open_app(app_path(given)) as app:
                self._report(given, app, time.perf_counter() - started)
        except AppError as error:
            self.stderr.write(f"{given}: {error.summary}\n{error.detail}")
            return False
        except CallbackFailed as error:
            self.stderr.write(f"{given}: a callback failed right after the start. {error}")
            return False
        return True

    def _report(self, given: str, app: OpenedApp, seconds: float) -> None:
        text, buffers = adapter.document_json(app.document)
        size = len(text) + sum(len(payload) for _, payload in buffers)
        models = len(list(app.document.models))
        self.stdout.write(
            f"{given}: well. {models} models, {size / 1000:,.0f} kB to a browser, "
            f"{seconds:.2f} s to load and build, {len(app.document.session_callbacks)} timed callbacks."
        )
