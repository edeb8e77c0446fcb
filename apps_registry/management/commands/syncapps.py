"""``manage.py syncapps``: rows for the apps that lie in the directories."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...models import VizApp
from ...registry import SyncReport, sync
from ..registry_command import RegistryCommand
from ..tables import printable


class Command(RegistryCommand):
    """Looks through ``APP_DIRS``, as every server does at its start."""

    help = (
        "Look through APP_DIRS: make a row for each app that has none, and note which apps have lost their "
        "files or got them back. New apps are off, unless DEBUG or --enable says otherwise."
    )
    examples = ("syncapps --dry-run", "syncapps --enable")

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do with new rows, and whether to do anything."""
        parser.add_argument("--enable", action="store_true", help="Switch the new apps on.")
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make and mark rows, then say what is wrong."""
        dry_run = options["dry_run"]
        report = sync(save=not dry_run)
        if options["enable"] and not dry_run:
            for row in VizApp.objects.filter(name__in=report.created, enabled=False):
                row.enabled = True
                row.save(update_fields=["enabled"])
        self._tell(report, dry_run=dry_run)
        problems = report.problems + _still_missing(report)
        for problem in problems:
            self.stderr.write(printable(problem))
        if problems:
            count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
            raise CommandError(f"{count}; everything else is done.")

    def _tell(self, report: SyncReport, *, dry_run: bool) -> None:
        would = "would be " if dry_run else ""
        switched = dict(VizApp.objects.filter(name__in=report.created).values_list("name", "enabled"))
        for name in report.created:
            state = {True: ", on", False: ", off", None: ""}[switched.get(name)]
            self.say(self.style.SUCCESS(f"{name}: {would}new{state}"))
        for name in report.returned:
            self.say(self.style.SUCCESS(f"{name}: {would}back"))
        for name in report.missing:
            self.say(self.style.WARNING(f"{name}: {would}missing"))
        if not report.has_changed:
            self.say("Nothing is new.")


def _still_missing(report: SyncReport) -> list[str]:
    """Problems that were told before and last; an app that is off may be missing."""
    lost = VizApp.objects.filter(missing_since__isnull=False, enabled=True)
    names = lost.exclude(name__in=[*report.missing, *report.returned]).values_list("name", flat=True)
    return [f"{name}: it is on, but its files are not there." for name in names]
