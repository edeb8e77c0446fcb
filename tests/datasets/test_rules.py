"""Row rules: no row that a rule refuses comes out, whatever is asked."""

from __future__ import annotations

from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from django.contrib.auth.models import AnonymousUser, Group

from apps_registry.data import MayNotSee, open_dataset
from apps_registry.datasets.rules import NOTHING, RowFilter, row_filter, visible
from apps_registry.models import Dataset, DatasetGrant

from .published import SALES, change, grant, publisher, put, user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folders")]

NAMES = ["ann", "bob", "Ann", "1", "01"]
GROUPS = ["EU", "US", "eu", "EU ", "1", "ann"]


def rows(name: str = "sales", person: Any = None) -> list[Any]:
    """The prices that somebody sees."""
    return open_dataset(name, user=person).to_arrow(["price"])["price"].to_pylist()


def test_a_rule_by_user_names():
    put(table=SALES.append_column("who", pa.array(["ann", "bob", "Ann", None, "ann"])))
    change("sales", row_rule="username", row_column="who")
    assert rows(person=user("ann")) == [1.5, 5.0]
    assert rows(person=user("bob")) == [2.0]
    assert rows(person=user("eve")) == []


def test_a_rule_by_groups():
    put(row_rule="groups", row_column="region")
    assert rows(person=user("ann", "EU", "Asia")) == [1.5, 3.25, 4.0]
    assert rows(person=user("bob", "eu", "EU ")) == []


def test_who_sees_all_rows():
    put(row_rule="groups", row_column="region")
    grant("sales", user("helper"), "publish")
    grant("sales", user("second owner"), "manage")
    grant("sales", user("viewer"), "open")
    change("sales", owner=user("owner"))
    for name in ("helper", "second owner", "owner"):
        assert len(rows(person=user(name))) == 5
    assert len(rows(person=user("root", is_superuser=True))) == 5
    assert rows(person=user("viewer")) == []


def test_visitors_see_no_rows_of_a_data_set_with_a_rule():
    put(access="public")
    assert len(rows(person=AnonymousUser())) == 5
    change("sales", row_rule="username", row_column="region")
    assert rows(person=AnonymousUser()) == []
    assert rows(person=None) == []


@pytest.mark.parametrize("column", ["nowhere", "price", ""])
def test_a_rule_that_makes_no_sense_shows_nothing(column: str):
    put()
    # As if the new version did not have the column
    Dataset.objects.filter(name="sales").update(row_rule="groups", row_column=column or "x")
    assert rows(person=user("ann", "EU", "1.5")) == []


def test_a_rule_that_nobody_knows_shows_nothing():
    put()
    Dataset.objects.filter(name="sales").update(row_rule="other", row_column="region")
    assert rows(person=user("EU", "EU")) == []


def test_whole_numbers_are_compared_as_text():
    put(row_rule="username", row_column="count")
    assert rows(person=user("3")) == [3.25]
    assert rows(person=user("03")) == []


def test_filters_hold_others():
    both, one = RowFilter("r", frozenset("ab")), RowFilter("r", frozenset("a"))
    assert both.holds(one)
    assert not one.holds(both)
    assert one.holds(NOTHING)
    assert not NOTHING.holds(one)
    assert not both.holds(None)
    assert not RowFilter("other", frozenset("ab")).holds(one)


def test_a_condition_of_the_app_cannot_widen_a_rule():
    put(row_rule="groups", row_column="region")
    sales = open_dataset("sales", user=user("ann", "EU"))
    everything = (pc.field("region") == "US") | pc.field("price").is_valid()
    for where in ({"region": "US"}, {"region": ["US", None]}, everything):
        assert set(sales.to_arrow(["region"], where)["region"].to_pylist()) <= {"EU"}


def test_rows_for_somebody_else_are_those_that_both_see():
    put(row_rule="groups", row_column="region")
    ann, bob = user("ann", "EU", "US"), user("bob", "US", "Asia")
    as_owner, as_ann = open_dataset("sales", user=publisher()), open_dataset("sales", user=ann)
    assert as_owner.rows_for(ann)["price"].to_pylist() == [1.5, 2.0, 3.25]
    assert as_ann.rows_for(bob, columns=["price"]).to_pydict() == {"price": [2.0]}
    change("sales", access="grant")
    grant("sales", ann)
    with pytest.raises(MayNotSee):
        as_owner.rows_for(bob)


# Whatever there is


def world_of(random: Random) -> dict[str, Any]:
    """A table with a column of keys, a rule, and a person."""
    keys = random.choice([[*NAMES, *GROUPS, None], [*NAMES, *GROUPS, None], [1, 2, None]])
    # All of them: what must not come out is there
    column = random.sample(keys, len(keys)) + random.choices(keys, k=3)
    return {
        "table": pa.table({"key": column, "number": list(range(len(column)))}),
        "row_rule": random.choice(["", "username", "username", "groups", "groups"]),
        "row_column": random.choice(["key"] * 9 + ["gone"]),
        "access": random.choice(["public", "login", "login", "grant"]),
        "name": random.choice([*NAMES, None]),
        "groups": set(random.sample(GROUPS, random.randrange(4))),
        "role": random.choice([None, None, "open", "open", "publish", "manage"]),
        "through": random.choice(["user", "group"]),
        "is_superuser": random.random() < 0.1,
        "columns": random.choice([None, ["number"], ["number", "key"]]),
        "where": random.choice([None, None, {"number": [0, 1, 2]}, {"key": keys[0]}]),
    }


def expected(world: dict[str, Any]) -> list[int] | None:
    """The numbers of the rows that the person sees; None: none of the data set. Said anew, without the code."""
    person = world["name"] is not None
    granted = person and world["role"] is not None and (world["through"] == "user" or bool(world["groups"]))
    is_open = world["access"] == "public" or (world["access"] == "login" and person)
    superuser = person and world["is_superuser"]
    if not (is_open or granted or superuser):
        return None
    rows = list(zip(world["table"]["key"].to_pylist(), world["table"]["number"].to_pylist(), strict=True))
    sees_all = superuser or (granted and world["role"] in ("publish", "manage"))
    if world["row_rule"] and not sees_all:
        allowed = {world["name"]} if world["row_rule"] == "username" else world["groups"]
        if not person or world["row_column"] == "gone":
            allowed = set()
        rows = [(key, number) for key, number in rows if key is not None and str(key) in allowed]
    for name, wanted in (world["where"] or {}).items():
        rows = [
            row for row in rows if row[name == "number"] in (wanted if isinstance(wanted, list) else [wanted])
        ]
    return [number for _, number in rows]


def made(world: dict[str, Any]) -> Any:
    """The world in the database; gives the person."""
    DatasetGrant.objects.all().delete()
    Group.objects.all().delete()
    type(publisher()).objects.exclude(username="publisher").delete()
    kind = "text" if world["table"]["key"].type == pa.string() else "integer"
    schema = [{"name": "key", "type": kind}, {"name": "number", "type": "integer"}]
    Dataset.objects.filter(name="world").update(row_rule="", schema=schema)
    put("world", world["table"], schema=schema)
    change("world", **{name: world[name] for name in ("row_rule", "row_column", "access")})
    if world["name"] is None:
        return AnonymousUser()
    person = user(world["name"], *world["groups"], is_superuser=world["is_superuser"])
    holder = person if world["through"] == "user" else person.groups.first()
    if world["role"] is not None and holder is not None:
        grant("world", holder, world["role"])
    return person


@pytest.mark.parametrize("part", range(4))
def test_no_row_comes_out_that_the_rule_refuses(part: int):
    for number in range(30):
        _check(world_of(Random(f"{part} {number}")))


def _check(world: dict[str, Any]) -> None:
    person, numbers = made(world), expected(world)
    asked = {"columns": world["columns"], "where": world["where"]}
    if numbers is None:
        with pytest.raises(MayNotSee, match="You may not see 'world'"):
            open_dataset("world", user=person)
        return
    opened = open_dataset("world", user=person)
    found = [
        opened.to_arrow(**asked)["number"].to_pylist(),
        opened.to_pandas(**asked)["number"].tolist(),
        list(opened.source(**asked).data["number"]),
        open_dataset("world", user=publisher()).rows_for(person, **asked)["number"].to_pylist(),
        opened.rows_for(publisher(), **asked)["number"].to_pylist(),
    ]
    assert found == [numbers] * 5
    dataset = Dataset.objects.get(name="world")
    if world["where"] is None:
        assert visible(world["table"], row_filter(person, dataset))["number"].to_pylist() == numbers
