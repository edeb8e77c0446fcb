"""Publications that break off on a served site: a publisher or a process goes, the disk is full, others publish too.

Whatever happens, there are whole versions and nothing else.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from resource import RLIM_INFINITY, RLIMIT_FSIZE

import httpx
import psutil
import pyarrow as pa
import pytest

from ..datasets import making
from ..serving import MANAGE, ROOT, visit, wait_until
from .apart import MAX_BYTES, apart, check_still, check_whole, newest, served_apart, under_way
from .raw import raw
from .world import World, run_in

_chance = random.Random(5)
#: Of some megabytes, so that they do not fit into buffers. What is random cannot be packed.
NUMBERS = pa.table({"share": [_chance.random() for _ in range(400_000)]})
FILES = {"csv": making.csv(NUMBERS), "arrow": making.arrow(NUMBERS)}

#: Bytes that a file may have while the disk is full, which are more than those of the database.
ROOM = 3_000_000

#: An hour goes by for what a process that was killed has left.
_LATER = """
import django, os, sys
django.setup()
from datetime import timedelta
from pathlib import Path
from django.utils import timezone
from apps_registry.datasets import retention
from apps_registry.models import PendingFile
PendingFile.objects.update(at=timezone.now() - timedelta(hours=2))
for folder in Path(sys.argv[1]).iterdir():
    os.utime(folder, (0, 0))
retention.run()
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A served site that is whole at the end."""
    with served_apart(tmp_path_factory.mktemp("broken_off")) as world:
        yield world
        check_whole(world)


@pytest.fixture
def name(world: World, tag: str) -> str:
    """A data set with one version."""
    name = tag[:140]
    assert world.put(name, "mona").status_code == 201
    return name


def rows(world: World, name: str) -> list[str]:
    """The rows of the newest version, as they are downloaded."""
    return world.ask("GET", f"datasets/{name}/data", "mona").text.splitlines()[1:]


# A publisher goes


@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("append", [False, True], ids=["put", "rows"])
def test_who_goes_while_he_uploads_has_published_nothing(
    world: World, name: str, append: bool, format: str, part: float
):
    method, path = ("POST", "/rows") if append else ("PUT", "")
    address = f"/api/datasets/{name}{path}?format={format}"
    data = FILES[format]
    assert len(data) < MAX_BYTES
    with raw(world, name, f"Content-Length: {len(data)}", method=method, path=address) as connection:
        connection.sendall(data[: int(len(data) * part)])
    check_still(world)
    assert newest(world, name) == 1
    assert len(rows(world, name)) == 3


@contextmanager
def _publishing(world: World, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """``manage.py publish``, which waits for its file."""
    command = [sys.executable, str(MANAGE), "publish", "-", "--format", "csv", "--name", name, "--as", "mona"]
    with subprocess.Popen(
        command,
        env=world.site.env() | apart(world.site),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_command_that_is_killed_while_it_takes_the_file_in(world: World, name: str):
    with _publishing(world, name) as process:
        assert process.stdin is not None
        process.stdin.write(FILES["csv"][: MAX_BYTES // 2])
        process.stdin.flush()
        wait_until(lambda: [*under_way(world.site).iterdir()])
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert newest(world, name) == 1
    _is_whole_later(world, name, 1)


def test_a_command_that_is_killed_while_the_file_is_read(world: World, name: str):
    with _publishing(world, name) as process:
        assert process.stdin is not None
        process.stdin.write(FILES["csv"])
        process.stdin.close()
        readers = wait_until(psutil.Process(process.pid).children)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        # The reader notices that nobody waits for it
        wait_until(lambda: not [reader for reader in readers if reader.is_running()])
    assert newest(world, name) == 1
    _is_whole_later(world, name, 1)


def _is_whole_later(world: World, name: str, number: int) -> None:
    run_in(world.site, _LATER, str(under_way(world.site)))
    check_whole(world)
    assert world.put(name, "mona", headers={"If-Match": f'"{number}"'}).status_code == 201


def test_a_server_that_is_killed_while_the_file_is_read(world: World, name: str):
    with (
        world.site.serve(env=apart(world.site)) as other,
        visit(other) as http,
        ThreadPoolExecutor(1) as pool,
    ):
        headers = {"Authorization": f"Bearer {world.tokens['mona/all']}", "Content-Type": "text/csv"}
        asked = pool.submit(http.put, f"/api/datasets/{name}", content=FILES["csv"], headers=headers)
        readers = wait_until(psutil.Process(other.process.pid).children)
        other.stop(signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            asked.result()
        wait_until(lambda: not [reader for reader in readers if reader.is_running()])
    assert newest(world, name) == 1
    _is_whole_later(world, name, 1)


# A full disk


@contextmanager
def _room_for(world: World, size: int) -> Iterator[None]:
    """Let the server write no file beyond this size: to it, that is a disk that is full."""
    process = psutil.Process(world.server.process.pid)
    process.rlimit(RLIMIT_FSIZE, (size, RLIM_INFINITY))
    try:
        yield
    finally:
        process.rlimit(RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))


#: What does not fit, and where: the upload itself, what it becomes, and what the rows are joined to.
SMALL = b"n\n1\n"
PACKED = making.parquet(
    pa.table({"n": range(3_000_000)}), use_dictionary=False, column_encoding={"n": "DELTA_BINARY_PACKED"}
)
NO_ROOM = {
    "upload": (SMALL, "csv", b"n\n" + b"1\n" * 2_000_000),
    "table": (SMALL, "parquet", PACKED),
    "joined": (PACKED, "csv", SMALL),
}


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="No process limits another one here.")
@pytest.mark.parametrize("case", NO_ROOM)
def test_a_full_disk_is_told_and_changes_nothing(world: World, tag: str, case: str):
    before, format, data = NO_ROOM[case]

    def append() -> httpx.Response:
        path, params = f"datasets/{tag}/rows", {"format": format}
        return world.ask("POST", path, "mona", content=data, params=params)

    first = "parquet" if before is PACKED else "csv"
    assert world.put(tag, "mona", before, params={"format": first}).status_code == 201
    with _room_for(world, ROOM):
        answer = append()
    check_still(world)
    assert (answer.status_code, answer.json()["code"]) == (507, "NoRoom"), answer.text
    assert answer.json()["detail"].startswith("There is no room on the server for this file.")
    assert newest(world, tag) == 1
    assert append().json()["number"] == 2


# Others publish too


def test_publishers_at_once_make_one_whole_version_each(world: World, name: str):
    def put(number: int) -> tuple[int, int]:
        rows = 1 + number * 40_000
        answer = world.put(name, "mona", "n\n" + f"{number}\n" * rows)
        assert answer.status_code == 201, answer.text
        return answer.json()["number"], number

    with ThreadPoolExecutor(6) as pool:
        made = dict(pool.map(put, range(6)))
    assert sorted(made) == [2, 3, 4, 5, 6, 7]
    for version, number in made.items():
        answer = world.ask("GET", f"datasets/{name}/data", "mona", params={"version": version})
        assert answer.text.splitlines()[1:] == [str(number)] * (1 + number * 40_000)


def test_rows_of_publishers_at_once_are_all_there(world: World, name: str):
    def add(number: int) -> int:
        content = "who,region,price\n" + f"p{number},north,{number}\n" * 100
        answer = world.ask("POST", f"datasets/{name}/rows", "mona", content=content, params={"format": "csv"})
        return answer.status_code

    with ThreadPoolExecutor(6) as pool:
        assert {*pool.map(add, range(6))} == {201}
    found = [row.split(",")[0].strip('"') for row in rows(world, name)[3:]]
    assert sorted(found) == sorted(f"p{number}" for number in range(6) for _ in range(100))
    # Those of one publisher stay together
    assert all(len({*found[start : start + 100]}) == 1 for start in range(0, 600, 100))
