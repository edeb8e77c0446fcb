"""``manage.py openings``: the audit."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q, QuerySet

from ... import audit
from ...models import Opening
from ..lookup import find_app, find_user
from ..registry_command import RegistryCommand
from ..tables import local_time, text_table
from ..values import past, positive

_HEADS = ("WHEN", "APP", "USER", "OUTCOME", "REASON", "DOOR", "FROM", "SITE", "FOR", "TIMES")
#: How many records a table shows unless told otherwise; exports are whole.
_TABLE_LIMIT = 100


class Command(RegistryCommand):
    """Lists openings and refusals, newest first."""

    help = "Show who opened which app, and who was refused: the audit, newest first."
    examples = (
        "openings --since 7d",
        "openings --app sales --refused",
        "openings --user alice --since 2026-11-01 --format csv > alice.csv",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which records, and how."""
        parser.add_argument("--app", metavar="NAME", help="Only of this app; it may be gone by now.")
        parser.add_argument("--user", metavar="USER", help="Only of this user, who may be gone by now.")
        parser.add_argument(
            "--since",
            metavar="AGE|DATE",
            type=past,
            help="Only what began since: 30m, 12h, 7d, 2w, a date, or '2026-12-24 18:00'.",
        )
        parser.add_argument("--refused", action="store_true", help="Only refusals.")
        parser.add_argument(
            "--format",
            choices=["table", "csv", "json"],
            default="table",
            help="table (the default), csv or json.",
        )
        parser.add_argument(
            "--limit",
            metavar="N",
            type=positive,
            help=f"Only the newest N. A table shows {_TABLE_LIMIT} unless told otherwise, csv and json all.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Select, then write."""
        found = _select(options)
        if options["format"] == "table":
            self._write_table(found, options["limit"] or _TABLE_LIMIT)
            return
        openings = found[: options["limit"]].iterator(chunk_size=2000)
        texts = audit.csv_text(openings) if options["format"] == "csv" else _json(openings)
        for text in texts:
            self.stdout.write(text)

    def _write_table(self, found: QuerySet[Opening], limit: int) -> None:
        openings = list(found[: limit + 1])
        if not openings:
            self.note("Nothing is on record.")
            return
        for line in text_table(_HEADS, map(_cells, openings[:limit])):
            self.stdout.write(line)
        if len(openings) > limit:
            self.note(f"These are the newest {limit} of {found.count()}; more with --limit.")


def _select(options: dict[str, Any]) -> QuerySet[Opening]:
    found = Opening.objects.all()
    if options["app"] is not None:
        found = found.filter(app_name=options["app"])
        if not found.exists():
            find_app(options["app"])
    if options["user"] is not None:
        found = found.filter(_of_user(options["user"]))
    if options["since"] is not None:
        found = found.filter(started_at__gte=options["since"])
    if options["refused"]:
        found = found.filter(outcome=Opening.Outcome.REFUSED)
    return found


def _of_user(name: str) -> Q:
    """The records of a user, also of one who is gone or had another name then. Raises ``CommandError``."""
    recorded = Q(username=name)
    try:
        return recorded | Q(user=find_user(name))
    except CommandError:
        if Opening.objects.filter(recorded).exists():
            return recorded
        raise


def _json(openings: Iterable[Opening]) -> Iterator[str]:
    """A JSON array, one record on a line, without holding all of it."""
    mark = "["
    for opening in openings:
        yield f"{mark}{json.dumps(audit.record(opening), cls=DjangoJSONEncoder)}"
        mark = ","
    yield "[]" if mark == "[" else "]"


def _cells(opening: Opening) -> list[Any]:
    seconds = audit.record(opening)["seconds"]
    return [
        local_time(opening.started_at),
        opening.app_name,
        opening.username or "-",
        opening.outcome,
        opening.reason,
        opening.door,
        opening.address or "",
        opening.origin,
        "" if seconds is None else timedelta(seconds=int(seconds)),
        opening.times,
    ]
