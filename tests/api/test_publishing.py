"""Publishing over HTTP: conditions, what is sent twice or cut off, what is too big, and what is wrong with a file."""

from __future__ import annotations

import io
import socket
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ..serving import wait_until
from .conftest import MAX_BYTES
from .raw import raw, received
from .world import CSV, LETTER, World

OTHER = "who,region,price\nzoe,west,9\n"
_PIECE = 100_000


def numbers(world: World, name: str) -> list[int]:
    """The versions that there are; none where there is no data set."""
    answer = world.ask("GET", f"datasets/{name}/versions", "mona")
    return [version["number"] for version in answer.json().get("items", [])]


def put(world: World, name: str, content: Any = CSV, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return world.put(name, "mona", content, headers=named)


def append(world: World, name: str, content: str = OTHER, **options: Any) -> httpx.Response:
    headers = {"Content-Type": "text/csv"} | options.pop("headers", {})
    return world.ask("POST", f"datasets/{name}/rows", "mona", content=content, headers=headers, **options)


def rows(world: World, name: str) -> int:
    return len(world.ask("GET", f"datasets/{name}/data", "mona").text.splitlines()) - 1


# What becomes of a file


def test_a_new_data_set_is_made_and_the_answer_says_where(world: World, name: str):
    answer = put(world, name)
    version = answer.json()
    assert (answer.status_code, answer.headers["ETag"], version["number"]) == (201, '"1"', 1)
    assert answer.headers["Location"] == f"/api/datasets/{name}/versions/1"
    assert world.http.get(answer.headers["Location"], headers=world.by_login("mona")).json() == version
    assert (version["dataset"], version["rows"], version["created_by"]) == (name, 3, "mona")
    assert world.get(f"datasets/{name}", "mona")["owner"] == "mona"


def test_the_format_is_told_by_the_name_or_by_the_type(world: World, name: str):
    for options in (
        {"params": {"filename": "march.CSV"}},
        {"headers": {"Content-Type": "text/csv; charset=utf-8"}},
        {"params": {"filename": "march.csv"}, "headers": {"Content-Type": "application/json"}},
    ):
        answer = world.ask("PUT", f"datasets/{name}", "mona", content=CSV, **options)
        assert (answer.status_code, answer.json().get("rows")) == (201, 3)
    refusal = world.ask("PUT", f"datasets/{name}", "mona", content=CSV)
    assert refusal.status_code == 422
    assert refusal.json()["detail"] == "Say in which format the file is: csv, parquet, arrow, json, xlsx."


def test_what_is_no_table_is_kept_as_it_is(world: World, name: str):
    sent = {"content": LETTER, "params": {"filename": "../../letter.pdf"}}
    answer = world.ask("PUT", f"datasets/{name}", "mona", **sent)
    assert (answer.status_code, answer.json()["rows"], answer.json()["filename"]) == (201, None, "letter.pdf")
    assert world.ask("GET", f"datasets/{name}/file", "mona").content == LETTER
    assert append(world, name).json()["detail"] == "Rows can be added to tables only."


def test_a_table_stays_a_table_and_a_file_a_file(world: World, name: str):
    for kind, other in (("csv", "file"), ("file", "csv")):
        dataset = f"{name}-{kind}"
        assert world.put(dataset, "mona", params={"format": kind}).status_code == 201
        said = {"params": {"format": other, "filename": "march.csv"}}
        for answer in (world.put(dataset, "mona", **said), append(world, dataset, **said)):
            assert (answer.status_code, answer.json()["code"]) == (422, "BadArguments")
            assert ("is a table" if kind == "csv" else "is a plain file") in answer.json()["detail"]
        # Where nothing is said, it is as the data set is
        plain = {"content": CSV, "params": {"filename": "march.csv"}}
        assert world.ask("PUT", f"datasets/{dataset}", "mona", **plain).status_code == 201
        assert numbers(world, dataset) == [2, 1]


def test_rows_are_added_at_the_end(world: World, name: str):
    first = append(world, name, CSV)
    assert (first.status_code, first.json()["number"], first.json()["appended"]) == (201, 1, False)
    second = append(world, name, headers={"If-Match": '"1"'})
    assert (second.json()["rows"], second.json()["appended"], second.headers["ETag"]) == (4, True, '"2"')
    last = world.ask("GET", f"datasets/{name}/data", "mona").text.splitlines()[-1]
    assert last == '"zoe","west",9'
    assert append(world, name, "who,colour\nzoe,red\n").json()["code"] == "BadData"
    assert numbers(world, name) == [2, 1]


def test_nothing_is_made_where_nothing_shall_be(world: World, name: str):
    for options in ({"params": {"create": "false"}}, {"headers": {"If-Match": "*"}}):
        answer = world.put(name, "mona", **options)
        assert (answer.status_code, answer.json()["code"]) == (404, "MayNotSee")
    assert world.ask("GET", f"datasets/{name}", "mona").status_code == 404


# Conditions


def test_a_version_follows_the_one_that_is_named(world: World, name: str):
    put(world, name)
    for number, condition in enumerate(('"1"', "2", 'W/"3"', "*"), start=2):
        answer = put(world, name, If_Match=condition)
        assert (answer.status_code, answer.json().get("number")) == (201, number), condition
    for condition in ('"1"', '"99"', '"0"'):
        answer = put(world, name, If_Match=condition)
        assert (answer.status_code, answer.json()["code"]) == (412, "Conflict")
        assert answer.json()["detail"] == "The data set is not as expected: its newest version is 5."
    assert len(numbers(world, name)) == 5


def test_a_first_version_is_the_first(world: World, name: str):
    assert put(world, name, If_Match='"1"').status_code == 412
    assert put(world, name, If_None_Match="*").status_code == 201
    assert put(world, name, If_None_Match="*").status_code == 412
    assert numbers(world, name) == [1]


@pytest.mark.parametrize(
    "headers",
    [
        {"If_Match": "newest"},
        {"If_Match": '"1", "2"'},
        {"If_Match": '"12345678901234567890"'},
        {"If_None_Match": '"1"'},
        {"If_None_Match": "*", "If_Match": '"1"'},
        {"Idempotency_Key": "k" * 201},
    ],
    ids=str,
)
def test_conditions_that_cannot_be_are_refused(world: World, name: str, headers: dict[str, str]):
    answer = put(world, name, **headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "BadArguments")
    assert numbers(world, name) == []


# What comes twice


def test_the_same_key_publishes_once(world: World, name: str):
    first = put(world, name, Idempotency_Key="march", If_None_Match="*")
    again = put(world, name, Idempotency_Key="march", If_None_Match="*")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["ETag"] == first.headers["ETag"]
    assert put(world, name, OTHER).json()["number"] == 2
    assert put(world, name, Idempotency_Key="march").json()["number"] == 1
    assert numbers(world, name) == [2, 1]


def test_a_key_is_for_one_publication(world: World, name: str):
    put(world, name)
    put(world, name, Idempotency_Key="march")
    for answer in (
        put(world, name, OTHER, Idempotency_Key="march"),
        append(world, name, CSV, headers={"Idempotency-Key": "march"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "KeyReused")
    assert put(world, name, OTHER, Idempotency_Key="April").status_code == 201
    assert numbers(world, name) == [3, 2, 1]


def test_rows_with_a_key_are_added_once(world: World, name: str):
    put(world, name)
    answers = [append(world, name, headers={"Idempotency-Key": "day 7"}) for _ in range(3)]
    assert {(answer.status_code, answer.json()["number"]) for answer in answers} == {(201, 2)}
    assert rows(world, name) == 4


def test_of_many_at_once_with_one_key_one_is_published(world: World, name: str):
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(put, world, name, Idempotency_Key="same") for _ in range(6)]
        answers = [future.result() for future in asked]
    assert {(answer.status_code, answer.json()["number"]) for answer in answers} == {(201, 1)}
    assert numbers(world, name) == [1]


def test_of_many_who_follow_one_version_one_does(world: World, name: str):
    put(world, name)
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(put, world, name, f"n\n{number}\n", If_Match='"1"') for number in range(6)]
        statuses = sorted(future.result().status_code for future in asked)
    assert statuses == [201, *[412] * 5]
    assert numbers(world, name) == [2, 1]


# What is cut off, and what is too big


@pytest.mark.parametrize("is_heard", [True, False])
def test_who_is_cut_off_before_the_answer_sends_it_again(world: World, name: str, is_heard: bool):
    body, key = CSV.encode(), "Idempotency-Key: cut"
    with raw(world, name, key, f"Content-Length: {len(body)}") as connection:
        connection.sendall(body)
        if is_heard:
            wait_until(lambda: numbers(world, name))
    assert put(world, name, Idempotency_Key="cut").json()["number"] == 1
    assert numbers(world, name) == [1]


def test_half_a_file_is_not_published(world: World, name: str):
    for framing, part in (
        ("Content-Length: 1000", CSV.encode()),
        ("Transfer-Encoding: chunked", f"{len(CSV):x}\r\n{CSV}\r\n".encode()),
    ):
        with raw(world, name, "Idempotency-Key: half", framing) as connection:
            connection.sendall(part)
    assert put(world, name, OTHER, Idempotency_Key="half").json()["number"] == 1
    assert numbers(world, name) == [1]


@pytest.mark.parametrize(("method", "part"), [("PUT", ""), ("POST", "/rows"), ("PATCH", "")])
def test_what_says_that_it_is_too_big_is_refused_before_it_comes(
    world: World, name: str, method: str, part: str
):
    path = f"/api/datasets/{name}{part}?format=csv"
    with raw(world, name, f"Content-Length: {MAX_BYTES + 1}", method=method, path=path) as connection:
        status, problem = received(connection)
    assert (status, problem["code"]) == (413, "TooBig")
    assert problem["detail"] == "The file is bigger than 1.91 MiB."


def test_what_gets_too_big_is_refused_while_it_comes(world: World, name: str):
    with raw(world, name, "Transfer-Encoding: chunked") as connection:
        sent = _send_until_answered(connection)
        assert received(connection)[0] == 413
    # What is on the way meanwhile fills some buffers
    assert MAX_BYTES < sent < 20 * MAX_BYTES
    assert numbers(world, name) == []


def _send_until_answered(connection: socket.socket) -> int:
    sent = 0
    connection.settimeout(0)
    while True:
        try:
            if connection.recv(1, socket.MSG_PEEK):
                break
        except BlockingIOError:
            connection.settimeout(30)
            try:
                connection.sendall(b"%x\r\n%s\r\n" % (_PIECE, b"1" * _PIECE))
            except ConnectionError:
                break
            sent += _PIECE
            connection.settimeout(0)
    connection.settimeout(30)
    return sent


def test_as_much_as_is_allowed_is_taken(world: World, name: str):
    line = b"a" * 999 + b"\n"
    body = (b"word\n" + line * (MAX_BYTES // len(line)))[:MAX_BYTES]
    assert put(world, name, body).status_code == 201
    assert put(world, name, body + b"\n").status_code == 413

    def pieces() -> Iterator[bytes]:
        yield from (body[start : start + _PIECE] for start in range(0, len(body), _PIECE))

    assert put(world, name, pieces()).status_code == 201
    assert numbers(world, name) == [2, 1]


def test_other_addresses_are_not_held_to_the_size_of_data(world: World):
    answer = world.http.post("/accounts/login/", content=b"x" * (MAX_BYTES + 1))
    assert answer.status_code != 413


# What is wrong with a file


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _zip(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return file.getvalue()


GOOD = _parquet(pa.table({"price": [1.5]}))
WRONG: dict[str, tuple[str, bytes, int | None, str, str]] = {
    "too few": ("csv", b"a,b\n1,2\n3\n", 3, "", "1 value, but the header has 2."),
    "twice": ("csv", b"a,a\n1,2\n", 1, "a", "two columns have this name."),
    "open quote": ("csv", b'a,b\n1,"2\n', 2, "", "a quote is not closed."),
    "no text": ("csv", b"a\n\xff\xfe\xfd\n", None, "", "is not UTF-8 text"),
    "nothing": ("csv", b"", None, "", "The file is empty."),
    "cut json": ("json", b'[{"a": 1}, {"a":', None, "", "JSON"),
    "no record": ("json", b'[{"a": 1}, 2]', 2, "", "not an object"),
    "cut parquet": ("parquet", GOOD[:-9], None, "", "Parquet"),
    "no parquet": ("parquet", CSV.encode(), None, "", "This is not a Parquet file."),
    "json for csv": ("csv", b'[{"a": 1}]', None, "", "This is not CSV but a JSON file."),
    "no arrow": ("arrow", GOOD, None, "", "This is not Arrow but a Parquet file."),
    "no book": ("xlsx", _zip(readme=b"hello"), None, "", "Excel"),
    "gzip": ("csv", b"\x1f\x8b\x08\x00\x00\x00", None, "", "send it unpacked"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_named_with_its_place(world: World, name: str, case: str):
    form, content, row, column, what = WRONG[case]
    answer = world.put(name, "mona", content, params={"format": form})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "BadData")
    assert (problem["row"], problem["column"]) == (row, column)
    assert what.lower() in problem["detail"].lower()
    assert numbers(world, name) == []


def test_a_value_of_another_type_is_named_with_its_place(world: World, name: str):
    world.put(name, "mona")
    columns = world.get(f"datasets/{name}", "mona")["newest"]["columns"]
    assert world.ask("PATCH", f"datasets/{name}", "mona", json={"columns": columns}).status_code == 200
    problem = put(world, name, "who,region,price\nbob,north,1\nbob,north,cheap\n").json()
    assert (problem["code"], problem["row"], problem["column"]) == ("BadData", 3, "price")
    assert problem["detail"].startswith("Row 3, column 'price': ")
    assert "'cheap'" in problem["detail"]
    assert numbers(world, name) == [1]


def test_a_form_is_not_a_file(world: World, name: str):
    answer = world.ask("PUT", f"datasets/{name}", "mona", files={"file": ("march.csv", CSV)})
    assert (answer.status_code, answer.json()["code"]) == (422, "BadData")
    assert "not a form" in answer.json()["detail"]


def test_words_that_are_too_long_are_refused(world: World, name: str):
    assert world.put(name, "mona", params={"note": "x" * 501}).json()["code"] == "BadArguments"
    assert world.put(name, "mona", params={"format": "docx"}).json()["detail"].startswith("format: ")
    assert numbers(world, name) == []
