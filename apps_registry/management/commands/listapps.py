"""``manage.py listapps``: the rows, and what is wrong with them."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Count, OuterRef, Subquery

from ...models import Failure, VizApp, VizAppQuerySet
from ...permissions import is_login
from ..lookup import find_user
from ..registry_command import RegistryCommand
from ..tables import local_time, text_table

Record = dict[str, Any]

_HEADS = ("NAME", "STATE", "ACCESS", "GRANTS", "TITLE", "LAST ERROR")
#: Columns of a row that are listed as they are.
_FIELDS = (
    "name",
    "title",
    "description",
    "source",
    "enabled",
    "access",
    "order",
    "max_sessions",
    "max_sessions_per_user",
    "idle_seconds",
    "unattended_seconds",
    "missing_since",
)


class Command(RegistryCommand):
    """Lists rows in the order of the catalogue."""

    help = (
        "List the apps of the registry: whether they are on, who may open them, how many grants there are, "
        "and the last error."
    )
    examples = ("listapps", "listapps --user alice", "listapps --problems --json")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which rows, and how."""
        viewer = parser.add_mutually_exclusive_group()
        viewer.add_argument("--user", metavar="USER", help="Only what this user may open.")
        viewer.add_argument(
            "--anonymous", action="store_true", help="Only what a visitor who is not logged in may open."
        )
        parser.add_argument(
            "--problems", action="store_true", help="Only apps that are missing or have an error on record."
        )
        parser.add_argument("--json", action="store_true", help="Write a JSON array with all that is known.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask once, then write."""
        records = _records(self._rows(options))
        if options["problems"]:
            records = [record for record in records if record["state"] == "missing" or record["last_error"]]
        if options["json"]:
            self.stdout.write(json.dumps(records, cls=DjangoJSONEncoder, indent=1))
        elif records:
            self._write_table(records)
        else:
            self.note(_why_empty(options))

    def _rows(self, options: dict[str, Any]) -> VizAppQuerySet:
        if options["anonymous"]:
            return VizApp.objects.visible_to(AnonymousUser())
        if options["user"] is None:
            return VizApp.objects.all()
        user = find_user(options["user"])
        if not is_login(user):
            self.note(f"{user.get_username()} may not log in, and opens what visitors open.")
        return VizApp.objects.visible_to(user)

    def _write_table(self, records: list[Record]) -> None:
        head, *lines = text_table(_HEADS, map(_cells, records))
        self.stdout.write(self.style.MIGRATE_HEADING(head))
        styles: dict[str, Callable[[str], str]] = {
            "on": str,
            "off": self.style.WARNING,
            "missing": self.style.ERROR,
        }
        for record, line in zip(records, lines, strict=True):
            self.stdout.write(styles[record["state"]](line))


def _records(rows: VizAppQuerySet) -> list[Record]:
    """What is known of each row, in two queries however many there are."""
    last = Failure.objects.filter(app=OuterRef("pk")).values("pk")[:1]
    counted = rows.annotate(grant_count=Count("grants"), last_failure=Subquery(last))
    # Counting makes Django forget the model's own order
    found: list[Any] = list(counted.order_by("order", "name"))
    failures = Failure.objects.in_bulk([row.last_failure for row in found if row.last_failure])
    return [_record(row, failures.get(row.last_failure)) for row in found]


def _record(row: Any, failure: Failure | None) -> Record:
    state = "missing" if row.missing_since else "on" if row.enabled else "off"
    known = {field: getattr(row, field) for field in _FIELDS}
    error = failure and {"reference": failure.reference, "summary": failure.summary, "at": failure.at}
    return {
        **known,
        "state": state,
        "embed_origins": row.origins,
        "grants": row.grant_count,
        "last_error": error,
    }


def _cells(record: Record) -> list[Any]:
    error = record["last_error"]
    told = f"{local_time(error['at'])} {error['summary']} ({error['reference']})" if error else ""
    return [record[key] for key in ("name", "state", "access", "grants", "title")] + [told]


def _why_empty(options: dict[str, Any]) -> str:
    if options["problems"]:
        return "No app is missing or has an error on record."
    if options["user"] or options["anonymous"]:
        return "There is no app to open."
    return "There are no apps: put some into a directory of APP_DIRS, and run `manage.py syncapps`."
