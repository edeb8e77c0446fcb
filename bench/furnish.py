"""Makes our server's people and data sets, in its settings, and prints as JSON by what they are let in."""

from __future__ import annotations

import json
from typing import Any

import django
from django.conf import settings

from bench.table import REGIONS


def main() -> None:
    """Make them, once."""
    django.setup()
    from django.contrib.auth.models import Group, User

    from apps_registry.models import ApiToken, Dataset

    publisher = User.objects.create_superuser("publisher")
    Dataset.objects.create(
        name="rows", owner=publisher, access="login", row_rule="groups", row_column="region"
    )
    for name in ("curve", "text"):
        Dataset.objects.create(name=name, owner=publisher, access="public")
    viewer = User.objects.create_user("viewer")
    viewer.groups.add(Group.objects.create(name=REGIONS[0]))
    _, token = ApiToken.objects.issue(publisher, ["publish"])
    print(json.dumps({"token": token, "all": _cookie(publisher), "own": _cookie(viewer)}))


def _cookie(user: Any) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"


if __name__ == "__main__":
    main()
