"""Files that are broken, cut off, or made to harm, sent to a served site: each is refused in a sentence.

Nothing of them stays: no version, no file in storage or under way, no process; and the server goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from .apart import MAX_BYTES, check_still, check_whole, newest, served_apart
from .hostile import COUNTS, MADE, MEBIBYTE, SOUND, fuzzed
from .raw import raw
from .world import CSV, World

#: Publishers at once.
AT_ONCE = 4
#: What the server may take of memory meanwhile: what it reads text with, and the buffers of some uploads.
GROWTH = 150 * MEBIBYTE


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A served site which fails in nothing, and which nothing changes but what is published."""
    with served_apart(tmp_path_factory.mktemp("hostile")) as world:
        process = psutil.Process(world.server.process.pid)
        for format, data in SOUND.items():
            assert _publish(world, f"warm-{format}", format, data).status_code == 201
        before = process.memory_info().rss
        yield world
        check_whole(world)
        assert process.memory_info().rss - before < GROWTH
    assert "Traceback" not in world.server.output, world.server.output


@pytest.fixture(autouse=True)
def nothing_stays(world: World) -> Iterator[None]:
    """Fail a test that leaves something in the server."""
    yield
    check_still(world)


def _publish(world: World, name: str, format: str, data: bytes, *, append: bool = False) -> httpx.Response:
    path = f"datasets/{name}/rows" if append else f"datasets/{name}"
    return world.ask("POST" if append else "PUT", path, "mona", content=data, params={"format": format})


def _refused(world: World, answer: httpx.Response) -> str:
    """The sentence of a refusal, which tells nothing of how the server is made."""
    assert answer.status_code in (413, 422), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] in ("BadData", "TooBig")
    sentence = str(problem["detail"])
    assert 0 < len(sentence) < 300
    assert sentence.endswith(".")
    assert sentence.isprintable()
    told = [
        word
        for word in ("Traceback", "Error", "0x", ".py", "/dev", str(world.site.folder))
        if word in answer.text
    ]
    assert not told, answer.text
    return sentence


# Fuzzed, from good ones


def test_there_are_enough_of_them():
    assert sum(COUNTS.values()) >= 200
    assert set(COUNTS) == set(SOUND)


@pytest.mark.parametrize("format", SOUND)
def test_what_was_a_sound_file_is_refused_or_taken_as_a_whole(world: World, format: str):
    name = f"fuzzed-{format}"
    assert _publish(world, name, format, SOUND[format]).status_code == 201

    def send(number: int, data: bytes) -> int:
        append = number % 2 == 1
        answer = _publish(world, name, format, data, append=append)
        if answer.status_code != 201 and not (append and answer.json()["code"] == "Conflict"):
            _refused(world, answer)
        return answer.status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        statuses = [*pool.map(send, *zip(*enumerate(fuzzed(format)), strict=True))]
    taken = statuses.count(201)
    assert newest(world, name) == 1 + taken
    # So much of them is broken that somebody notices
    assert taken < len(statuses) * 2 / 3


@pytest.mark.parametrize("format", SOUND)
def test_the_format_that_is_said_must_be_that_of_the_file(world: World, format: str):
    others = [other for other in SOUND if other != format]
    for append, other in enumerate(others):
        answer = _publish(world, f"other-{format}", format, SOUND[other], append=append % 2 == 1)
        assert answer.status_code == 422
        assert "This is not" in _refused(world, answer) or (format, other) == ("json", "csv")
    assert newest(world, f"other-{format}") == 0


@pytest.mark.parametrize("append", [False, True], ids=["put", "rows"])
def test_what_is_made_to_harm_does_none(world: World, append: bool):
    def send(case: str) -> str:
        format, make = MADE[case]
        return _refused(world, _publish(world, "harm", format, make(), append=append))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        sentences = [*pool.map(send, MADE)]
    assert len(sentences) == len(MADE)
    assert newest(world, "harm") == 0


# Requests that are not as they should be


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: many",),
        ("Content-Length: -5",),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Transfer-Encoding: gzip",),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
    ],
    ids=str,
)
def test_a_length_that_cannot_be_is_refused(world: World, headers: tuple[str, ...]):
    with raw(world, "length", *headers) as connection:
        connection.sendall(CSV.encode())
        assert connection.recv(100).split()[1] == b"400"
    assert newest(world, "length") == 0


def test_what_comes_after_the_length_is_not_in_the_file(world: World):
    body = CSV.encode()
    with raw(world, "longer", f"Content-Length: {len(body)}") as connection:
        connection.sendall(body + b"mallory,west,9\n")
        # It is taken for another request, at once or later
        assert connection.recv(100).split()[1] in (b"201", b"400")
    assert "mallory" not in world.ask("GET", "datasets/longer/data", "mona").text


@pytest.mark.parametrize("append", [False, True], ids=["put", "rows"])
def test_what_gets_too_big_while_it_comes_is_refused(world: World, append: bool):
    def pieces() -> Iterator[bytes]:
        yield b"n\n"
        for _ in range(1 + MAX_BYTES // 100_000):
            yield b"1\n" * 50_000

    path = "datasets/endless/rows" if append else "datasets/endless"
    params = {"format": "csv"}
    answer = world.ask("POST" if append else "PUT", path, "mona", content=pieces(), params=params)
    assert answer.status_code == 413
    assert _refused(world, answer) == "The file is bigger than 8 MiB."
    assert newest(world, "endless") == 0


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary="],
)
@pytest.mark.parametrize("append", [False, True], ids=["put", "rows"])
def test_forms_are_refused_whatever_they_hold(world: World, content_type: str, append: bool):
    path = "datasets/form/rows" if append else "datasets/form"
    for content in (b"", b"--x\r\n\r\n" + CSV.encode(), b"--x\r\n" * 10_000):
        answer = world.ask(
            "POST" if append else "PUT", path, "mona", content=content, headers={"Content-Type": content_type}
        )
        assert "not a form" in _refused(world, answer)
    assert newest(world, "form") == 0
