"""A site of its own for tests that do harm to it, and whether it is whole afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from ..serving import Site, visit, wait_until
from .world import World, furnish_site, run_in

#: Bytes of one upload.
MAX_BYTES = 8 * 2**20
_CHECK = """
import django, sys
django.setup()
from pathlib import Path
from tests.datasets.store import Store
Store(Path(sys.argv[1]), Path(sys.argv[2])).check()
"""


@contextmanager
def served_apart(folder: Path) -> Iterator[World]:
    """A served site with a directory of its own for what is under way."""
    site = Site(folder, folder / "journal.txt")
    site.make()
    words = furnish_site(site)
    under_way(site).mkdir()
    settings = {"DATA_CACHE_DIR": str(folder / "cache"), "DATA_MAX_BYTES": MAX_BYTES, "STOP_TIMEOUT": 1}
    with site.serve(env=apart(site), **settings) as server, visit(server) as http:
        yield World(site, server, words["tokens"], words["sessions"], http)
    assert "Internal Server Error" not in server.output, server.output


def under_way(site: Site) -> Path:
    """Where the processes of the site keep what is not stored yet."""
    return site.folder / "under_way"


def apart(site: Site) -> dict[str, str]:
    """What the environment of these processes has besides that of others."""
    return {"TMPDIR": str(under_way(site))}


def check_whole(world: World) -> None:
    """Hold what is stored to what the data sets say, and see the server publish."""
    assert world.put("open", "alice").status_code == 201
    check_still(world)
    run_in(world.site, _CHECK, str(world.site.folder / "media"), str(under_way(world.site)))


def check_still(world: World) -> None:
    """Wait until nothing is read or under way."""
    wait_until(lambda: not workers(world))
    wait_until(lambda: not [*under_way(world.site).iterdir()])
    wait_until(lambda: not _nameless(world))


def workers(world: World) -> list[psutil.Process]:
    """The processes that read files just now."""
    return psutil.Process(world.server.process.pid).children(recursive=True)


def _nameless(world: World) -> list[str]:
    """The files under way that have no name, but take room until the server closes them."""
    files = []
    for descriptor in Path(f"/proc/{world.server.process.pid}/fd").glob("*"):
        with suppress(FileNotFoundError):
            files.append(str(descriptor.readlink()))
    return [file for file in files if file.startswith(str(under_way(world.site)))]


def newest(world: World, name: str) -> int:
    """The number of the newest version; 0 where there is none."""
    answer = world.ask("GET", f"datasets/{name}/versions", "mona")
    return max((version["number"] for version in answer.json().get("items", [])), default=0)
