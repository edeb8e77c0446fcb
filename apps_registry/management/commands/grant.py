"""``manage.py grant``: let users and groups do something with an app or a data set."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from ...models import Access, Dataset, VizApp
from .. import holders
from ..holders import Asked
from ..registry_command import RegistryCommand


class Command(RegistryCommand):
    """Gives all of the grants, or none when a name is wrong."""

    help = (
        "Let users and groups do something with an app or a data set. It acts at once; what they have already is "
        "no error. Nothing is granted when one of the names is wrong."
    )
    examples = (
        "grant open sales --user alice --user bob",
        "grant open sales --group analysts",
        "grant manage sales --user alice",
        "grant view orders --user alice --group analysts",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Role, app or data set, users and groups."""
        holders.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Grant."""
        asked, named = holders.read(options)
        with transaction.atomic():
            made = [asked.model.objects.get_or_create(**asked.columns(holder))[1] for holder in named]
        for holder, is_new in zip(named, made, strict=True):
            self.say(
                self.style.SUCCESS(f"Granted {asked} to {holder}.")
                if is_new
                else f"{holder} has {asked} already."
            )
        self._note(asked)

    def _note(self, asked: Asked) -> None:
        thing = asked.thing
        if isinstance(thing, VizApp) and not thing.enabled and asked.role != "manage":
            self.note(f"{thing.name} is off: manage.py setapp {thing.name} --enable")
        elif thing.access != Access.GRANT and asked.role == "open":
            self.note(
                f"Others may {asked.word} {thing.name} too: its access is {thing.access}. {_remedy(thing)}"
            )


def _remedy(thing: VizApp | Dataset) -> str:
    if isinstance(thing, VizApp):
        return f"For grants only: manage.py setapp {thing.name} --access grant"
    return "Its owner can leave it to grants only."
