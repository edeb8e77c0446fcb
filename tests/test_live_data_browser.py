"""Three people look at one app while a script publishes: two follow the curve, the third gets not a byte of it.

``pytest -s`` tells how long the curves took, each after a pause as long as that between two refreshes of a session.
"""

from __future__ import annotations

import asyncio
import statistics
import struct
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, WebSocket, expect

from apps_registry.data import NO_LONGER_VISIBLE

from .redis_server import RedisServer
from .serving import Site
from .watched import Watched, copy_of, watch

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

#: Milliseconds in which a page has to come to what the test waits for, on a machine with much else to do.
SOON = 30_000
#: So long that servers hear of nothing in time but by a word from each other.
NEVER = 3600
PUBLICATIONS = 20
POINTS = 50
#: Seconds between two publications: shorter, and the second one waits until the session may be refreshed again.
PAUSE = 1.05

APP = """
    from apps_registry.data import MayNotSee, open_dataset
    from bokeh.models import Div
    from bokeh.plotting import curdoc, figure

    try:
        source = open_dataset("curve").source(live=True)
    except MayNotSee:
        curdoc().add_root(Div(text="There is no curve for you."))
    else:
        source.name = "curve"
        plot = figure()
        plot.line("x", "y", source=source)
        curdoc().add_root(plot)
"""

#: Sara owns a data set that Alice and Bob may see, and Carol may not; all may open the app. Gives Sara's token.
SETUP = """
sara = User.objects.get(username="sara")
User.objects.create_user("carol")
VizApp.objects.filter(name="curve").update(enabled=True, access="login")
curve = Dataset.objects.create(name="curve", owner=sara, access="grant")
for name in ("alice", "bob"):
    DatasetGrant.objects.create(dataset=curve, user=User.objects.get(username=name))
result = ApiToken.objects.issue(sara, ["publish", "manage"])[1]
"""

#: What is in the source, and since when, as soon as it holds the curve with this label, or none for an empty label.
_CURVE = """(label) => new Promise((resolve) => {
  const source = Bokeh.documents[0].get_model_by_name("curve");
  const look = () => {
    const labels = Array.from(source.get_column("label"));
    if (label === "" ? labels.length > 0 : labels[0] !== label) return void setTimeout(look, 5);
    const [x, y] = ["x", "y"].map((name) => Array.from(source.get_column(name)));
    resolve({at: Date.now() / 1000, labels, x, y, tags: source.tags});
  };
  look();
})"""


@dataclass
class Viewer:
    """A browser with the app in it, and all that came by its websocket."""

    page: Page
    frames: list[bytes] = field(default_factory=list)

    async def curve(self, label: str) -> dict[str, Any]:
        """What the browser's document holds, once it is the curve with this label."""
        async with asyncio.timeout(SOON / 1000):
            curve: dict[str, Any] = await self.page.evaluate(_CURVE, label)
        return curve

    def listen_to(self, socket: WebSocket) -> None:
        """Keep what it receives."""
        socket.on("framereceived", self._received)

    def _received(self, frame: bytes | str) -> None:
        self.frames.append(frame.encode() if isinstance(frame, str) else frame)

    def has(self, number: int) -> tuple[bool, bool]:
        """Whether the label, and the values, of a version are in what has come."""
        values = struct.pack(f"={POINTS}d", *points(number)["y"])
        return self._has(label_of(number).encode()), self._has(values)

    def _has(self, part: bytes) -> bool:
        return any(part in frame for frame in self.frames)


@dataclass
class Publisher:
    """A script with a token, which knows the servers."""

    servers: list[httpx.AsyncClient]

    async def publish(self, number: int) -> tuple[float, float]:
        """Publish a version by one of the servers, by turns; gives when it was sent, and when answered."""
        server = self.servers[number % len(self.servers)]
        sent = time.time()
        answer = await server.put("curve?format=csv", content=csv(number))
        assert answer.is_success, answer.text
        assert answer.json()["number"] == number
        return sent, time.time()

    async def revoke(self, name: str) -> None:
        """Take the grant of a user."""
        answer = await self.servers[0].delete("curve/grants", params={"user": name})
        assert answer.status_code == 204, answer.text


def label_of(number: int) -> str:
    return f"secret-{number:03}"


def points(number: int) -> dict[str, list[float]]:
    """The curve of a version, of which no value is that of another one's."""
    return {"x": [float(i) for i in range(POINTS)], "y": [number + i / 128 / POINTS for i in range(POINTS)]}


def csv(number: int) -> str:
    rows = zip(*points(number).values(), strict=True)
    return "label,x,y\n" + "".join(f"{label_of(number)},{x!r},{y!r}\n" for x, y in rows)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes with Redis"])
def watched(
    request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """One server without Redis, or two with it."""
    folder, apps = tmp_path_factory.mktemp("live_data"), tmp_path_factory.mktemp("live_data_apps")
    (apps / "curve.py").write_text(dedent(APP))
    settings: dict[str, Any] = {
        "APP_DIRS": [str(apps)],
        "DATA_CACHE_DIR": str(folder / "copies"),
        "NOTICE_SECONDS": NEVER,
        "RECHECK_SECONDS": NEVER,
    }
    with ExitStack() as stack:
        env = {}
        if request.param > 1:
            env = stack.enter_context(RedisServer(request.getfixturevalue("redis_program"))).env
        yield stack.enter_context(watch(copy_of(site, folder), servers=request.param, env=env, **settings))


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(watched: Watched) -> AsyncIterator[Publisher]:
    headers = {"Authorization": f"Bearer {watched.run(SETUP)}"}
    watched.refresh()
    servers = [
        httpx.AsyncClient(base_url=f"{server.url}/api/datasets/", headers=headers, timeout=30)
        for server in watched.servers
    ]
    yield Publisher(servers)
    for server in servers:
        await server.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def viewers(watched: Watched, publisher: Publisher, browser: Browser) -> AsyncIterator[list[Viewer]]:
    """Alice, Bob and Carol before the first version; Alice is not on the server of the other two, if there are two."""
    await publisher.publish(1)
    contexts = []
    viewers = []
    for number, name in enumerate(("alice", "bob", "carol")):
        server = watched.servers[min(number, len(watched.servers) - 1)]
        contexts.append(await browser.new_context())
        key = watched.run(f"result = log_in({name!r})")
        await contexts[-1].add_cookies([{"name": "sessionid", "value": key, "url": server.url}])
        viewers.append(Viewer(await contexts[-1].new_page()))
        await open_app(viewers[-1], f"{server.url}/apps/curve")
    yield viewers
    for context in contexts:
        await context.close()


async def open_app(viewer: Viewer, url: str) -> None:
    viewer.page.set_default_timeout(SOON)
    viewer.page.on("websocket", viewer.listen_to)
    await viewer.page.goto(url)
    await viewer.page.wait_for_selector("[data-session-state=live]", state="attached")
    await viewer.page.wait_for_function("() => Bokeh.documents.length === 1 && Bokeh.documents[0].is_idle")


async def test_who_may_see_it_follows_the_curve_and_nobody_else(
    watched: Watched, publisher: Publisher, viewers: list[Viewer]
):
    alice, bob, carol = viewers
    for viewer in (alice, bob):
        assert (await viewer.curve(label_of(1)))["y"] == points(1)["y"]
    frames_of_carol = carol.frames.copy()
    times: list[tuple[float, float]] = []
    last = 1 + PUBLICATIONS
    for number in range(2, last + 1):
        await asyncio.sleep(PAUSE)
        waiting = asyncio.gather(*(viewer.curve(label_of(number)) for viewer in (alice, bob)))
        sent, answered = await publisher.publish(number)
        for curve in await waiting:
            assert {"x": curve["x"], "y": curve["y"]} == points(number)
            times.append((curve["at"] - sent, curve["at"] - answered))
    tell(len(watched.servers), times)

    for number in range(1, last + 1):
        assert alice.has(number) == bob.has(number) == (True, True)
        assert carol.has(number) == (False, False)
    assert carol.frames == frames_of_carol
    await expect(carol.page.get_by_text("There is no curve for you.")).to_be_visible()

    await publisher.revoke("alice")
    emptied = await alice.curve("")
    assert (emptied["labels"], emptied["x"], emptied["y"]) == ([], [], [])
    assert emptied["tags"] == [NO_LONGER_VISIBLE]
    await expect(alice.page.get_by_text("You may no longer see 'curve'.")).to_be_visible()
    # Two, as the second one comes to Bob when all that the first one sends has long come
    for number in (last + 1, last + 2):
        await publisher.publish(number)
        assert (await bob.curve(label_of(number)))["y"] == points(number)["y"]
        assert alice.has(number) == carol.has(number) == (False, False)
    assert alice.has(last + 1) == (False, False)
    assert carol.frames == frames_of_carol
    for server in watched.servers:
        assert "Traceback" not in server.output


def tell(servers: int, times: list[tuple[float, float]]) -> None:
    """Print the delays, in ms."""
    for name, delays in zip(("request", "answer"), zip(*times, strict=True), strict=True):
        cuts = statistics.quantiles(delays, n=20, method="inclusive")
        p50, p95 = (round(1000 * cuts[at]) for at in (9, 18))
        words = f"from the API's {name} to the curve: p50 {p50} ms, p95 {p95} ms"
        print(f"\n{servers} process(es), {words}, longest {1000 * max(delays):.0f} ms")  # noqa: T201
