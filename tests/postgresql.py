"""`python -m tests.postgresql OPTIONS`: runs on PostgreSQL the tests of what databases do differently.

It starts a PostgreSQL of its own for them, without a memory, and ends it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

#: Where the tests are of locks, unique names, transactions, notices and queries.
TESTS = (
    "tests/api/test_every_operation.py",
    "tests/api/test_publishing.py",
    "tests/datasets/test_changing.py",
    "tests/datasets/test_data_permissions.py",
    "tests/datasets/test_every_way.py",
    "tests/datasets/test_listing.py",
    "tests/datasets/test_live_sources.py",
    "tests/datasets/test_lost_rights.py",
    "tests/datasets/test_opened.py",
    "tests/datasets/test_publishing.py",
    "tests/datasets/test_querysets.py",
    "tests/datasets/test_retention.py",
    "tests/datasets/test_rules.py",
    "tests/datasets/test_served.py",
    "tests/test_live_access.py",
    "tests/test_notices.py",
    "tests/test_orm.py",
    "tests/test_permissions.py",
    "tests/test_records.py",
    "tests/test_registry.py",
    "tests/test_registry_commands.py",
    "tests/test_visits.py",
)
#: Where Debian has the programs.
_DEBIAN = Path("/usr/lib/postgresql")
#: Who runs them in place of root, whom PostgreSQL refuses.
_USER = "postgres"
_ADDRESS = "127.0.0.1"
_START_SECONDS = 60.0
#: Nothing has to outlast a loss of power.
_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


def main(arguments: list[str]) -> int:
    """Run pytest with these arguments; gives its exit status."""
    # Ended by a signal, it must not leave PostgreSQL behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with postgresql() as address:
        command = [sys.executable, "-m", "pytest", *TESTS, *arguments]
        return subprocess.run(
            command, env=os.environ | {"TEST_DATABASE_URL": address}, check=False
        ).returncode


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL until the end of the block; gives the address of a database in it, as ``DATABASE_URL`` has it."""
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = {"user": _USER, "group": _USER, "extra_groups": []}
    folder = Path(tempfile.mkdtemp(prefix="vizserver-postgresql-"))
    try:
        if owner:
            shutil.chown(folder, _USER, _USER)
        making = ["--username=vizserver", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        command = [_program("initdb"), "-D", str(folder / "data"), *making]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True, **owner)
        with _running(folder, owner) as address:
            yield address
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(folder: Path, owner: dict[str, Any]) -> Iterator[str]:
    port = _free_port()
    listening = ["-D", str(folder / "data"), "-h", _ADDRESS, "-p", str(port), "-k", str(folder)]
    options = [word for option in _OPTIONS for word in ("-c", option)]
    with Path(folder, "log").open("wb") as log:
        command = [_program("postgres"), *listening, *options]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **owner)
    address = f"postgres://vizserver@{_ADDRESS}:{port}/postgres"
    try:
        _wait_for(address, process, folder / "log")
        yield address
    finally:
        # Whoever is still connected is not waited for
        process.send_signal(signal.SIGINT)
        process.wait(_START_SECONDS)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(psycopg.OperationalError), psycopg.connect(address):
            return
        time.sleep(0.05)
    raise SystemExit(f"PostgreSQL does not start:\n{log.read_text()}")


def _program(name: str) -> str:
    folders = [os.environ.get("PATH", ""), *map(str, _DEBIAN.glob("*/bin"))]
    path = shutil.which(name, path=os.pathsep.join(folders))
    if path is None:
        raise SystemExit(f"There is no {name} here: please install PostgreSQL.")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
