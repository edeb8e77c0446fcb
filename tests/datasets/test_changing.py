"""What owners change: each thing by itself, whatever others change meanwhile."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps_registry.datasets.changing import change
from apps_registry.datasets.sharing import group_named, share, unshare, user_named
from apps_registry.exceptions import BadArguments
from apps_registry.models import Dataset, DatasetGrant

from .publishers import send

pytestmark = pytest.mark.usefixtures("store")


@pytest.mark.parametrize("before", ["", "username"])
def test_two_changes_at_once_both_hold(sales: Dataset, ann: User, before: str):
    Dataset.objects.update(row_rule=before, row_column=before and "region")
    one, other = (Dataset.objects.get() for _ in range(2))
    change(one, ann, row_rule="groups", row_column="region")
    change(other, ann, title="Sales")
    now = Dataset.objects.get()
    assert (now.title, now.row_rule, now.row_column) == ("Sales", "groups", "region")


def test_a_rule_that_goes_leaves_no_column(sales: Dataset, ann: User):
    change(sales, ann, row_rule="groups", row_column="region")
    change(sales, ann, row_rule="")
    assert Dataset.objects.get().row_column == ""


def test_a_rule_that_fits_no_more_hinders_no_other_change(sales: Dataset, ann: User):
    Dataset.objects.update(row_rule="groups", row_column="gone")
    change(Dataset.objects.get(), ann, title="Sales", access="login")
    with pytest.raises(BadArguments, match="needs a column of text or integer"):
        change(Dataset.objects.get(), ann, row_rule="username")
    assert Dataset.objects.get().title == "Sales"


def test_only_roles_can_be_had(sales: Dataset, ann: User):
    bob = User.objects.create(username="bob")
    share(sales, ann, "publish", user=bob)
    with pytest.raises(BadArguments, match="There is no role 'viewer': the roles are open, publish, manage"):
        share(sales, ann, "viewer", user=bob)
    assert DatasetGrant.objects.get().role == "publish"


@pytest.mark.parametrize("find", [user_named, group_named])
@pytest.mark.parametrize("name", ["", "nobody", "a\0b", "x" * 500])
def test_names_that_nobody_has_are_told(store: object, find: object, name: str):
    with pytest.raises(BadArguments, match="There is no"):
        find(name)  # type: ignore[operator]


def test_sharing_writes_before_it_reads(sales: Dataset, ann: User):
    """SQLite, as Django sets it up, lets nobody write whose transaction has read what others changed since."""
    group = Group.objects.create(name="team")
    send(sales)
    with CaptureQueriesContext(connection) as queries:
        share(sales, ann, "open", group=group)
    within = [query["sql"] for query in queries]
    start = next(place for place, sql in enumerate(within) if sql.startswith("BEGIN"))
    assert within[start + 1].startswith("UPDATE")
    assert unshare(sales, ann, group=group)
