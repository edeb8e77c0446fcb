"""``manage.py guestlink``: addresses that open one app for whoever has them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone

from ...access import GUEST
from ...models import GuestLink
from ..lookup import find_app
from ..registry_command import RegistryCommand
from ..tables import local_time, text_table
from ..values import future, in_days

#: How long a link is valid unless told otherwise.
_DAYS = "7"
#: Letters of a key that a list shows, and the fewest that name one.
_SHOWN, _FEWEST = 8, 4


class Command(RegistryCommand):
    """Makes, lists and revokes guest links."""

    help = (
        "Make an address that opens one app for whoever has it, without a login, until it expires or is "
        "revoked; or list and revoke such addresses. The address alone goes to stdout."
    )
    examples = (
        "guestlink sales --days 3 --note 'board meeting' --base-url https://viz.example.org",
        "guestlink sales --expires 2026-12-24",
        "guestlink --list sales",
        "guestlink --revoke=Xk3fPq9a",
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do, and the link's properties."""
        parser.add_argument("name", metavar="NAME", nargs="?", help="The app's name.")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--list", action="store_true", help="List the links, of all apps or of NAME.")
        what.add_argument(
            "--revoke",
            metavar="KEY",
            help="Make a link void, and close the tabs that were opened by it. KEY is the address, its key, or "
            "the key's beginning. Write --revoke=KEY: a key may begin with a dash.",
        )
        until = parser.add_mutually_exclusive_group()
        until.add_argument(
            "--days",
            metavar="N",
            type=in_days,
            dest="expires",
            help=f"Days it is valid; by default {_DAYS}.",
        )
        until.add_argument(
            "--expires", metavar="DATE", type=future, help="Its last day, or '2026-12-24 18:00'."
        )
        parser.add_argument("--note", default="", help="Whom the link is for.")
        parser.add_argument(
            "--base-url", metavar="URL", default="", help="The site, like https://viz.example.org."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make, list or revoke."""
        if options["revoke"] is not None:
            if options["name"]:
                raise CommandError("Name the link alone: guestlink --revoke=KEY.")
            self._revoke(options["revoke"])
        elif options["list"]:
            self._list(options["name"])
        elif options["name"]:
            self._make(options)
        else:
            raise CommandError("Name the app that the link shall open, or say --list or --revoke=KEY.")

    def _make(self, options: dict[str, Any]) -> None:
        base = _base(options["base_url"])
        app = find_app(options["name"])
        link = GuestLink(app=app, note=options["note"], expires_at=options["expires"] or in_days(_DAYS))
        try:
            link.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        link.save()
        self.stdout.write(f"{base}{app.get_absolute_url()}?{urlencode({GUEST: link.key})}")
        self.note(
            f"It is valid until {local_time(link.expires_at)} {timezone.get_current_timezone_name()}; "
            f"revoke it with: manage.py guestlink --revoke={link.key[:_SHOWN]}"
        )
        if not base:
            self.note("This is the path; give the site with --base-url.")
        if not app.enabled:
            self.note(f"{app.name} is off, and the link opens it once it is on.")

    def _list(self, name: str | None) -> None:
        links = GuestLink.objects.select_related("app")
        if name is not None:
            links = links.filter(app=find_app(name))
        rows = [_cells(link) for link in links]
        if not rows:
            self.note("There are no guest links.")
            return
        for line in text_table(("KEY", "APP", "STATE", "EXPIRES", "MADE", "NOTE"), rows):
            self.stdout.write(line)

    def _revoke(self, given: str) -> None:
        link = _find(given)
        if link.revoked_at is not None:
            self.say(f"The link {link} was revoked already.")
            return
        link.revoked_at = timezone.now()
        link.save(update_fields=["revoked_at"])
        self.say(self.style.SUCCESS(f"The link {link} is void."))


def _base(url: str) -> str:
    if url and not _is_site(url):
        raise CommandError(f"{url} is no address of a site: write it like https://viz.example.org.")
    return url.rstrip("/")


def _is_site(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set("?#") & set(url)


def _find(given: str) -> GuestLink:
    """The link that ``given`` names: an address, a key, or its beginning. Raises ``CommandError``."""
    key = parse_qs(given.partition("?")[2]).get(GUEST, [given])[0]
    if len(key) < _FEWEST:
        raise CommandError(f"Give at least {_FEWEST} letters of the key.")
    # Some databases compare without regard to upper and lower case
    found = [
        link
        for link in GuestLink.objects.filter(key__startswith=key).select_related("app")
        if link.key.startswith(key)
    ]
    if not found:
        raise CommandError(f"There is no guest link {key}; see manage.py guestlink --list.")
    if len(found) > 1:
        raise CommandError(f"{len(found)} guest links begin with {key}; give more of the key.")
    return found[0]


def _cells(link: GuestLink) -> list[Any]:
    state = "revoked" if link.revoked_at else "valid" if link.is_valid else "expired"
    times = local_time(link.expires_at), local_time(link.created_at)
    return [link.key[:_SHOWN], link.app.name, state, *times, link.note]
