"""Published data on a real server: another process publishes, and tabs follow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import websockets

from apps_registry.data import NO_LONGER_VISIBLE
from apps_registry.testing import AppSocket, RunningServer, connect

from ..serving import ROOT, Site, cookie_header, log_in, page_token, visit, ws_url

APP = """
    from bokeh.plotting import curdoc
    from apps_registry.data import open_dataset

    source = open_dataset("curve").source(live=True)
    source.name = "curve"
    curdoc().add_root(source)
"""

#: Does what it reads, line by line, and says when it is done.
ELSEWHERE = """
import sys, django
django.setup()
import io
from django.contrib.auth.models import User
from apps_registry.datasets.managing import to_publish
from apps_registry.datasets.publishing import publish
from apps_registry.models import DatasetGrant
owner = User.objects.create_superuser("owner")

def put(text, append=False):
    dataset = to_publish("curve", user=owner, access="grant")
    publish(dataset, io.BytesIO(text.encode()), format="csv", user=owner, append=append)

def grant(name):
    from apps_registry.models import Dataset
    DatasetGrant.objects.create(dataset=Dataset.objects.get(name="curve"), user=User.objects.get(username=name))

for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""

type Do = Callable[[str], None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("data_site")
    site = Site(folder, folder / "journal.txt")
    site.make()
    return site


@pytest.fixture(scope="module")
def elsewhere(site: Site) -> Iterator[Do]:
    """``elsewhere(line)`` runs a line of Python in another process of the site."""
    process = subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE],
        env=site.env(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def do(line: str) -> None:
        print(line, file=process.stdin, flush=True)
        assert process.stdout.readline() == "done\n"

    yield do
    process.stdin.close()
    process.stdout.close()
    process.wait()


@pytest.fixture(scope="module")
def server(site: Site, elsewhere: Do, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder: Path = tmp_path_factory.mktemp("data_apps")
    (folder / "curve.py").write_text(dedent(APP))
    elsewhere("put('x,y\\n1,10\\n2,20\\n'); grant('alice'); grant('bob')")
    settings = {"ACCESS": "login", "NOTICE_SECONDS": 0.1, "DATA_CACHE_DIR": str(folder / "copies")}
    with site.serve(folder / "curve.py", **settings) as server:
        yield server


def tab_of(server: RunningServer, name: str) -> AppSocket:
    """A tab on the app, which somebody has opened."""
    with visit(server) as client:
        log_in(client, name)
        token = page_token(server, "curve", client=client)
        return connect(ws_url(server, "curve"), token, cookie_header(client) | {"Origin": server.url})


async def test_tabs_follow_what_another_process_publishes(server: RunningServer, elsewhere: Do):
    async with tab_of(server, "alice") as alices, tab_of(server, "bob") as bobs:
        assert list(alices.find("curve").data["y"]) == [10, 20]
        elsewhere("put('x,y\\n3,30\\n', append=True)")
        for tab in (alices, bobs):
            [event] = (await tab.patch()).content["events"]
            assert event["kind"] == "ColumnsStreamed"
            assert list(tab.find("curve").data["y"]) == [10, 20, 30]
        elsewhere("DatasetGrant.objects.filter(user__username='bob').delete()")
        while len(bobs.find("curve").data["y"]):
            await bobs.patch()
        assert bobs.find("curve").tags == [NO_LONGER_VISIBLE]
        told = (await bobs.patch()).content["events"]
        assert told[0]["msg_data"] == "You may no longer see 'curve'."
        elsewhere("put('x,y\\n1,1\\n')")
        await alices.patch()
        assert list(alices.find("curve").data["y"]) == [1]
        await bobs.idle()
        assert len(bobs.find("curve").data["y"]) == 0
        assert len(alices.patches) == 2
    assert "Traceback" not in server.output


async def test_who_may_not_see_the_data_reads_why(server: RunningServer):
    with pytest.raises(websockets.ConnectionClosedError) as caught:
        async with tab_of(server, "sara"):
            pass
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4456, "You may not see 'curve'.")
