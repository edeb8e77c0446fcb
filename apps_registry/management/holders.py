"""Those who get and lose grants, as ``grant`` and ``revoke`` name them."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.core.management.base import CommandError

from ..models import Dataset, DatasetGrant, Grant, VizApp
from ..models.roles import ROLES
from .lookup import find_app, find_dataset, find_group, find_user

#: Roles that are granted on apps.
GRANTABLE = [name for name, role in ROLES.items() if role.granted_by]
#: Roles that are granted on data sets, by their words on the command line.
DATA_ROLES = {
    "view": DatasetGrant.Role.VIEWER,
    "publish": DatasetGrant.Role.PUBLISHER,
    "own": DatasetGrant.Role.OWNER,
}


@dataclass(frozen=True)
class Holder:
    """A user or a group; exactly one of the two."""

    user: Any = None
    group: Any = None

    def __str__(self) -> str:
        return f"group {self.group.name}" if self.group is not None else str(self.user.get_username())

    @property
    def columns(self) -> dict[str, Any]:
        """What names it in a grant."""
        return {"user": self.user, "group": self.group}


@dataclass(frozen=True)
class Asked:
    """What is to be granted or taken back: a role with an app or with a data set, which the word for it decides."""

    word: str
    thing: VizApp | Dataset

    @property
    def model(self) -> type[Grant | DatasetGrant]:
        """The model of such grants."""
        return Grant if isinstance(self.thing, VizApp) else DatasetGrant

    @property
    def role(self) -> str:
        """The role's name for ``permissions.may``."""
        return DATA_ROLES.get(self.word, self.word)

    def columns(self, holder: Holder) -> dict[str, Any]:
        """What the grant to ``holder`` consists of."""
        thing = "app" if isinstance(self.thing, VizApp) else "dataset"
        return {thing: self.thing, "role": self.role, **holder.columns}

    def __str__(self) -> str:
        return f"{self.word} on {self.thing.name}"


def add_arguments(parser: ArgumentParser) -> None:
    """Role, app or data set, users and groups."""
    apps = " ".join(f"{name}: {ROLES[name].help}" for name in GRANTABLE)
    data = " ".join(f"{word}: {role.help}" for word, role in DATA_ROLES.items())
    roles = f"With an app: {apps} With a data set: {data}"
    parser.add_argument("role", metavar="ROLE", choices=[*GRANTABLE, *DATA_ROLES], help=roles)
    parser.add_argument("name", metavar="NAME", help="The name of the app or of the data set.")
    for flag, metavar in (("--user", "USER"), ("--group", "GROUP")):
        parser.add_argument(
            flag,
            metavar=metavar,
            action="append",
            default=[],
            dest=f"{flag[2:]}s",
            help=f"A {flag[2:]}. May be given several times.",
        )


def read(options: dict[str, Any]) -> tuple[Asked, list[Holder]]:
    """What is asked for, and the holders that were named. Raises ``CommandError`` if one is not there."""
    if not options["users"] and not options["groups"]:
        raise CommandError("Say who: --user USER or --group GROUP.")
    word = options["role"]
    asked = Asked(word, (find_dataset if word in DATA_ROLES else find_app)(options["name"]))
    # A name may be given twice
    users = dict.fromkeys(map(find_user, options["users"]))
    groups = dict.fromkeys(map(find_group, options["groups"]))
    return asked, [*(Holder(user=user) for user in users), *(Holder(group=group) for group in groups)]
