"""``manage.py apitoken``: keys by which programs act for a user."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ...models import ApiToken
from ...models.keys import DATA_SCOPES, SCOPES, digest, idle_binding
from ..lookup import find_app, find_dataset, find_user
from ..registry_command import RegistryCommand
from ..tables import local_time, text_table
from ..values import in_days

#: How long a token is valid unless told otherwise.
_DAYS = "365"
_NEVER = "none"
#: The fewest letters that name a token.
_FEWEST = 8


class Command(RegistryCommand):
    """Makes, lists and revokes API tokens."""

    help = (
        "Make an API token, by which a program acts for a user within the scopes that are given; or list and revoke "
        "tokens. The token alone goes to stdout, once: only a hash of it is stored."
    )
    examples = (
        "apitoken alice --scope publish --dataset sales --note 'nightly export'",
        "apitoken alice --scope read --scope publish --days 30",
        "apitoken --list alice",
        "apitoken --revoke viz_Xk3fPq",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do, and the token's properties."""
        parser.add_argument("user", metavar="USER", nargs="?", help="The user for whom programs act by it.")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--list", action="store_true", help="List the tokens, of all users or of USER.")
        what.add_argument(
            "--revoke",
            metavar="START",
            help="Make a token void at once. START is how it begins, as the list shows it, or all of it.",
        )
        scopes = " ".join(f"{name}: {text}" for name, text in SCOPES.items())
        parser.add_argument(
            "--scope",
            action="append",
            choices=SCOPES,
            metavar="SCOPE",
            default=[],
            dest="scopes",
            help=f"What it may be used for. May be given several times. {scopes}",
        )
        parser.add_argument("--dataset", metavar="NAME", help="Only for this data set.")
        parser.add_argument("--app", metavar="NAME", help="Only for this app.")
        parser.add_argument(
            "--days",
            metavar="N",
            type=_expiry,
            default=_DAYS,
            dest="expires",
            help=f"Days it is valid, or '{_NEVER}' for good; by default {_DAYS}.",
        )
        parser.add_argument("--note", default="", help="What it is for.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make, list or revoke."""
        if options["revoke"] is not None:
            if options["user"]:
                raise CommandError("Name the token alone: apitoken --revoke START.")
            self._revoke(options["revoke"])
        elif options["list"]:
            self._list(options["user"])
        elif options["user"]:
            self._make(options)
        else:
            raise CommandError("Name the user for whom the token is, or say --list or --revoke START.")

    def _make(self, options: dict[str, Any]) -> None:
        scopes = options["scopes"]
        if not scopes:
            raise CommandError(f"Say what it is for: --scope {'|'.join(SCOPES)}.")
        user = find_user(options["user"])
        dataset = find_dataset(options["dataset"]) if options["dataset"] else None
        app = find_app(options["app"]) if options["app"] else None
        _check_use(scopes, dataset=dataset, app=app)
        try:
            token, text = ApiToken.objects.issue(
                user,
                scopes,
                note=options["note"],
                expires_at=options["expires"],
                dataset=dataset,
                app=app,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(text)
        until = local_time(token.expires_at) if token.expires_at else "it is revoked"
        self.note(f"It is valid until {until}; revoke it with: manage.py apitoken --revoke {token.start}")
        if not user.is_active:
            self.note(f"{user} is switched off, and the token serves once he is not.")

    def _list(self, name: str | None) -> None:
        tokens = ApiToken.objects.select_related("user", "dataset", "app")
        if name is not None:
            tokens = tokens.filter(user=find_user(name))
        rows = [_cells(token) for token in tokens]
        if not rows:
            self.note("There are no API tokens.")
            return
        heads = ("START", "USER", "SCOPES", "ONLY FOR", "STATE", "EXPIRES", "LAST USED", "NOTE")
        for line in text_table(heads, rows):
            self.stdout.write(line)

    def _revoke(self, given: str) -> None:
        token = _find(given)
        if not token.revoke():
            self.say(f"The token {token} was revoked already.")
            return
        self.say(self.style.SUCCESS(f"The token {token} is void."))


def _expiry(text: str) -> datetime | None:
    """When a token ends; None for never."""
    try:
        return None if text == _NEVER else in_days(text)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{str(error).removesuffix('.')}, nor '{_NEVER}'.") from None


def _check_use(scopes: list[str], *, dataset: Any, app: Any) -> None:
    """Refuse a token that would be good for nothing, or for less than it says."""
    match idle_binding(scopes, has_dataset=dataset is not None, has_app=app is not None):
        case "dataset":
            raise CommandError(f"--dataset goes with the scopes {', '.join(DATA_SCOPES)}.")
        case "app":
            raise CommandError("--app goes with the scope push.")


def _find(given: str) -> ApiToken:
    """The token that ``given`` names: all of it, or its beginning. Raises ``CommandError``."""
    tokens = ApiToken.objects.select_related("user")
    if (token := tokens.filter(digest=digest(given)).first()) is not None:
        return token
    if len(given) < _FEWEST:
        raise CommandError(f"Give at least {_FEWEST} letters of the token.")
    # Some databases compare without regard to upper and lower case
    found = [token for token in tokens.filter(start__startswith=given) if token.start.startswith(given)]
    if not found:
        raise CommandError("There is no such API token; see manage.py apitoken --list.")
    if len(found) > 1:
        raise CommandError(f"{len(found)} API tokens begin so; give all of it.")
    return found[0]


def _cells(token: ApiToken) -> list[Any]:
    things = [str(thing.name) for thing in (token.dataset, token.app) if thing is not None]
    times = [local_time(moment) if moment else "never" for moment in (token.expires_at, token.last_used_at)]
    scopes = ",".join(token.scopes)
    return [token.start, token.user, scopes, ", ".join(things), token.state, *times, token.note]
