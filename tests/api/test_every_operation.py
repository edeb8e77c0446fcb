"""Every operation of the API, for every kind of data set and every kind of user: who is let in, and what he is told."""

from __future__ import annotations

import csv
import io
from itertools import product

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .operations import OPERATIONS, TURNING, Operation, described
from .world import CSV, DATASETS, GROUPS, LETTER, PEOPLE, World

ANONYMOUS = ""
VISITORS = [ANONYMOUS, *(name for name in PEOPLE if name != "zoe")]
UNKNOWN = "unknown"
NAMES = [name for name in DATASETS if name != "empty"] + [UNKNOWN]
RANKS = ("nobody", "viewer", "publisher", "owner")
_MAKERS = {"alice", "mona", "root"}
_BY_GRANT = {"bob": "viewer", "erin": "viewer", "carol": "publisher", "oscar": "owner"}


def role(visitor: str, dataset: str) -> str:
    """What a visitor may: the table that all operations are held against."""
    if dataset == UNKNOWN or visitor == "gone":
        return "nobody"
    if visitor in ("alice", "root"):
        return "owner"
    found = _BY_GRANT.get(visitor, "nobody")
    if dataset == "deleted":
        # It can be had back, and nothing else
        return "nobody" if found != "owner" else found
    access = DATASETS[dataset]["access"]
    is_open = access == "public" or (access == "login" and visitor != ANONYMOUS)
    return "viewer" if is_open and found == "nobody" else found


def status(visitor: str, dataset: str, name: str, operation: Operation, *, by_token: bool) -> int:
    """What is right to answer."""
    if visitor == "gone" and by_token:
        return 401
    if visitor in (ANONYMOUS, "gone"):
        # A login that has ended is none
        if operation.scope != "read":
            return 401
        return _read("", dataset, name)
    if operation.scope == "read":
        return _read(visitor, dataset, name)
    if operation.scope == "publish":
        return _published(visitor, dataset, name)
    has = role(visitor, dataset)
    return operation.status if has == "owner" else 404 if has == "nobody" else 403


def _read(visitor: str, dataset: str, name: str) -> int:
    if role(visitor, dataset) == "nobody" or dataset == "deleted":
        return 404
    is_of_other_kind = (name == "download_data") == (dataset == "letter")
    return 422 if is_of_other_kind and name.startswith("download") else 200


def _published(visitor: str, dataset: str, name: str) -> int:
    has = role(visitor, dataset)
    if dataset == "deleted":
        # Whoever may make data sets hears that the name is taken, whatever by
        return 403 if visitor in _MAKERS else 404
    if RANKS.index(has) >= RANKS.index("publisher"):
        return 422 if (name, dataset) == ("append_rows", "letter") else 201
    if has == "viewer":
        return 403
    if visitor in _MAKERS:
        return 201 if dataset == UNKNOWN else 403
    return 404


def ask(world: World, visitor: str, dataset: str, operation: Operation, *, by_token: bool) -> httpx.Response:
    """What the operation answers; a data set that is made by it has the name of its maker."""
    is_new = dataset == UNKNOWN and operation.scope == "publish"
    named = f"new-{operation.method}-{visitor}-{by_token}" if is_new else dataset
    path, options = operation.path.format(name=named), dict(operation.options_for(dataset))
    if by_token:
        return world.ask(operation.method, path, visitor, **options)
    return world.ask(operation.method, path, headers=world.by_login(visitor), **options)


def test_every_operation_stands_in_the_table():
    assert OPERATIONS.keys() == described().keys()
    for name, about in described().items():
        assert f"Scope of the token: `{OPERATIONS[name].scope}`." in about["description"], name
        assert ({} in about["security"]) == (OPERATIONS[name].scope == "read"), name


def test_every_data_set_and_person_stands_in_the_table():
    assert set(NAMES) == {*DATASETS, UNKNOWN} - {"empty"}
    assert set(VISITORS) == {*PEOPLE, ANONYMOUS} - {"zoe"}


@pytest.mark.parametrize("by_token", [True, False], ids=["token", "login"])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if OPERATIONS[name].role])
def test_it_is_done_for_who_may(world: World, name: str, by_token: bool):
    operation, wrong = OPERATIONS[name], {}
    for visitor in VISITORS:
        answers = {}
        for dataset in NAMES:
            answer = answers[dataset] = ask(world, visitor, dataset, operation, by_token=by_token)
            right = status(visitor, dataset, name, operation, by_token=by_token)
            if answer.status_code != right:
                wrong[f"{visitor} / {dataset}"] = f"{answer.status_code} instead of {right}: {answer.text}"
            if name in TURNING and answer.is_success:
                _turn_back(world, dataset)
        # Nothing is told of what a visitor may not know of but what is told of what does not exist
        wrong |= {
            f"{visitor} / {dataset} tells": answer.text
            for dataset, answer in answers.items()
            if answer.status_code in (401, 404) and told(answer) != told(_refusal(answers, answer))
        }
    assert not wrong


def _refusal(answers: dict[str, httpx.Response], answer: httpx.Response) -> httpx.Response:
    """The answer at what does not exist, unless it was made there."""
    unknown = answers[UNKNOWN]
    return answer if unknown.is_success else unknown


def told(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """All that an answer tells."""
    changing = {"date", "server"}
    headers = {name: value for name, value in answer.headers.items() if name not in changing}
    return answer.status_code, answer.text, headers


def _turn_back(world: World, dataset: str) -> None:
    if dataset == "deleted":
        answer = world.ask("DELETE", "datasets/deleted", "alice")
    else:
        answer = world.ask("POST", f"datasets/{dataset}/undelete", "alice")
    assert answer.is_success, answer.text


# What those read who may


def rows(visitor: str, dataset: str) -> list[list[str]]:
    """The rows of the first version that a visitor sees."""
    _, *lines = csv.reader(CSV.splitlines())
    if dataset not in ("regional", "personal") or role(visitor, dataset) in ("publisher", "owner"):
        return lines
    key, place = (GROUPS.get(visitor), 1) if dataset == "regional" else (visitor, 0)
    return [line for line in lines if line[place] == key]


@pytest.mark.parametrize("by_token", [True, False], ids=["token", "login"])
@pytest.mark.parametrize("dataset", ["open", "inside", "granted", "regional", "personal"])
def test_everybody_gets_the_rows_that_are_his(world: World, dataset: str, by_token: bool):
    operation, wrong = OPERATIONS["download_data"], {}
    for visitor, form in product(VISITORS, ("csv", "json", "parquet", "arrow")):
        headers = {} if by_token else world.by_login(visitor)
        params = {"version": 1, "format": form}
        user = visitor if by_token else ""
        answer = world.ask("GET", operation.path.format(name=dataset), user, params=params, headers=headers)
        if answer.status_code == 200 and (found := read(answer, form)) != rows(visitor, dataset):
            wrong[f"{visitor} / {form}"] = found
    assert not wrong


def read(answer: httpx.Response, form: str) -> list[list[str]]:
    """The rows of a download, as texts."""
    if form == "csv":
        return list(csv.reader(answer.text.splitlines()))[1:]
    if form == "json":
        records = answer.json()
    elif form == "parquet":
        records = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    else:
        records = pa.ipc.open_file(answer.content).read_all().to_pylist()
    return [["" if value is None else str(value) for value in record.values()] for record in records]


def test_a_plain_file_comes_as_it_was(world: World):
    for visitor in VISITORS:
        answer = world.ask("GET", "datasets/letter/file?version=1", visitor)
        assert (answer.content == LETTER) == (role(visitor, "letter") != "nobody"), visitor


@pytest.mark.parametrize("by_token", [True, False], ids=["token", "login"])
def test_the_list_holds_what_the_visitor_may_see(world: World, by_token: bool):
    for visitor in VISITORS:
        if by_token:
            answer = world.ask("GET", "datasets?limit=500", visitor)
        else:
            answer = world.ask("GET", "datasets?limit=500", headers=world.by_login(visitor))
        if visitor == "gone" and by_token:
            assert answer.status_code == 401
            continue
        seen_as = ANONYMOUS if visitor == "gone" else visitor
        found = {item["name"]: item["role"] for item in answer.json()["items"] if item["name"] in NAMES}
        right = {name: role(seen_as, name) for name in NAMES if name not in ("deleted", UNKNOWN)}
        assert found == {name: what for name, what in right.items() if what != "nobody"}, visitor
        names = {item["owner"] for item in answer.json()["items"]}
        assert (names == {""}) == (seen_as == ANONYMOUS), visitor


def test_who_sees_some_rows_is_given_no_digest_of_all(world: World):
    for visitor, dataset in product(VISITORS, ("regional", "personal", "open")):
        if visitor == "gone" or role(visitor, dataset) == "nobody":
            continue
        sees_all = dataset == "open" or role(visitor, dataset) in ("publisher", "owner")
        found = [
            world.get(f"datasets/{dataset}", visitor)["newest"],
            world.get(f"datasets/{dataset}/versions/1", visitor),
            *world.get(f"datasets/{dataset}/versions", visitor)["items"],
            *(i["newest"] for i in world.get("datasets", visitor)["items"] if i["name"] == dataset),
        ]
        assert {bool(version["sha256"]) for version in found} == {sees_all}, (visitor, dataset)
