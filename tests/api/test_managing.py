"""What owners change: what is said of a data set, who sees it, and whether it is there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .world import World


@pytest.fixture
def made(world: World, name: str) -> str:
    """A data set of Alice's that is this test's."""
    assert world.put(name, "alice").status_code == 201
    return name


def patch(world: World, dataset: str, /, **values: Any) -> httpx.Response:
    return world.ask("PATCH", f"datasets/{dataset}", "alice", json=values)


def status(world: World, name: str, user: str) -> int:
    return world.ask("GET", f"datasets/{name}", user).status_code


CHANGES: dict[str, Any] = {
    "title": "Sales, by day",
    "description": "Of all shops.",
    "tags": ["2026", "shops"],
    "access": "login",
    "row_rule": {"by": "username", "column": "who"},
    "columns": [
        {"name": "who", "type": "text"},
        {"name": "region", "type": "text"},
        {"name": "price", "type": "number"},
    ],
    "keep_versions": 3,
    "keep_days": 30,
}


def test_what_is_named_changes_and_nothing_else(world: World, made: str):
    before = world.get(f"datasets/{made}", "alice")
    assert CHANGES.keys() < before.keys()
    for field, value in CHANGES.items():
        answer = patch(world, made, **{field: value})
        assert answer.status_code == 200, answer.text
        before |= {field: value}
        assert answer.json() == before == world.get(f"datasets/{made}", "alice")
    nothing = dict.fromkeys(("row_rule", "columns", "keep_versions", "keep_days"))
    assert patch(world, made, **nothing).json() == before | nothing


@pytest.mark.parametrize(
    "values",
    [
        {"name": "other"},
        {"title": "x" * 201},
        {"title": "a\0b"},
        {"tags": "word"},
        {"tags": [""]},
        {"access": "all"},
        {"keep_versions": 0},
        {"keep_days": "long"},
        {"row_rule": {"by": "colour", "column": "who"}},
        {"row_rule": {"by": "username", "column": "nothing"}},
        {"row_rule": {"by": "username", "column": "price"}},
        {"columns": [{"name": "a", "type": "colour"}]},
        {"columns": [{"name": "a", "type": "text"}] * 2},
    ],
    ids=str,
)
def test_what_cannot_be_changes_nothing(world: World, values: dict[str, Any]):
    before = world.get("datasets/granted", "alice")
    answer = patch(world, "granted", **{"title": "A good one"} | values)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("BadArguments", "BadData")
    assert world.get("datasets/granted", "alice") == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff", b"null"])
def test_a_body_that_is_no_object_is_refused(world: World, body: bytes):
    answer = world.ask("PATCH", "datasets/granted", "alice", content=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["code"] == "BadArguments"


def test_declared_columns_hold_for_the_next_version(world: World, made: str):
    patch(world, made, columns=CHANGES["columns"])
    answer = world.put(made, "alice", "who,region\nbob,north\n")
    assert answer.status_code == 422
    assert answer.json()["column"] == "price"
    assert world.get(f"datasets/{made}", "alice")["newest"]["number"] == 1


def test_a_row_rule_hides_rows_at_once(world: World, made: str):
    patch(world, made, access="login")
    assert len(world.ask("GET", f"datasets/{made}/data", "dora").text.splitlines()) == 4
    patch(world, made, row_rule={"by": "username", "column": "who"})
    assert world.ask("GET", f"datasets/{made}/data", "dora").text.splitlines()[1:] == ['"dora","south",2.5']


def test_a_deleted_data_set_is_gone_until_it_is_had_back(world: World, made: str):
    assert world.ask("DELETE", f"datasets/{made}", "alice").status_code == 204
    assert status(world, made, "alice") == 404
    assert made not in {item["name"] for item in world.get("datasets?limit=500", "alice")["items"]}
    answer = world.put(made, "alice")
    assert (answer.status_code, answer.json()["code"]) == (403, "MayNotPublish")
    assert world.ask("POST", f"datasets/{made}/undelete", "mona").status_code == 404
    assert world.ask("POST", f"datasets/{made}/undelete", "alice").json()["newest"]["number"] == 1
    assert status(world, made, "alice") == 200


def test_grants_are_given_changed_listed_and_taken(world: World, made: str):
    path = f"datasets/{made}/grants"
    for user, role in (("bob", "viewer"), ("zoe", "viewer"), ("bob", "publisher")):
        given = world.ask("PUT", path, "alice", json={"user": user, "role": role})
        assert given.json() == {"user": user, "group": None, "role": role}
    world.ask("PUT", path, "alice", json={"group": "south", "role": "viewer"})
    items = world.get(path, "alice")["items"]
    assert {(item["user"], item["group"], item["role"]) for item in items} == {
        ("bob", None, "publisher"),
        ("zoe", None, "viewer"),
        (None, "south", "viewer"),
    }
    assert world.put(made, "bob").status_code == 201
    assert status(world, made, "erin") == 200
    for params in ({"user": "bob"}, {"group": "south"}, {"user": "bob"}):
        assert world.ask("DELETE", path, "alice", params=params).status_code == 204
    assert [status(world, made, user) for user in ("bob", "erin", "zoe")] == [404, 404, 200]
    assert world.get(path, "alice")["count"] == 1


@pytest.mark.parametrize(
    "grant",
    [
        {"role": "viewer"},
        {"user": "bob", "group": "south", "role": "viewer"},
        {"user": "bob", "role": "king"},
        {"user": "nobody", "role": "viewer"},
        {"group": "nobodies", "role": "viewer"},
        {"user": "bob", "role": "viewer", "until": "tomorrow"},
    ],
    ids=str,
)
def test_grants_that_cannot_be_are_refused(world: World, grant: dict[str, str]):
    before = world.get("datasets/granted/grants", "alice")
    answer = world.ask("PUT", "datasets/granted/grants", "alice", json=grant)
    assert (answer.status_code, answer.json()["code"]) == (422, "BadArguments")
    holder = {key: value for key, value in grant.items() if key in ("user", "group")}
    if grant["role"] == "viewer" and "until" not in grant:
        assert world.ask("DELETE", "datasets/granted/grants", "alice", params=holder).status_code == 422
    assert world.get("datasets/granted/grants", "alice") == before
