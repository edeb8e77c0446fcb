"""A right that goes takes its open sockets with it, and no others: on every server, and at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from apps_registry.testing import RunningServer

from .serving import Site, wait_until
from .watched import In, Refused, Tab, Tabs, Watched, busy, copy_of, watch

LOGIN_REQUIRED, LOGIN_ENDED, ACCESS_ENDED, DISABLED, BY_ADMIN, IDLE = 4401, 4451, 4452, 4453, 4454, 4455
RELOADED, NOT_YOURS, TOO_MANY, TAKEN_OFF = 4205, 4409, 4429, 4000
#: Seconds from the answer to whoever made the change, until the sockets of the same server are closed.
AT_ONCE = 1.0
#: The same for another server, without Redis.
BY_POLLING = 5.0


@pytest.fixture(scope="module")
def own_site(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Data that the tests of this file change."""
    return copy_of(site, tmp_path_factory.mktemp("watched"))


@pytest.fixture(scope="module")
def both(own_site: Site) -> Iterator[Watched]:
    """Two servers without Redis, which ask no right again by themselves while the tests run."""
    with watch(own_site, servers=2, RECHECK_SECONDS=3600) as watched:
        yield watched


@pytest.fixture
def two(both: Watched) -> Watched:
    """The two servers, with everything as it was."""
    both.reset()
    return both


@pytest_asyncio.fixture
async def tabs(two: Watched) -> AsyncIterator[Tabs]:
    async with Tabs(two) as tabs:
        yield tabs


# The changes


@dataclass(frozen=True)
class Change:
    """What is changed, whom it concerns, and what happens to those.

    People are written ``USER@APP``, with an empty user for a visitor and the key of a guest link behind ``?``.
    """

    code: str
    closed: tuple[str, ...]
    close_code: int
    words: str
    stay: tuple[str, ...]
    before: str = ""
    #: What gives the right back, if anything does, so that those who were closed may come again
    after: str | None = None


GRANTED = """
VizApp.objects.filter(name="alpha").update(access="grant")
alpha = VizApp.objects.get(name="alpha")
group = Group.objects.create(name="readers")
Grant.objects.create(app=alpha, group=group)
group.user_set.add(User.objects.get(username="alice"))
Grant.objects.create(app=alpha, user=User.objects.get(username="bob"))
"""
LINKS = """
from datetime import timedelta
from django.utils import timezone
VizApp.objects.filter(name="alpha").update(access="grant")
for key in ("one", "two"):
    GuestLink.objects.create(
        app=VizApp.objects.get(name="alpha"), key=key, expires_at=timezone.now() + timedelta(hours=1)
    )
"""
ALICE = 'alice = User.objects.get(username="alice")\n'
ALPHA = 'alpha = VizApp.objects.get(name="alpha")\n'
READERS = 'readers = Group.objects.get(name="readers")\n'
PREVIEW = 'VizApp.objects.filter(name="alpha").update(enabled=False)'
OFF, ENDED, NOT_LOGGED_IN = "This app has been switched off.", "You may no longer open", "no longer logged in"

CHANGES = {
    "app switched off": Change(
        ALPHA + "alpha.enabled = False; alpha.save()",
        ("alice@alpha", "bob@alpha"), DISABLED, OFF,
        ("alice@beta", "root@alpha"),
        after=ALPHA + "alpha.enabled = True; alpha.save()",
    ),
    "app deleted": Change(
        ALPHA + "alpha.delete()",
        ("alice@alpha", "root@alpha"), DISABLED, OFF,
        ("alice@beta",),
        after='VizApp.objects.create(name="alpha", source="alpha.py", enabled=True, access="login")',
    ),
    "app renamed": Change(
        ALPHA + 'alpha.name = "omega"; alpha.save()',
        ("alice@alpha",), DISABLED, OFF,
        ("alice@beta",),
        after='VizApp.objects.get(name="omega").delete()\n'
        'VizApp.objects.create(name="alpha", source="alpha.py", enabled=True, access="login")',
    ),
    "access narrowed to logins": Change(
        ALPHA + 'alpha.access = "login"; alpha.save()',
        ("@alpha",), LOGIN_REQUIRED, "Please log in",
        ("alice@alpha", "@beta"),
        before='VizApp.objects.update(access="public")',
        after=ALPHA + 'alpha.access = "public"; alpha.save()',
    ),
    "access narrowed to grants": Change(
        ALPHA + 'alpha.access = "grant"; alpha.save()',
        ("bob@alpha", "sara@alpha"), ACCESS_ENDED, ENDED,
        ("alice@alpha", "bob@beta", "root@alpha"),
        before='Grant.objects.create(app=VizApp.objects.get(name="alpha"), user=User.objects.get(username="alice"))',
        after=ALPHA + 'alpha.access = "login"; alpha.save()',
    ),
    "grant of a user revoked": Change(
        'Grant.objects.get(user__username="bob").delete()',
        ("bob@alpha",), ACCESS_ENDED, ENDED,
        ("alice@alpha", "bob@beta"),
        before=GRANTED,
        after='Grant.objects.create(app=VizApp.objects.get(name="alpha"), user=User.objects.get(username="bob"))',
    ),
    "grant given to somebody else": Change(
        'grant = Grant.objects.get(user__username="bob")\n'
        'grant.user = User.objects.get(username="sara"); grant.save()',
        ("bob@alpha",), ACCESS_ENDED, ENDED,
        ("alice@alpha",),
        before=GRANTED,
    ),
    "grant moved to another app": Change(
        'grant = Grant.objects.get(user__username="bob")\n'
        'grant.app = VizApp.objects.get(name="beta"); grant.save()',
        ("bob@alpha",), ACCESS_ENDED, ENDED,
        ("alice@alpha",),
        before=GRANTED,
    ),
    "grant of a group revoked": Change(
        'Grant.objects.get(group__name="readers").delete()',
        ("alice@alpha",), ACCESS_ENDED, ENDED,
        ("bob@alpha", "alice@beta"),
        before=GRANTED,
    ),
    "user taken out of the group": Change(
        ALICE + READERS + "alice.groups.remove(readers)",
        ("alice@alpha",), ACCESS_ENDED, ENDED,
        ("bob@alpha", "alice@beta"),
        before=GRANTED,
        after=ALICE + READERS + "alice.groups.add(readers)",
    ),
    "group takes the user out": Change(
        ALICE + READERS + "readers.user_set.remove(alice)",
        ("alice@alpha",), ACCESS_ENDED, ENDED,
        ("bob@alpha", "alice@beta"),
        before=GRANTED,
    ),
    "group emptied": Change(
        READERS + "readers.user_set.clear()",
        ("alice@alpha",), ACCESS_ENDED, ENDED,
        ("bob@alpha", "alice@beta"),
        before=GRANTED,
    ),
    "group deleted": Change(
        READERS + "readers.delete()",
        ("alice@alpha",), ACCESS_ENDED, ENDED,
        ("bob@alpha", "alice@beta"),
        before=GRANTED,
    ),
    "superuser no longer one": Change(
        'root = User.objects.get(username="root"); root.is_superuser = False; root.save()',
        ("root@alpha",), DISABLED, OFF,
        ("root@beta",),
        before=PREVIEW,
    ),
    "user switched off": Change(
        ALICE + "alice.is_active = False; alice.save()",
        ("alice@alpha", "alice@beta"), LOGIN_ENDED, NOT_LOGGED_IN,
        ("bob@alpha",),
        after=ALICE + "alice.is_active = True; alice.save()",
    ),
    "user deleted": Change(
        ALICE + "alice.delete()",
        ("alice@alpha", "alice@beta"), LOGIN_ENDED, NOT_LOGGED_IN,
        ("bob@alpha",),
    ),
    "password changed": Change(
        ALICE + 'alice.set_password("another"); alice.save()',
        ("alice@alpha", "alice@beta"), LOGIN_ENDED, NOT_LOGGED_IN,
        ("bob@alpha",),
    ),
    "guest link revoked": Change(
        'from django.utils import timezone\nlink = GuestLink.objects.get(key="one")\n'
        "link.revoked_at = timezone.now(); link.save()",
        ("@alpha?one",), ACCESS_ENDED, "The link by which you came is no longer valid.",
        ("@alpha?two", "root@alpha"),
        before=LINKS,
        after='link = GuestLink.objects.get(key="one"); link.revoked_at = None; link.save()',
    ),
    "guest link deleted": Change(
        'GuestLink.objects.get(key="one").delete()',
        ("@alpha?one",), ACCESS_ENDED, "The link by which you came is no longer valid.",
        ("@alpha?two", "root@alpha"),
        before=LINKS,
    ),
    "sessions of an app ended": Change(
        'relay.publish("end_sessions", app="alpha")',
        ("alice@alpha", "bob@alpha"), BY_ADMIN, "ended by an administrator",
        ("alice@beta",),
        after="pass",
    ),
    "app loaded anew": Change(
        'relay.publish("reload", app="alpha")',
        ("alice@alpha", "bob@alpha"), RELOADED, "The app has changed.",
        ("alice@beta",),
        after="pass",
    ),
}  # fmt: skip


async def open_as(tabs: Tabs, who: str, *, server: int = 0) -> Tab:
    """A tab of ``USER@APP?KEY``."""
    user, _, rest = who.partition("@")
    app, _, key = rest.partition("?")
    return await tabs.open(app, user, server=server, query=f"?guest={key}" if key else "")


async def assert_closes(tabs: list[Tab], change: Change, since: float, within: float) -> None:
    for tab in tabs:
        code, reason = await tab.closing()
        took = time.monotonic() - since
        assert code == change.close_code
        assert change.words in reason
        assert took < within * busy(), f"It took {took:.2f} s."


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_in_one_server_closes_the_sockets_concerned(two: Watched, tabs: Tabs, name: str):
    change = CHANGES[name]
    two.run(change.before)
    two.refresh()
    here, there = [[await open_as(tabs, who, server=number) for who in change.closed] for number in (0, 1)]
    stay = [await open_as(tabs, who, server=number) for who in change.stay for number in (0, 1)]
    In(two.server).run(change.code)
    changed = time.monotonic()
    await assert_closes(here, change, changed, AT_ONCE)
    await assert_closes(there, change, changed, BY_POLLING)
    for tab in stay:
        await tab.lives()
    await assert_nothing_sticks(two, tabs, change, here + there)


async def assert_nothing_sticks(two: Watched, tabs: Tabs, change: Change, closed: list[Tab]) -> None:
    """Who lost the right does not come in again, and who has it again does."""
    if change.close_code not in (BY_ADMIN, RELOADED):
        for tab in closed:
            with pytest.raises(Refused) as refused:
                await tabs.again(tab)
            assert refused.value.code == change.close_code
    if change.after is not None:
        two.run(change.after)
        two.refresh()
        for tab in closed:
            await tabs.again(tab)


@pytest.mark.parametrize("name", ["app switched off", "grant of a user revoked", "user switched off"])
async def test_a_change_in_a_process_that_serves_nobody_is_noticed_too(two: Watched, tabs: Tabs, name: str):
    change = CHANGES[name]
    two.run(change.before)
    two.refresh()
    closed = [await open_as(tabs, who, server=number) for who in change.closed for number in (0, 1)]
    stay = [await open_as(tabs, who, server=number) for who in change.stay for number in (0, 1)]
    two.run(change.code)
    await assert_closes(closed, change, time.monotonic(), BY_POLLING)
    for tab in stay:
        await tab.lives()


# Logins


def log_out(server: RunningServer, key: str) -> None:
    """Press the button in the site's own page."""
    csrf = "a" * 32
    with httpx.Client(base_url=server.url, cookies={"sessionid": key, "csrftoken": csrf}) as browser:
        answer = browser.post("/accounts/logout/", data={"csrfmiddlewaretoken": csrf})
    assert answer.status_code == 200


async def test_a_logout_closes_the_tabs_of_this_login_and_of_no_other(two: Watched, tabs: Tabs):
    one, other = (two.run('result = log_in("alice")') for _ in range(2))
    here = [await tabs.open(app, key=one) for app in ("alpha", "beta")]
    there = await tabs.open("alpha", key=one, server=1)
    stay = [await tabs.open("alpha", key=other), await tabs.open("alpha", "bob")]
    log_out(two.server, one)
    since = time.monotonic()
    logout = Change("", (), LOGIN_ENDED, NOT_LOGGED_IN, ())
    await assert_closes(here, logout, since, AT_ONCE)
    await assert_closes([there], logout, since, BY_POLLING)
    for tab in stay:
        await tab.lives()
    for tab in (*here, there):
        with pytest.raises(Refused) as refused:
            await tabs.again(tab)
        assert refused.value.code == LOGIN_ENDED
    with pytest.raises(Refused):
        await tabs.open("alpha", key=one)


async def test_a_login_that_is_said_to_end_lets_nobody_in_even_before_it_has_ended(two: Watched, tabs: Tabs):
    """Django tells of a logout first and deletes the login then; a page may come back in between."""
    key = two.run('result = log_in("alice")')
    tab = await tabs.open("alpha", key=key)
    name = f"from apps_registry.changes import login_name\nname = login_name({key!r})\n"
    In(two.server).run(name + 'relay.publish("logout", login=name)')
    assert (await tab.closing())[0] == LOGIN_ENDED
    with pytest.raises(Refused) as refused:
        await tabs.again(tab)
    assert refused.value.code == LOGIN_ENDED


async def test_a_session_waits_for_its_user_to_log_in_again(two: Watched, tabs: Tabs):
    key = two.run('result = log_in("alice")')
    tab = await tabs.open("alpha", key=key)
    await tab.socket.press("more")
    log_out(two.server, key)
    await tab.closing()
    tab.headers["Cookie"] = "sessionid=" + two.run('result = log_in("alice")')
    assert (await tabs.again(tab)).socket.find("count").text == "1"
    tab.headers["Cookie"] = "sessionid=" + two.run('result = log_in("bob")')
    with pytest.raises(Refused) as refused:
        await tabs.again(tab)
    assert refused.value.code == NOT_YOURS


async def test_visitors_lose_nothing_when_a_visitor_logs_out(two: Watched, tabs: Tabs):
    two.run('VizApp.objects.update(access="public")')
    two.refresh()
    key = two.run(
        "from django.contrib.sessions.backends.db import SessionStore\n"
        "store = SessionStore(); store['basket'] = 1; store.create(); result = store.session_key"
    )
    tab, other = await tabs.open("alpha", key=key), await tabs.open("beta", "alice")
    log_out(two.server, key)
    # What was told before this has been heard when it is done
    two.run('relay.publish("end_sessions", app="beta")')
    await other.closing()
    await tab.lives()


async def test_a_look_at_a_login_leaves_it_as_it_is(two: Watched, tabs: Tabs):
    """Reading a login whose password was changed would, by Django's own functions, delete it."""
    key = two.run('result = log_in("alice")')
    tab = await tabs.open("alpha", key=key)
    In(two.server).run(ALICE + 'alice.set_password("another"); alice.save()')
    await tab.closing()
    code = f"from django.contrib.sessions.models import Session\nresult = Session.objects.filter(pk={key!r}).count()"
    assert two.run(code) == 1


# Guests


async def test_a_guest_leaves_when_his_link_expires(two: Watched, tabs: Tabs):
    two.run(LINKS)
    two.refresh()
    one, other = await open_as(tabs, "@alpha?one"), await open_as(tabs, "@alpha?two")
    two.run(
        "from datetime import timedelta\nfrom django.utils import timezone\n"
        'link = GuestLink.objects.get(key="one")\n'
        "link.expires_at = timezone.now() + timedelta(seconds=4); link.save()"
    )
    expires = time.monotonic() + 4
    code, reason = await one.closing()
    assert (code, reason) == (ACCESS_ENDED, "The link by which you came is no longer valid.")
    assert -0.5 < time.monotonic() - expires < 2 * busy()
    await other.lives()


# Single sessions


def short_of(watched: Watched, user: str, app: str = "alpha") -> str:
    """What the admin calls the session of a user, as soon as it knows it."""
    found = f"LiveSession.objects.filter(username={user!r}, app_name={app!r})"
    return wait_until(lambda: watched.run(f"result = [session.session for session in {found}]"))[0]


@pytest.mark.parametrize("server", [0, 1])
async def test_a_session_is_ended_from_any_server(two: Watched, tabs: Tabs, server: int):
    ended, stays = await tabs.open("alpha", "alice", server=1), await tabs.open("alpha", "bob", server=1)
    second = await tabs.again(ended)
    In(two.servers[server]).run(f'relay.publish("end_session", session={short_of(two, "alice")!r})')
    by_admin = Change("", (), BY_ADMIN, "ended by an administrator", ())
    await assert_closes([ended, second], by_admin, time.monotonic(), AT_ONCE if server == 1 else BY_POLLING)
    await stays.lives()


async def test_a_message_reaches_all_tabs_of_a_session_and_no_other(two: Watched, tabs: Tabs):
    one, other = await tabs.open("alpha", "alice"), await tabs.open("alpha", "bob")
    second = await tabs.again(one)
    In(two.server).run(
        f'relay.publish("message", session={short_of(two, "alice")!r}, text="Tea is <b>ready</b>.")'
    )
    for tab in (one, second):
        event = (await tab.socket.patch()).content["events"][0]
        assert event["msg_type"] == "apps-registry-message"
        assert event["msg_data"] == "Tea is <b>ready</b>."
    await other.lives()
    assert other.socket.patches == []


# Changes by SQL


@pytest.fixture(scope="module")
def wary(own_site: Site) -> Iterator[Watched]:
    """A server that hears nothing, and asks all rights again every second."""
    with watch(own_site, RECHECK_SECONDS=1, NOTICE_SECONDS=3600) as watched:
        yield watched


BY_SQL = {
    "app": ('VizApp.objects.filter(name="alpha").update(enabled=False)', DISABLED),
    "row deleted": (
        "from django.db import transaction\nwith transaction.atomic():\n"
        '    Grant.objects.all()._raw_delete("default")\n'
        "    for model in (Opening, LiveSession):\n        model.objects.update(app=None)\n"
        '    VizApp.objects.filter(name="alpha")._raw_delete("default")',
        DISABLED,
    ),
    "grant": ("Grant.objects.all()._raw_delete('default')", ACCESS_ENDED),
    "user": ('User.objects.filter(username="alice").update(is_active=False)', LOGIN_ENDED),
    "password": ('User.objects.filter(username="alice").update(password="!")', LOGIN_ENDED),
    "login": (
        "from django.contrib.sessions.models import Session\nSession.objects.all()._raw_delete('default')",
        LOGIN_ENDED,
    ),
}


@pytest.mark.parametrize("name", BY_SQL)
async def test_changes_by_sql_show_too(wary: Watched, name: str):
    wary.reset()
    wary.run(
        'VizApp.objects.filter(name="alpha").update(access="grant")\n'
        'Grant.objects.create(app=VizApp.objects.get(name="alpha"), user=User.objects.get(username="alice"))'
    )
    wary.refresh()
    code, close_code = BY_SQL[name]
    async with Tabs(wary) as tabs:
        tab, stays = await tabs.open("alpha", "alice"), None
        if name != "login":
            stays = await tabs.open("beta", "bob")
        wary.run(code)
        since = time.monotonic()
        assert (await tab.closing())[0] == close_code
        assert time.monotonic() - since < 2 * busy()
        if stays is not None:
            await stays.lives()


# A right that goes while a session is made

LATE = {
    "app switched off": ('row = VizApp.objects.get(name="gated"); row.enabled = False; row.save()', DISABLED),
    "access narrowed": (
        'row = VizApp.objects.get(name="gated"); row.access = "grant"; row.save()',
        ACCESS_ENDED,
    ),
    "user switched off": (ALICE + "alice.is_active = False; alice.save()", LOGIN_ENDED),
    "app loaded anew": ('relay.publish("reload", app="gated")', RELOADED),
}


@pytest.mark.parametrize("name", LATE)
async def test_a_right_that_goes_while_the_session_is_made_does_not_slip_through(
    two: Watched, tabs: Tabs, name: str
):
    code, close_code = LATE[name]
    site = two.site
    site.mood.unlink(missing_ok=True)
    site.journal.write_text("")
    opening = asyncio.create_task(tabs.open("gated", "alice"))
    try:
        async with asyncio.timeout(30):
            while "building" not in site.journal.read_text():
                await asyncio.sleep(0.01)
        In(two.server).run(code)
        await asyncio.sleep(0.3)
    finally:
        site.mood.touch()
    with pytest.raises(Refused) as refused:
        raise Refused((await (await opening).closing(10))[0])
    assert refused.value.code == close_code


# Many sockets


async def test_many_sockets_close_at_once(two: Watched, tabs: Tabs):
    two.run(
        GRANTED + 'names = [f"reader{number}" for number in range(20)]\n'
        "User.objects.bulk_create(User(username=name) for name in names)\n"
        "group.user_set.add(*User.objects.filter(username__in=names))"
    )
    two.refresh()
    many = []
    for number in range(20):
        first = await tabs.open("alpha", f"reader{number}")
        many += [first, await tabs.again(first), await tabs.again(first)]
    bob = await tabs.open("alpha", "bob")
    In(two.server).run('Grant.objects.get(group__name="readers").delete()')
    await assert_closes(many, CHANGES["grant of a group revoked"], time.monotonic(), AT_ONCE)
    await bob.lives()


# Limits


def set_row(watched: Watched, **values: object) -> None:
    """Set fields of the row of alpha."""
    watched.run(f'VizApp.objects.filter(name="alpha").update(**{values!r})')
    watched.refresh()


@pytest.fixture
def counted(two: Watched) -> Watched:
    """The same, once no server has anything written down that has just ended, and counts for the others."""
    wait_until(lambda: two.run("result = LiveSession.objects.count()") == 0)
    return two


async def test_no_more_sessions_than_the_row_allows(counted: Watched, tabs: Tabs):
    set_row(counted, max_sessions=2)
    alice = await tabs.open("alpha", "alice")
    await tabs.open("alpha", "bob")
    with pytest.raises(Refused) as refused:
        await tabs.open("alpha", "sara")
    assert refused.value.code == TOO_MANY
    await tabs.again(alice)
    set_row(counted, max_sessions=3)
    await tabs.open("alpha", "sara")


async def test_no_more_sessions_of_one_user_than_the_row_allows(counted: Watched, tabs: Tabs):
    set_row(counted, max_sessions_per_user=1)
    await tabs.open("alpha", "alice")
    with pytest.raises(Refused) as refused:
        await tabs.open("alpha", "alice")
    assert refused.value.code == TOO_MANY
    await tabs.open("alpha", "bob")


@pytest.mark.parametrize("limit", ["max_sessions", "max_sessions_per_user"])
async def test_limits_hold_over_several_servers(two: Watched, tabs: Tabs, limit: str):
    set_row(two, **{limit: 1})
    first = await tabs.open("alpha", "alice")
    short_of(two, "alice")
    with pytest.raises(Refused) as refused:
        await tabs.open("alpha", "alice", server=1)
    assert refused.value.code == TOO_MANY
    moved = Tab(two.servers[1], "alpha", first.headers, first.token, first.socket)
    await tabs.again(moved)


async def test_tabs_that_nobody_uses_are_closed(two: Watched, tabs: Tabs):
    set_row(two, idle_seconds=1)
    before = time.monotonic()
    tab, other = await tabs.open("alpha", "alice"), await tabs.open("beta", "alice")
    opened = time.monotonic()
    code, reason = await tab.closing()
    assert code == IDLE
    assert "nobody used it" in reason
    closed = time.monotonic()
    assert closed - before > 0.9
    assert closed - opened < 3 * busy()
    await other.lives()


async def test_an_app_says_how_long_it_waits_for_its_viewers(two: Watched, tabs: Tabs):
    tab, other = await tabs.open("alpha", "alice"), await tabs.open("beta", "alice")
    # Before that, the page would have to be followed by its socket as fast
    set_row(two, unattended_seconds=0)
    assert In(two.server).sessions().count("alpha") == 1
    await tab.socket.socket.close()
    wait_until(lambda: "alpha" not in In(two.server).sessions())
    await other.socket.press("more")
    await other.socket.socket.close()
    assert (await tabs.again(other)).socket.find("count").text == "1"


async def test_a_page_that_takes_an_app_off_ends_its_session(two: Watched, tabs: Tabs):
    tab = await tabs.open("alpha", "alice")
    second = await tabs.again(tab)
    await tab.socket.socket.close(TAKEN_OFF)
    await second.socket.press("more")
    assert In(two.server).sessions().count("alpha") == 1, "Somebody else still looks at it."
    await second.socket.socket.close(TAKEN_OFF)
    wait_until(lambda: "alpha" not in In(two.server).sessions(), within=5)


async def test_an_app_is_loaded_while_it_is_on_and_its_hooks_run_then(two: Watched, tabs: Tabs):
    def noted() -> list[str]:
        return sorted(line for line in two.site.journal.read_text().splitlines() if "loaded" in line)

    def in_all(what: str) -> list[str]:
        return sorted(f"{what} {server.process.pid}" for server in two.servers)

    two.run('VizApp.objects.create(name="hooked", source="hooked", access="login")')
    two.refresh()
    await (await tabs.open("alpha", "alice")).lives()
    assert noted() == [], "What is off is not loaded."
    two.run('row = VizApp.objects.get(name="hooked"); row.enabled = True; row.save()')
    wait_until(lambda: noted() == in_all("loaded"))
    two.run('row = VizApp.objects.get(name="hooked"); row.enabled = False; row.save()')
    wait_until(lambda: noted() == sorted([*in_all("loaded"), *in_all("unloaded")]))
