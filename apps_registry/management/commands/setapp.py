"""``manage.py setapp``: change a row."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ...models import Access, VizApp
from ..lookup import find_app
from ..registry_command import RegistryCommand
from ..tables import printable
from ..values import number_or_none


class _Field(NamedTuple):
    """An option that sets a column of the row."""

    flag: str
    name: str
    help: str
    kwargs: dict[str, Any]


_NUMBER = {"type": number_or_none, "metavar": "N|none"}
_SECONDS = {"type": number_or_none, "metavar": "SECONDS|none"}

_FIELDS = (
    _Field(
        "--access",
        "access",
        "Who may open it: everybody, who is logged in, or who has a grant.",
        {"choices": Access.values},
    ),
    _Field("--title", "title", "What people read; '' for what the app calls itself.", {}),
    _Field("--description", "description", "A sentence or two for the catalogue.", {}),
    _Field(
        "--order", "order", "Smaller numbers stand first in the catalogue.", {"type": int, "metavar": "N"}
    ),
    _Field("--max-sessions", "max_sessions", "Sessions of the app at the same time.", _NUMBER),
    _Field(
        "--max-sessions-per-user", "max_sessions_per_user", "Sessions of one user at the same time.", _NUMBER
    ),
    _Field(
        "--idle",
        "idle_seconds",
        "How long a session stays when nobody uses the tabs that show it; none: for good.",
        _SECONDS,
    ),
    _Field(
        "--unattended",
        "unattended_seconds",
        "How long a session stays when no tab shows it; none: as set for the site.",
        _SECONDS,
    ),
)
_FLAGS = {field.name: field.flag for field in _FIELDS} | {"embed_origins": "--embed-origin"}


class Command(RegistryCommand):
    """Sets columns of a row; those that are not named stay as they are, also if somebody else changes them."""

    help = (
        "Change the row of an app: switch it on or off, say who may open it, set its title and its limits. "
        "It acts at once, also on open tabs."
    )
    examples = (
        "setapp sales --enable --access login",
        "setapp sales --title 'Sales 2026' --idle 3600",
        "setapp sales --embed-origin https://www.example.org --embed-origin https://intra.example.org",
        "setapp sales --max-sessions none --no-embed-origins",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The row, and an option for each column; what is not given is not among the options."""
        parser.add_argument("name", metavar="NAME", help="The app's name.")
        switch = parser.add_mutually_exclusive_group()
        for flag, value, text in (
            ("--enable", True, "Switch it on."),
            ("--disable", False, "Switch it off."),
        ):
            switch.add_argument(
                flag, dest="enabled", action="store_const", const=value, default=SUPPRESS, help=text
            )
        for field in _FIELDS:
            parser.add_argument(
                field.flag, dest=field.name, default=SUPPRESS, help=field.help, **field.kwargs
            )
        origins = parser.add_mutually_exclusive_group()
        origins.add_argument(
            "--embed-origin",
            dest="embed_origins",
            action="append",
            metavar="ORIGIN",
            default=SUPPRESS,
            help="A site whose pages may show the app, like https://www.example.org. May be given several "
            "times; all together take the place of those before.",
        )
        origins.add_argument(
            "--no-embed-origins",
            dest="embed_origins",
            action="store_const",
            const=[],
            default=SUPPRESS,
            help="Let no other site show the app.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Set, check, save, and say what is other than before."""
        row = find_app(options["name"])
        wanted = {name: options[name] for name in ("enabled", *_FLAGS) if name in options}
        if not wanted:
            raise CommandError("Say what to change, such as --enable or --access login; see --help.")
        before = _set(row, wanted)
        if before:
            _check(row, set(before))
            row.save(update_fields=list(before))
        for name, value in before.items():
            self.say(f"{row.name}: {name}: {_shown(value)} -> {_shown(getattr(row, name))}")
        if not before:
            self.say(f"{row.name}: nothing to change.")
        self._warn(row)

    def _warn(self, row: VizApp) -> None:
        if not row.enabled:
            return
        if row.missing_since is not None:
            self.note(f"{row.name} is on, but its files are missing.")
        elif row.access == Access.GRANT and not row.grants.exists():
            self.note(
                f"{row.name} is on, but nobody has a grant: manage.py grant open {row.name} --user USER"
            )


def _set(row: VizApp, wanted: dict[str, Any]) -> dict[str, Any]:
    """Set what is other than before, and give what it was."""
    if (origins := wanted.pop("embed_origins", row.origins)) != row.origins:
        wanted["embed_origins"] = "\n".join(origins)
    before = {name: getattr(row, name) for name in wanted if getattr(row, name) != wanted[name]}
    for name in before:
        setattr(row, name, wanted[name])
    return before


def _check(row: VizApp, changed: set[str]) -> None:
    """Raise ``CommandError`` for values that cannot be; columns that stay as they are do not hinder."""
    unchanged = {field.name for field in row._meta.fields} - changed
    try:
        row.full_clean(exclude=unchanged)
    except ValidationError as error:
        told = [f"{_FLAGS.get(name, name)}: {' '.join(texts)}" for name, texts in error.message_dict.items()]
        raise CommandError(f"{' '.join(told)} Nothing was changed.") from None


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return printable(" ".join(str(value).split())) or "(empty)"
