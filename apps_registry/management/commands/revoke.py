"""``manage.py revoke``: take grants back."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...permissions import may
from .. import holders
from ..holders import Asked, Holder
from ..registry_command import RegistryCommand


class Command(RegistryCommand):
    """Takes back all of the grants that are there, and complains of the others."""

    help = (
        "Take grants back. It acts at once, also on open tabs. A grant that is not there is an error, but the "
        "others are taken back all the same; nothing is when one of the names is wrong."
    )
    examples = (
        "revoke open sales --user alice",
        "revoke open sales --group analysts --user bob",
        "revoke view orders --user alice",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Role, app or data set, users and groups."""
        holders.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Revoke."""
        asked, named = holders.read(options)
        absent = [holder for holder in named if not self._revoke(asked, holder)]
        if absent:
            raise CommandError(f"There is no grant {asked} for: {', '.join(map(str, absent))}.")

    def _revoke(self, asked: Asked, holder: Holder) -> bool:
        count, _ = asked.model.objects.filter(**asked.columns(holder)).delete()
        if count:
            self.say(self.style.SUCCESS(f"Revoked {asked} from {holder}."))
        if holder.user is not None and may(holder.user, asked.role, asked.thing):
            self.note(
                f"{holder} still has {asked}: by another grant, a group, its access, "
                "as its owner, or by a right for the whole site."
            )
        return bool(count)
