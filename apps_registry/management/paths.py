"""Apps as people name them to a command: by a path, or by their name in the registry."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import CommandError

from ..directories import look
from ..exceptions import AppNotFound
from ..registry import Registry


def app_path(given: str) -> Path:
    """The directory or file of an app. Raises ``CommandError``."""
    path = Path(given)
    if path.exists():
        return path.resolve()
    try:
        return Registry().get(given).path
    except AppNotFound:
        pass
    # It need not have a row yet
    if (found := look().paths.get(given)) is not None:
        return found
    raise CommandError(f"There is neither a file nor a registered app {given}.")
