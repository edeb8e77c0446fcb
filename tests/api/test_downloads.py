"""Downloads: formats, versions, columns, and what a browser or cache may do with them."""

from __future__ import annotations

import io
import json
from datetime import date, datetime

import httpx
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from apps_registry.datasets.formats import FORMATS

from .world import LETTER, World

TABLE = pa.table(
    {
        "day": [date(2026, 1, 1), None, date(2026, 1, 3)],
        "at": pa.array([datetime(2026, 1, 1, 12), None, None], pa.timestamp("us")),
        "pieces": [2**53 + 1, None, -1],
        "price": [1.5, float("nan"), None],
        "is_new": [True, None, False],
        "word": ["=1+1", 'grüße, "du"\n', None],
    }
)
FORMS = ("csv", "parquet", "arrow", "json")


def send(world: World, name: str, table: pa.Table) -> None:
    file = io.BytesIO()
    pq.write_table(table, file)
    answer = world.put(name, "mona", file.getvalue(), params={"format": "parquet"})
    assert answer.status_code == 201, answer.text


def get(world: World, name: str, user: str = "mona", **params: object) -> httpx.Response:
    return world.ask("GET", f"datasets/{name}/data", user, params=params)


def test_every_format_has_the_same_values(world: World, name: str):
    send(world, name, TABLE)
    for form, read in {
        "parquet": lambda content: pq.read_table(io.BytesIO(content)),
        "arrow": lambda content: pa.ipc.open_file(content).read_all(),
    }.items():
        found = read(get(world, name, format=form).content)
        assert found.column_names == TABLE.column_names
        for column in TABLE.column_names:
            assert str(found[column].to_pylist()) == str(TABLE[column].to_pylist()), (form, column)
    records = get(world, name, format="json").json()
    assert records[0] == {
        "day": "2026-01-01",
        "at": "2026-01-01T12:00:00",
        "pieces": 2**53 + 1,
        "price": 1.5,
        "is_new": True,
        "word": "=1+1",
    }
    assert records[1] == dict.fromkeys(TABLE.column_names) | {"word": 'grüße, "du"\n'}
    frame = pd.read_csv(io.BytesIO(get(world, name, format="csv").content))
    assert frame["word"].tolist()[:2] == ["=1+1", 'grüße, "du"\n']
    assert frame["pieces"][0] == 2**53 + 1


def test_big_tables_come_whole_and_in_pieces(world: World, name: str):
    rows = 150_000
    send(world, name, pa.table({"n": range(rows)}))
    found = {
        "csv": pyarrow.csv.read_csv(io.BytesIO(get(world, name, format="csv").content))["n"].to_pylist(),
        "parquet": pq.read_table(io.BytesIO(get(world, name, format="parquet", columns="n").content))["n"],
        "json": [record["n"] for record in json.loads(get(world, name, format="json").content)],
        "arrow": pa.ipc.open_file(get(world, name, format="arrow").content).read_all()["n"],
    }
    for form, numbers in found.items():
        assert [int(str(number)) for number in numbers] == [*range(rows)], form
    assert get(world, name, format="csv").headers["Transfer-Encoding"] == "chunked"


def test_columns_are_chosen_and_put_in_order(world: World):
    answer = get(world, "open", columns=["price", "who"])
    assert answer.text.splitlines()[:2] == ['"price","who"', '1.5,"bob"']
    refusal = get(world, "open", columns="nothing")
    assert (refusal.status_code, refusal.json()["code"]) == (422, "NoSuchColumn")
    # The column of a rule is read also where it is not asked for
    assert get(world, "regional", "bob", columns="price").text.split() == ['"price"', "1.5"]


def test_who_names_more_columns_than_can_be_is_told_how_many_can(world: World):
    answer = get(world, "open", columns=["who"] * 1001)
    assert (answer.status_code, answer.json()["code"]) == (400, "BadArguments")
    assert answer.json()["detail"] == "The address has more than 1000 arguments."


def test_versions_that_are_kept_are_there(world: World, name: str):
    for word in ("old", "new"):
        world.put(name, "mona", f"word\n{word}\n")
    assert get(world, name, version=1).text.split() == ['"word"', '"old"']
    assert get(world, name).text.split() == get(world, name, version=2).text.split() == ['"word"', '"new"']
    assert get(world, name, version=3).status_code == 404


def test_what_is_unchanged_is_not_sent_again(world: World, name: str):
    send(world, name, TABLE)
    for form in FORMS:
        params = {"format": form}
        etag = get(world, name, **params).headers["ETag"]
        path, headers = f"datasets/{name}/data", {"If-None-Match": etag}
        again = world.ask("GET", path, "mona", params=params, headers=headers)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Cache-Control"] == "private, no-cache"
        send(world, name, TABLE.slice(0, 1))
        assert world.ask("GET", path, "mona", params=params, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["datasets/open/data", "datasets/letter/file"])
def test_what_is_not_as_expected_is_not_sent(world: World, path: str):
    etag = world.ask("GET", path, "alice").headers["ETag"]
    assert world.ask("GET", path, "alice", headers={"If-Match": etag}).status_code == 200
    for method in ("GET", "HEAD"):
        answer = world.ask(method, path, "alice", headers={"If-Match": '"another"'})
        assert (answer.status_code, answer.headers["Content-Type"]) == (412, "application/problem+json")
        if method == "GET":
            assert answer.json()["code"] == "Conflict"
            assert answer.json()["detail"].startswith("What is there now is not what")


def test_other_bytes_have_another_tag(world: World):
    tags = [
        get(world, "open", "alice").headers["ETag"],
        get(world, "open", "alice", format="json").headers["ETag"],
        get(world, "open", "alice", columns="who").headers["ETag"],
        get(world, "open", "alice", columns=["price", "who"]).headers["ETag"],
        *(get(world, "regional", user, version=1).headers["ETag"] for user in ("alice", "bob", "erin")),
    ]
    assert len(set(tags)) == len(tags) - 1, (
        "The whole of 'open' and of 'regional' is the same; all else differs."
    )
    assert get(world, "open").headers["ETag"] == get(world, "open", "bob").headers["ETag"]


@pytest.mark.parametrize("form", FORMS)
def test_browsers_keep_it_as_a_file(world: World, form: str):
    answer = get(world, "open", version=1, format=form)
    suffix, media_type = FORMATS[form].suffixes[0], FORMATS[form].media_types[0]
    assert answer.headers["Content-Type"].partition(";")[0] == media_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="open-1{suffix}"'
    check_guard(answer)


def test_a_plain_file_is_no_page_of_the_site(world: World):
    answer = world.ask("GET", "datasets/letter/file?version=1", "bob")
    assert answer.content == LETTER
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="a letter.html"'
    check_guard(answer)


def check_guard(answer: httpx.Response) -> None:
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= set(answer.headers["Vary"].split(", "))


def test_head_tells_what_would_come(world: World):
    for path in ("datasets/open/data?format=parquet&version=1", "datasets/letter/file?version=1"):
        get, head = world.ask("GET", path, "alice"), world.ask("HEAD", path, "alice")
        assert head.content == b""
        assert int(head.headers["Content-Length"]) == len(get.content)
        assert head.headers["ETag"] == get.headers["ETag"]


def test_each_kind_has_its_address(world: World):
    for path, right in (("open/file", "datasets/open/data"), ("letter/data", "datasets/letter/file")):
        answer = world.ask("GET", f"datasets/{path}", "alice")
        assert answer.status_code == 422
        assert answer.json()["detail"].endswith(f"get it at {right}.")
