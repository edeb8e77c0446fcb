"""``manage.py checkapp``: does an app load, and does it build a session?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...exceptions import AppError
from ...testing import check_app
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
        try:
            checked = check_app(app_path(given))
        except AppError as error:
            self.stderr.write(f"{given}: {error.summary}\n{error.detail}")
            return False
        self.stdout.write(f"{given}: well. {checked}")
        return True
