"""``manage.py bokehsecret``: the key with which Python clients open sessions."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ...tokens import client_key


class Command(BaseCommand):
    """Prints the key; whoever has it may open any session."""

    help = (
        "Print the key that bokeh.client needs: set it as BOKEH_SECRET_KEY, and BOKEH_SIGN_SESSIONS=yes. "
        "Whoever has it may open any app and name any session; a new SECRET_KEY makes it void."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key and nothing else."""
        self.stdout.write(client_key())
