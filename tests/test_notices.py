"""Notices: what one process has changed, the others hear, each once, by the database and by Redis."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connections, transaction
from django.test import Client
from django.utils import timezone

from apps_registry import relay
from apps_registry.live.workers import Workers
from apps_registry.models import Grant, GuestLink, Notice, VizApp
from apps_registry.relay import Heard, Relay, publish
from apps_registry.upkeep import Upkeep

from .redis_server import RedisServer
from .serving import Site, wait_until
from .watched import Beside, In, Tabs, Watched, busy, copy_of, watch

# What is told


class World:
    """An app, a group with one grant, its one member, and somebody with a grant of her own."""

    def __init__(self) -> None:
        self.app = VizApp.objects.create(name="alpha", source="alpha.py", enabled=True, access="grant")
        self.alice = User.objects.create_user("alice")
        self.bob = User.objects.create_user("bob")
        self.group = Group.objects.create(name="readers")
        self.group.user_set.add(self.bob)
        self.grant = Grant.objects.create(app=self.app, user=self.alice)
        Grant.objects.create(app=self.app, group=self.group)
        self.link = GuestLink.objects.create(app=self.app, expires_at=timezone.now() + timedelta(days=1))
        self.browser = Client()
        self.browser.force_login(self.alice)

    def save(self, thing: Any, **values: Any) -> None:
        for name, value in values.items():
            setattr(thing, name, value)
        thing.save()


def told(change: Callable[[World], object]) -> list[tuple[str, object]]:
    """What a change makes known about who may open what, as kind and value."""
    world = World()
    about_apps = Notice.objects.filter(kind__in=("rows", "rights", "user", "logout")).order_by("pk")
    before = about_apps.count()
    change(world)
    notices = about_apps[before:]
    return [(notice.kind, next(iter(notice.data.values()))) for notice in notices]


TELLING: dict[str, tuple[Callable[[World], object], list[tuple[str, object]]]] = {
    "a row saved": (lambda world: world.save(world.app, title="New"), [("rows", "alpha")]),
    "a grant taken back": (lambda world: world.grant.delete(), [("rights", "alpha")]),
    "a grant changed": (lambda world: world.save(world.grant, user=world.bob), [("rights", None)]),
    "a link revoked": (
        lambda world: world.save(world.link, revoked_at=timezone.now()),
        [("rights", "alpha")],
    ),
    "a link deleted": (lambda world: world.link.delete(), [("rights", "alpha")]),
    "a group deleted": (lambda world: world.group.delete(), [("rights", "alpha")]),
    "one leaves a group": (lambda world: world.bob.groups.clear(), [("user", "BOB")]),
    "one is put out": (lambda world: world.group.user_set.remove(world.bob), [("user", "BOB")]),
    "a group is emptied": (lambda world: world.group.user_set.clear(), [("rights", None)]),
    # Nothing is taken away, but what is shown live may become more
    "one joins a group": (lambda world: world.bob.groups.add(Group.objects.create()), [("user", "BOB")]),
    "a user's permission goes": (lambda world: world.bob.user_permissions.clear(), [("user", "BOB")]),
    "a group's permission goes": (lambda world: world.group.permissions.clear(), [("rights", None)]),
    "a user saved": (lambda world: world.save(world.bob, is_active=False), [("user", "BOB")]),
    "a logout": (lambda world: world.browser.logout(), [("logout", "LOGIN")]),
}
SILENT: dict[str, Callable[[World], object]] = {
    "a grant given": lambda world: Grant.objects.create(app=world.app, user=world.bob),
    "a link made": lambda world: GuestLink.objects.create(app=world.app, expires_at=timezone.now()),
    "a user made": lambda world: User.objects.create_user("carol"),
    "a login": lambda world: Client().force_login(world.alice),
    "a visitor's logout": lambda world: Client().logout(),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", TELLING)
def test_what_may_take_a_right_away_is_told(name: str):
    change, expected = TELLING[name]
    names = {}

    def changed(world: World) -> None:
        names["BOB"] = str(world.bob.pk)
        change(world)

    found = told(changed)
    if found[0][0] == "logout":
        assert len(str(found[0][1])) == 64, "The key itself would be the login."
        return
    assert found == [(kind, names.get(str(value), value)) for kind, value in expected]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", SILENT)
def test_what_takes_no_right_away_is_not(name: str):
    assert told(SILENT[name]) == []


@pytest.mark.django_db(transaction=True)
def test_a_deleted_app_tells_of_itself_at_the_end():
    assert told(lambda world: world.app.delete())[-1] == ("rows", "alpha")


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_told():
    def change(world: World) -> None:
        with transaction.atomic():
            world.save(world.app, title="New")
            transaction.set_rollback(True)

    assert told(change) == []


# How it is heard


class Ear:
    """A relay, and what it hears."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self.heard: list[Heard] = []
        self.is_broken = False
        self.relay = Relay(self._take, self._on_thread)

    async def _take(self, notices: list[Heard]) -> None:
        self.heard += notices

    async def _on_thread(self, job: Callable[[], Any]) -> Any:
        if self.is_broken:
            raise OperationalError("gone")
        return await self._workers.run(job)

    @property
    def apps(self) -> list[object]:
        """The apps that it heard of."""
        return [notice.data["app"] for notice in self.heard]

    async def until(self, *apps: object) -> None:
        """Wait until it has heard of these apps, and of no others."""
        async with asyncio.timeout(10 * busy()):
            while len(self.heard) < len(apps):
                await asyncio.sleep(0.01)
        assert self.apps == list(apps)


@pytest_asyncio.fixture
async def workers(transactional_db: None, settings: Any) -> AsyncIterator[Workers]:
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "NOTICE_SECONDS": 0.05}
    workers = Workers(on_thread_end=connections.close_all)
    yield workers
    await workers.close()


@pytest_asyncio.fixture
async def ears(workers: Workers) -> AsyncIterator[list[Ear]]:
    """Two processes, as it were."""
    ears = [Ear(workers), Ear(workers)]
    for ear in ears:
        await ear.relay.start()
    yield ears
    for ear in ears:
        await ear.relay.stop()


def written(app: object, number: int | None = None) -> Callable[[], object]:
    """A notice as another process writes it down."""
    return lambda: Notice.objects.create(pk=number, kind="rows", data={"app": app})


async def test_all_hear_once_and_in_order(ears: list[Ear], workers: Workers):
    for app in ("one", "two"):
        await workers.run(lambda app=app: publish("rows", app=app))
    await workers.run(written("three"))
    for ear in ears:
        await ear.until("one", "two", "three")
    await asyncio.sleep(0.2)
    assert ears[0].apps == ["one", "two", "three"], "What is read again should not be followed again."


async def test_a_smaller_number_that_turns_up_later_is_heard(ears: list[Ear], workers: Workers):
    newest = await workers.run(written("first"))
    await workers.run(written("after", newest.pk + 5))
    await ears[0].until("first", "after")
    await workers.run(written("late", newest.pk + 3))
    await ears[0].until("first", "after", "late")


async def test_many_of_ones_own_do_not_hide_those_of_another(ears: list[Ear], workers: Workers):
    def burst() -> None:
        Notice.objects.create(kind="rows", data={"app": "other"})
        for number in range(300):
            publish("rows", app=number)

    await workers.run(burst)
    async with asyncio.timeout(20 * busy()):
        while len(ears[0].heard) < 301:
            await asyncio.sleep(0.01)
    assert set(ears[0].apps) == {"other", *range(300)}


async def test_what_was_before_is_not_followed(workers: Workers):
    await workers.run(written("old"))
    ear = Ear(workers)
    ear.is_broken = True
    await ear.relay.start()
    try:
        await asyncio.sleep(0.2)
        ear.is_broken = False
        await workers.run(lambda: publish("rows", app="own"))
        await ear.until("own")
        await asyncio.sleep(0.2)
        await workers.run(written("new"))
        await ear.until("own", "new")
    finally:
        await ear.relay.stop()


async def test_a_database_that_was_away_is_heard_again(ears: list[Ear], workers: Workers, caplog: Any):
    ears[0].is_broken = True
    await workers.run(written("meanwhile"))
    await ears[1].until("meanwhile")
    await asyncio.sleep(0.3)
    ears[0].is_broken = False
    await ears[0].until("meanwhile")
    complaints = [record for record in caplog.records if "found late" in record.message]
    assert len(complaints) == 1, "A trouble should be told of once, and not at every look."


async def test_one_process_hears_itself_without_a_database(
    ears: list[Ear], workers: Workers, monkeypatch: pytest.MonkeyPatch
):
    def create(**values: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(Notice.objects, "create", create)
    await workers.run(lambda: publish("rows", app="own"))
    await ears[0].until("own")


async def test_one_that_fails_does_not_stop_the_next(workers: Workers):
    ear = Ear(workers)
    take = ear._take

    async def fail_first(notices: list[Heard]) -> None:
        await take(notices)
        if len(ear.heard) == 1:
            raise RuntimeError

    ear.relay._heard = fail_first
    await ear.relay.start()
    try:
        await workers.run(lambda: publish("rows", app="one"))
        await ear.until("one")
        await workers.run(lambda: publish("rows", app="two"))
        await ear.until("one", "two")
    finally:
        await ear.relay.stop()


async def test_rights_that_cannot_be_asked_hold_up_no_other_notice(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    async def fail(*args: object, **options: object) -> None:
        raise OperationalError("gone")

    heard: list[Any] = []

    async def hear(notices: list[Any]) -> None:
        heard.extend(notices)

    upkeep = Upkeep(SimpleNamespace(workers=workers, visits=SimpleNamespace(changes=0)))
    monkeypatch.setattr(upkeep, "_follow_rights", fail)
    monkeypatch.setattr(upkeep._following, "heard", hear)
    await upkeep.heard([Heard("rows", {"app": "alpha"}, 1), Heard("dataset", {"dataset": "sales"}, 2)])
    assert ("dataset", {"dataset": "sales"}) in heard
    assert "Rights could not be asked." in caplog.text


class SilentLayer:
    """A channel layer to which a long silence is an error, as to that of Redis with redis-py 8."""

    class TimeoutError(Exception):
        """The client's own, which is not Python's."""

    def __init__(self) -> None:
        self.joined: list[str] = []
        self.sent: asyncio.Queue[object] = asyncio.Queue()

    async def new_channel(self) -> str:
        return "channel"

    async def group_add(self, group: str, channel: str) -> None:
        self.joined.append(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self.joined.clear()

    async def receive(self, channel: str) -> object:
        try:
            async with asyncio.timeout(0.05):
                return await self.sent.get()
        except TimeoutError:
            raise self.TimeoutError from None


async def test_a_silent_channel_layer_is_no_trouble(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: Any
):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "NOTICE_SECONDS": 3600}
    layer = SilentLayer()
    monkeypatch.setattr(relay, "_layer", lambda: layer)
    ear = Ear(workers)
    await ear.relay.start()
    try:
        async with asyncio.timeout(10):
            while len(layer.joined) < 4:
                await asyncio.sleep(0.01)
        await workers.run(written("told"))
        layer.sent.put_nowait({"type": "notice"})
        await ear.until("told")
    finally:
        await ear.relay.stop()
    assert layer.joined == [], "It should leave the group."
    assert caplog.records == []


@pytest.mark.django_db
def test_old_notices_are_deleted():
    Notice.objects.create(kind="rows", data={"app": "old"})
    Notice.objects.update(at=timezone.now() - timedelta(hours=2))
    kept = Notice.objects.create(kind="rows", data={"app": "new"})
    relay.expire()
    assert list(Notice.objects.all()) == [kept]


# With Redis


#: Seconds between two looks of servers that are told by Redis: so long that nobody takes a look for a word.
LOOK = 6


@pytest.fixture(scope="module")
def told_site(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return copy_of(site, tmp_path_factory.mktemp("told"))


@pytest.fixture(scope="module")
def told_servers(told_site: Site, redis_program: str) -> Iterator[Watched]:
    """Two servers with one Redis."""
    with RedisServer(redis_program) as server, told_by(told_site, server) as watched:
        yield watched


def told_by(site: Site, server: RedisServer) -> AbstractContextManager[Watched]:
    """Two servers with a Redis."""
    return watch(site, servers=2, env=server.env, NOTICE_SECONDS=LOOK, RECHECK_SECONDS=3600)


async def seconds_until_closed(watched: Watched, *, by: In | Beside) -> float:
    """How long after an answer of one server the socket on the other one is closed."""
    watched.reset()
    async with Tabs(watched) as tabs:
        tab, stays = await tabs.open("alpha", "alice", server=1), await tabs.open("beta", "alice", server=1)
        by.run('row = VizApp.objects.get(name="alpha"); row.enabled = False; row.save()')
        since = time.monotonic()
        assert (await tab.closing())[0] == 4453
        took = time.monotonic() - since
        await stays.lives()
        return took


async def test_with_redis_the_other_server_is_told_at_once(told_servers: Watched):
    for _ in range(3):
        assert await seconds_until_closed(told_servers, by=In(told_servers.server)) < busy()


async def test_with_redis_a_process_that_serves_nobody_tells_at_once(told_servers: Watched):
    assert await seconds_until_closed(told_servers, by=told_servers.beside) < busy()


@pytest.mark.slow
async def test_without_redis_servers_look_and_with_it_again_they_are_told(
    told_site: Site, redis_program: str
):
    server = RedisServer(redis_program)
    with server, told_by(told_site, server) as watched:
        assert await seconds_until_closed(watched, by=In(watched.server)) < busy()
        server.process.kill()
        server.process.wait(20)
        assert await seconds_until_closed(watched, by=In(watched.server)) < LOOK + 2 * busy()
        with server:
            for running in watched.servers:
                wait_until(lambda out=running: "tells of changes again" in out.output, within=4 * LOOK)
            assert await seconds_until_closed(watched, by=In(watched.server)) < busy()
    for running in watched.servers:
        assert "Traceback" not in running.output


@pytest.mark.slow
async def test_a_redis_that_hangs_holds_up_nobody_for_long(told_site: Site, redis_program: str):
    server = RedisServer(redis_program)
    with server, told_by(told_site, server) as watched:
        watched.reset()
        server.process.send_signal(signal.SIGSTOP)
        try:
            since = time.monotonic()
            In(watched.server).run("for number in range(5): VizApp.objects.get(name='alpha').save()")
            assert time.monotonic() - since < 3 * busy()
            assert watched.server.stop() == 0
        finally:
            server.process.send_signal(signal.SIGCONT)
