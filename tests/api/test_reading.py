"""What the API tells of data sets, and how it answers what it does not understand."""

from __future__ import annotations

import pytest

from .operations import OPERATIONS, described
from .world import CSV, World


def test_a_data_set_is_told_of(world: World, name: str):
    world.put(name, "alice", params={"filename": "march.csv", "note": "March"})
    found = world.get(f"datasets/{name}", "alice")
    newest = found.pop("newest")
    assert found == {
        "name": name,
        "kind": "table",
        "title": "",
        "description": "",
        "tags": [],
        "owner": "alice",
        "access": "grant",
        "role": "owner",
        "row_rule": None,
        "columns": None,
        "keep_versions": None,
        "keep_days": None,
        "created_at": found["created_at"],
    }
    columns = [("who", "text"), ("region", "text"), ("price", "number")]
    assert newest["columns"] == [{"name": column, "type": kind} for column, kind in columns]
    told = {key: newest[key] for key in ("number", "rows", "note", "filename", "created_by", "appended")}
    assert told == {
        "number": 1,
        "rows": 3,
        "note": "March",
        "filename": "march.csv",
        "created_by": "alice",
        "appended": False,
    }


def test_versions_come_newest_first_and_in_pages(world: World, name: str):
    for _ in range(3):
        assert world.put(name, "mona").status_code == 201
    page = world.get(f"datasets/{name}/versions", "mona", params={"limit": 2})
    assert ([version["number"] for version in page["items"]], page["count"]) == ([3, 2], 3)
    rest = world.get(f"datasets/{name}/versions", "mona", params={"limit": 2, "offset": 2})
    assert ([version["number"] for version in rest["items"]], rest["count"]) == ([1], 3)
    assert world.get(f"datasets/{name}/versions/2", "mona") == page["items"][1]


def test_a_list_comes_in_pages_by_name(world: World):
    every = [item["name"] for item in world.get("datasets?limit=500", "alice")["items"]]
    assert every == sorted(every)
    some = world.get("datasets?limit=3&offset=2", "alice")
    assert [item["name"] for item in some["items"]] == every[2:5]
    assert some["count"] == len(every)


@pytest.mark.parametrize("path", ["versions/1", "versions/7", "data", "data?version=7"])
def test_a_version_that_is_not_there_is_no_answer(world: World, path: str):
    answer = world.ask("GET", f"datasets/empty/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NothingPublished")
    assert world.get("datasets/empty")["newest"] is None


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("datasets?limit=0", "limit"),
        ("datasets?limit=many", "limit"),
        ("datasets?offset=-1", "offset"),
        ("datasets/open/versions/0", "number"),
        ("datasets/open/versions/99999999999", "number"),
        ("datasets/open/data?version=x", "version"),
        ("datasets/open/data?format=docx", "format"),
        ("datasets/a%20b", "name"),
        ("datasets/%00", "name"),
    ],
)
def test_what_is_ill_put_is_named(world: World, path: str, what: str):
    answer = world.ask("GET", path)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "BadArguments")
    assert problem["detail"].startswith(f"{what}: ")


def test_problems_have_one_form(world: World):
    answer = world.ask("GET", "datasets/nothing")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "detail": "There is no such data set, or you may not see it.",
        "code": "MayNotSee",
        "reference": "",
        "row": None,
        "column": "",
    }


def test_no_address_of_the_api_answers_with_a_page(world: World):
    for path in ("", "nothing", "datasets/", "datasets/open/nothing"):
        answer = world.ask("GET", path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_answers_are_for_one_caller(world: World):
    for user in ("", "bob"):
        answer = world.ask("GET", "datasets/open", user)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", sorted({operation.path for operation in OPERATIONS.values()}))
def test_other_methods_are_refused_with_those_that_there_are(world: World, path: str):
    known = {operation.method for operation in OPERATIONS.values() if operation.path == path}
    known |= {"HEAD"} if "GET" in known else set()
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - known:
        answer = world.ask(method, path.format(name="open"), "alice", content=CSV)
        assert answer.status_code == 405, method
        assert set(answer.headers["Allow"].split(", ")) == known
        assert method == "HEAD" or answer.json()["code"] == "BadArguments"


def test_head_is_get_without_the_body(world: World):
    for path in ("datasets", "datasets/open", "datasets/open/versions/1", "datasets/nothing", "openapi.json"):
        get, head = world.ask("GET", path, "bob"), world.ask("HEAD", path, "bob")
        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_the_description_is_open_to_all_and_whole(world: World):
    found = world.get("openapi.json")
    assert {o["operationId"] for path in found["paths"].values() for o in path.values()} == set(described())
    for operation in described().values():
        assert operation["summary"]
        assert {"401", "403", "405"} <= {str(status) for status in operation["responses"]}


def test_a_change_by_login_needs_the_csrf_token(world: World):
    headers = world.by_login("alice")
    for csrf in ({}, {"X-CSRFToken": "d" * 32}):
        asked = {"Cookie": headers["Cookie"], **csrf}
        answer = world.ask("PATCH", "datasets/open", json={"title": "Forged"}, headers=asked)
        assert (answer.status_code, answer.json()["code"]) == (403, "RequestForged")
    assert world.get("datasets/open")["title"] == "Title of open"
    assert world.ask("GET", "datasets/granted", headers={"Cookie": headers["Cookie"]}).status_code == 200
