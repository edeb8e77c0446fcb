"""Data sets of every kind and people of every kind, for the tests of the pages."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from typing import Any

from .serving import ROOT, Site

#: The data sets, all of alice: what is set in the row.
DATASETS: dict[str, dict[str, Any]] = {
    "open": {"access": "public"},
    "inside": {"access": "login"},
    "granted": {"access": "grant"},
    "regional": {"access": "grant", "row_rule": "groups", "row_column": "region"},
    "personal": {"access": "public", "row_rule": "username", "row_column": "who"},
    "letter": {"access": "grant", "kind": "file"},
    "empty": {"access": "public"},
}
#: Who there is: bob views, carol publishes, mona may make data sets, dora has no grant, gone is switched off.
PEOPLE = ("alice", "mona", "bob", "carol", "dora", "root", "gone")
GRANTS = {"bob": "open", "carol": "publish", "gone": "open"}
#: The rows of all tables.
CSV = "who,region,price\nbob,north,1.5\ndora,south,2.5\ncarol,north,\n"


def furnish() -> None:
    """Write people and data sets; whoever can log in has his name as the password."""
    from django.contrib.auth.models import Group, Permission, User

    from apps_registry.datasets.publishing import publish
    from apps_registry.models import Dataset, DatasetGrant

    there = {user.username: user for user in User.objects.all()}
    users = {name: there.get(name) or User.objects.create_user(name, password=name) for name in PEOPLE}
    User.objects.filter(username="root").update(is_superuser=True)
    User.objects.filter(username="gone").update(is_active=False)
    users["bob"].groups.add(Group.objects.create(name="north"))
    for name in ("alice", "mona"):
        users[name].user_permissions.add(Permission.objects.get(codename="publish_data"))
    for name, values in DATASETS.items():
        dataset = Dataset.objects.create(name=name, owner=users["alice"], title=f"Title of {name}", **values)
        for holder, role in GRANTS.items():
            DatasetGrant.objects.create(dataset=dataset, user=users[holder], role=role)
        if name == "letter":
            publish(dataset, BytesIO(b"Dear all"), user=users["alice"], filename="a letter.html")
        elif name != "empty":
            publish(dataset, BytesIO(CSV.encode()), user=users["alice"], format="csv")


_SCRIPT = "import django; django.setup(); from tests.data_world import furnish; furnish()"


def furnish_site(site: Site) -> None:
    """``furnish`` the database of a site that is to be served."""
    subprocess.run([sys.executable, "-c", _SCRIPT], env=site.env(), cwd=ROOT, check=True)
