"""One server for all tests of the API: what they change, they make for themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ..serving import SAMPLES, Site, visit
from .world import World, furnish_site

#: Bytes of one upload: less than the default, so that tests reach it soon.
MAX_BYTES = 2_000_000


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The server of all tests of the API."""
    with served_world(tmp_path_factory.mktemp("api")) as world:
        yield world


@contextmanager
def served_world(folder: Path) -> Iterator[World]:
    """A served site with data sets, without DEBUG, which writes all that it logs."""
    site = Site(folder, folder / "journal.txt")
    site.make()
    words = furnish_site(site)
    settings = {
        "ACCESS": "login",
        "APPS": {"sliders": str(SAMPLES / "sliders.py")},
        "BLANK_APP": True,
        "DATA_CACHE_DIR": str(folder / "cache"),
        "DATA_MAX_BYTES": MAX_BYTES,
        "STOP_TIMEOUT": 1,
    }
    with site.serve(env={"LOG_LEVEL": "DEBUG"}, **settings) as server, visit(server) as http:
        yield World(site, server, words["tokens"], words["sessions"], http)
    # Nobody reads a token in the log, at whatever level
    assert not [who for who, token in words["tokens"].items() if token in server.output]
    assert "Internal Server Error" not in server.output, server.output
    assert "Traceback" not in server.output, server.output


@pytest.fixture
def name(tag: str) -> str:
    """A name for a data set of one test."""
    return tag[:140]
