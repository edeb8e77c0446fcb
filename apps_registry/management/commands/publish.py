"""``manage.py publish``: publish a file as a user."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError

from ...datasets.formats import FORMATS
from ...datasets.limits import size_text
from ...datasets.making import Upload, kind_of
from ...datasets.managing import to_publish
from ...datasets.publishing import publish
from ...exceptions import VizserverError, quoted
from ...models import Access, Dataset, DatasetVersion
from ...uploads import PLAIN, check_format
from ..lookup import find_user
from ..registry_command import RegistryCommand
from ..values import number


class Command(RegistryCommand):
    """Does what the API does, with the rights of the user who is named."""

    help = (
        "Publish a file as the newest version of a data set, with the rights of a user; a data set that is not "
        "there is made. A table is published as a whole or not at all, and open pages follow it. A file that is no "
        "table is kept as it is."
    )
    examples = (
        "publish orders.csv --name orders --as alice",
        "publish - --format json --name orders --as alice --append < today.json",
        "publish report.pdf --name report --as alice --access login --title 'The report'",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What is published, as what, and by whom."""
        formats = [*FORMATS, PLAIN]
        accesses = Access.values
        parser.add_argument("file", metavar="FILE", help="The file; - for the standard input.")
        parser.add_argument("--name", metavar="NAME", required=True, help="The name of the data set.")
        parser.add_argument("--as", metavar="USER", required=True, dest="user", help="Who publishes it.")
        parser.add_argument(
            "--format",
            metavar="|".join(formats),
            choices=formats,
            default="",
            help="The format, if the file's name does not show it; file: no table, to be kept as it is.",
        )
        parser.add_argument("--note", metavar="NOTE", default="", help="A sentence on this version.")
        parser.add_argument(
            "--append",
            action="store_true",
            help="Add the rows at the end of the newest version.",
        )
        parser.add_argument(
            "--expected",
            metavar="N",
            type=number,
            help="Only if the newest version is this one; 0: if there is none.",
        )
        parser.add_argument(
            "--create",
            action=BooleanOptionalAction,
            default=True,
            help="Whether to make a data set that is not there; it is, by default.",
        )
        parser.add_argument("--title", metavar="TITLE", help="Of a new data set: what people read.")
        parser.add_argument(
            "--access",
            metavar="|".join(accesses),
            choices=accesses,
            help="Of a new data set: who may see it: everybody, who is logged in, or who has a grant.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish."""
        user = find_user(options["user"])
        with _opened(options["file"]) as (source, filename):
            try:
                version = self._publish(source, filename, user, options)
            except VizserverError as error:
                raise CommandError(str(error)) from error
        self.say(self.style.SUCCESS(f"{version.dataset.name}: version {version.number}, {_size(version)}"))

    def _publish(self, source: BinaryIO, filename: str, user: Any, options: dict[str, Any]) -> DatasetVersion:
        format = options["format"]
        if not format and not filename:
            raise CommandError("Say what comes on the standard input: --format.")
        is_plain = format == PLAIN
        kind = Dataset.Kind.FILE if is_plain else kind_of(Upload(source, format, filename))
        asked = {name: options[name] for name in ("title", "access") if options[name] is not None}
        dataset = to_publish(options["name"], user=user, create=options["create"], kind=kind, **asked)
        check_format(dataset, format)
        version = publish(
            dataset,
            source,
            user=user,
            format="" if is_plain else format,
            filename=filename,
            note=options["note"],
            expected=options["expected"],
            append=options["append"],
        )
        for name, value in asked.items():
            if getattr(version.dataset, name) != value:
                self.note(f"{dataset.name} was there already: its {name} stays as it is.")
        return version


@contextmanager
def _opened(given: str) -> Iterator[tuple[BinaryIO, str]]:
    """The file and its name, which the standard input has not."""
    if given == "-":
        yield sys.stdin.buffer, ""
        return
    path = Path(given)
    try:
        file = path.open("rb")
    except OSError as error:
        raise CommandError(f"{given} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        # No system has files of such a name
        raise CommandError(f"{quoted(given)} is no path of a file.") from error
    with file:
        yield file, path.name


def _size(version: DatasetVersion) -> str:
    if version.rows is None:
        return f"{size_text(version.size)}, {version.media_type}"
    rows = "1 row" if version.rows == 1 else f"{version.rows:,} rows"
    columns = "1 column" if len(version.columns) == 1 else f"{len(version.columns)} columns"
    return f"{rows}, {columns}"
