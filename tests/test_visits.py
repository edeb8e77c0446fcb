"""Who stands behind a socket, and the asking again by what right it is open."""

from __future__ import annotations

import time
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.models import Session as Login
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from apps_registry import login, permissions
from apps_registry.exceptions import AccessEnded, AppDisabled, LoginEnded, VizserverError
from apps_registry.live.connection import Connection
from apps_registry.models import Grant, GuestLink, VizApp
from apps_registry.tokens import CLIENT, Claims
from apps_registry.visits import Recheck, Visit, Visits

pytestmark = pytest.mark.django_db


def logged_in(user: User) -> dict[str, Any]:
    """The handshake of a browser in which somebody is logged in."""
    browser = Client()
    browser.force_login(user)
    return handshake(browser.cookies[site.SESSION_COOKIE_NAME].value)


def handshake(key: str | None = None) -> dict[str, Any]:
    cookie = [(b"cookie", f"{site.SESSION_COOKIE_NAME}={key}".encode())] if key else []
    return {"type": "websocket", "headers": cookie, "url_route": {"kwargs": {"name": "alpha"}}}


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password="alice")


# Who it is


def test_the_user_is_that_of_the_cookie(alice: User):
    scope = logged_in(alice)
    assert login.user_of(scope) == alice
    assert not login.user_of(handshake()).is_authenticated
    assert not login.user_of(handshake("nonsense")).is_authenticated


def test_a_user_who_is_switched_off_is_nobody(alice: User):
    scope = logged_in(alice)
    User.objects.update(is_active=False)
    assert not login.user_of(scope).is_authenticated


def test_a_login_with_an_old_password_is_nobodys_and_is_left_as_it_is(alice: User):
    scope = logged_in(alice)
    before = Login.objects.get().session_data
    alice.set_password("new")
    alice.save()
    assert not login.user_of(scope).is_authenticated
    assert Login.objects.get().session_data == before


def test_a_login_signed_with_the_key_of_yesterday_holds_and_is_left_as_it_is(alice: User, settings: Any):
    scope = logged_in(alice)
    before = Login.objects.get().session_key
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "today" * 10, [settings.SECRET_KEY]
    assert login.user_of(scope) == alice
    assert Login.objects.get().session_key == before, "A socket cannot give the browser another cookie."


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file", "signed_cookies"])
def test_every_engine_of_sessions_does(alice: User, settings: Any, engine: str, tmp_path: Any):
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    scope = logged_in(alice)
    assert login.user_of(scope) == alice
    assert login.name_of(scope) != login.name_of(logged_in(User.objects.create_user("bob")))


def by_middleware(user: Any, session: Any = None) -> dict[str, Any]:
    """The handshake as a site's own middleware hands it on."""
    return {**handshake(), "user": user, **({"session": session} if session is not None else {})}


def test_whom_a_middleware_of_the_site_knows_is_read_again_by_his_name(alice: User):
    scope = by_middleware(alice)
    User.objects.update(is_superuser=True)
    assert login.user_of(scope) is alice
    assert login.user_of(scope, fresh=True).is_superuser
    User.objects.update(is_active=False)
    assert not login.user_of(scope, fresh=True).is_authenticated
    User.objects.all().delete()
    assert not login.user_of(scope, fresh=True).is_authenticated
    assert not login.user_of(by_middleware(AnonymousUser()), fresh=True).is_authenticated


def test_whom_the_middleware_of_channels_knows_is_read_again_by_his_login(alice: User):
    key = logged_in(alice)["headers"][0][1].decode().partition("=")[2]
    store = import_module(site.SESSION_ENGINE).SessionStore(key)
    scope = by_middleware(alice, store)
    assert login.user_of(scope, fresh=True) == alice
    assert login.name_of(scope) == login.name_of(handshake(key))
    Login.objects.all().delete()
    assert not login.user_of(scope, fresh=True).is_authenticated


# Asking again


class World:
    """Rows, and visits to them."""

    def __init__(self) -> None:
        self.row = VizApp.objects.create(name="alpha", source="alpha.py", enabled=True, access="grant")
        self.visits = Visits(lambda name: VizApp.objects.filter(name=name).first())

    def visit(
        self,
        user: Any,
        scope: dict[str, Any] | None = None,
        *,
        owner: object = None,
        may_push: bool = False,
        pushes: bool = False,
    ) -> Visit:
        user_id = permissions.user_id(user)
        claims = Claims("id", owner or user_id, user_id, {}, {}, may_push, 0)
        connection = Connection(limit=1, may_push=may_push or pushes)
        session: Any = SimpleNamespace(started=0)
        opening: Any = None
        visit = Visit(connection, session, "alpha", user, scope or handshake(), claims, opening)
        self.visits.add(visit)
        return visit

    def refused(self, *, fresh: bool = False) -> dict[Visit, type[VizserverError]]:
        asked = Recheck(self.visits, fresh=fresh).refused(self.visits.all())
        return {visit: type(error) for visit, error in asked}


@pytest.fixture
def world() -> World:
    return World()


def test_many_sockets_of_one_user_are_asked_about_once(
    world: World, alice: User, django_assert_num_queries: Any
):
    Grant.objects.create(app=world.row, user=alice)
    world.visits._row = {"alpha": world.row}.get
    scope = logged_in(alice)
    for _ in range(50):
        world.visit(alice, scope)
    with django_assert_num_queries(2):
        assert world.refused() == {}
    with django_assert_num_queries(3):
        assert world.refused(fresh=True) == {}


@pytest.mark.parametrize("access", ["public", "login", "grant"])
def test_many_users_are_asked_about_together_and_get_the_same_answers(
    world: World, access: str, django_assert_max_num_queries: Any
):
    group = Group.objects.create(name="readers")
    Grant.objects.create(app=world.row, group=group)
    VizApp.objects.create(name="other", source="other.py")
    world.row.access = access
    world.visits._row = {"alpha": world.row}.get
    for number in range(12):
        kinds = {"is_superuser": number == 4, "is_active": number != 5}
        user = User.objects.create_user(f"user{number}", **kinds)
        if number % 2:
            group.user_set.add(user)
        if number % 3 == 0:
            role = ("open", "push", "manage", "open")[number // 3]
            Grant.objects.create(app=world.row, user=user, role=role)
        world.visit(user)
    world.visit(AnonymousUser())
    visits = world.visits.all()
    alone = {visit.user.pk: permissions.may(visit.user, "open", world.row) for visit in visits}
    with django_assert_max_num_queries(2):
        refused = world.refused()
    assert {visit.user.pk: visit not in refused for visit in visits} == alone
    assert len(set(alone.values())) == (1 if access == "public" else 2)


def test_users_whom_only_a_middleware_knows_are_not_taken_for_one_another(world: World, alice: User):
    bob = User.objects.create_user("bob")
    Grant.objects.create(app=world.row, user=alice)
    Grant.objects.create(app=world.row, user=bob)
    for user in (alice, bob):
        world.visit(user, by_middleware(user))
    assert world.refused(fresh=True) == {}


def test_what_was_found_out_is_known_next_time(world: World, alice: User):
    """Rights are asked by the user as he was last read, until he is read again."""
    User.objects.update(is_superuser=True)
    alice.refresh_from_db()
    visit = world.visit(alice, logged_in(alice))
    User.objects.update(is_superuser=False)
    Grant.objects.create(app=world.row, user=alice)
    assert world.refused(fresh=True) == {}
    Grant.objects.all().delete()
    assert world.refused() == {visit: AccessEnded}


def test_a_right_to_push_that_goes_leaves_the_socket_open(world: World, alice: User):
    grants = [Grant.objects.create(app=world.row, user=alice, role=role) for role in ("open", "push")]
    visit, holder = world.visit(alice, pushes=True), world.visit(None, owner=CLIENT, may_push=True)
    assert world.refused() == {}
    assert visit.connection.may_push
    grants[1].delete()
    assert world.refused() == {}
    assert not visit.connection.may_push
    assert holder.connection.may_push, "Who has the key may push."
    VizApp.objects.update(enabled=False)
    assert world.refused() == {visit: AppDisabled, holder: AppDisabled}


def test_a_named_session_is_open_to_whoever_may_open_the_app(world: World, alice: User):
    VizApp.objects.update(access="login")
    named, own = world.visit(alice, logged_in(alice), owner=CLIENT), world.visit(alice, logged_in(alice))
    Login.objects.all().delete()
    assert set(world.refused(fresh=True)) == {named, own}
    VizApp.objects.update(access="public")
    assert world.refused(fresh=True) == {own: LoginEnded}


def test_a_guest_stays_when_the_login_of_his_browser_ends(world: World, alice: User):
    link = GuestLink.objects.create(app=world.row, expires_at=timezone.now() + timedelta(hours=1))
    scope = logged_in(alice)
    guest, own = world.visit(permissions.GuestUser(link), scope), world.visit(alice, scope)
    Grant.objects.create(app=world.row, user=alice)
    world.visits.end_login(login.name_of(scope))
    assert world.refused(fresh=True) == {own: LoginEnded}
    assert guest.expires_at == link.expires_at
    GuestLink.objects.update(expires_at=timezone.now())
    assert world.refused() == {guest: AccessEnded}


def test_code_of_the_site_that_fails_closes_the_socket_and_no_other(
    world: World, alice: User, monkeypatch: pytest.MonkeyPatch
):
    VizApp.objects.update(access="login")
    bob = User.objects.create_user("bob")
    visits = {user: world.visit(user) for user in (alice, bob)}
    is_login = permissions.is_login

    def failing(user: Any) -> bool:
        if user == alice:
            raise RuntimeError("a user model of the site")
        return is_login(user)

    monkeypatch.setattr(permissions, "is_login", failing)
    assert world.refused() == {visits[alice]: VizserverError}


def test_a_database_that_is_away_closes_nothing(world: World, alice: User, monkeypatch: pytest.MonkeyPatch):
    def failing(*asked: object) -> bool:
        raise OperationalError("gone")

    world.visit(alice)
    monkeypatch.setattr(permissions, "is_login", failing)
    with pytest.raises(OperationalError):
        world.refused()


def test_ended_logins_are_not_remembered_for_good(world: World, monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    world.visits.end_login("one")
    now[0] += 700
    world.visits.end_login("two")
    assert set(world.visits._ended_logins) == {"two"}
