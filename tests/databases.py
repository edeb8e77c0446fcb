"""The databases of the tests: files of SQLite, or databases in one PostgreSQL, see ``tests.postgresql``."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

#: The address of a database in the PostgreSQL to be used; empty: the tests are on SQLite.
SERVER = os.environ.get("TEST_DATABASE_URL", "")
_FILE = "db.sqlite3"


def address(folder: Path) -> str:
    """What ``DATABASE_URL`` is for a site with its data in ``folder``, where it has a file if there is none."""
    return address_of(_name(folder)) if SERVER else ""


def address_of(name: str) -> str:
    """What ``DATABASE_URL`` is for a database, by what Django's settings call it."""
    return urlsplit(SERVER)._replace(path=f"/{name}").geturl() if SERVER else f"sqlite:///{name}"


def create(folder: Path) -> None:
    """Make the empty database of a site."""
    if SERVER:
        _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_name(folder))))


def copy(source: Path, target: Path) -> None:
    """Make the database of a site, with what is in that of another, which nobody uses just now."""
    if SERVER:
        names = [sql.Identifier(_name(folder)) for folder in (target, source)]
        _execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return
    with closing(sqlite3.connect(source / _FILE)) as old, closing(sqlite3.connect(target / _FILE)) as new:
        old.backup(new)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let nobody write into the database of a site until the end of the block."""
    if SERVER:
        with psycopg.connect(address(folder)) as other:
            tables = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables)
            other.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(names))
            yield
        return
    with closing(sqlite3.connect(folder / _FILE)) as file:
        file.execute("BEGIN IMMEDIATE")
        yield
        file.rollback()


def _name(folder: Path) -> str:
    return f"site_{hashlib.sha256(bytes(folder.resolve())).hexdigest()[:16]}"


def _execute(command: sql.Composed) -> None:
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(command)
