"""Who may do what: all faces of the decision agree, for every kind of user and every kind of row."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone

from apps_registry.access import let_in
from apps_registry.exceptions import AppNotFound, LoginRequired
from apps_registry.models import Access, Grant, GuestLink, VizApp
from apps_registry.permissions import ROLES, GuestUser, guest, is_guest, may, user_id, user_name
from apps_registry.registry import named_row

pytestmark = pytest.mark.django_db

EVERYBODY, LOGINS, HOLDERS = Access.PUBLIC, Access.LOGIN, Access.GRANT
ROW_ROLES = [name for name, role in ROLES.items() if role.granted_by]
PUBLISH = ROLES["publish"].permission


@dataclass(frozen=True)
class Kind:
    """A kind of user, and what is right for it: the decision of the table below, by no code of ours."""

    #: Attributes of the user; None: he is made by ``other``
    user: dict[str, Any] | None = field(default_factory=dict)
    #: None, an ``AnonymousUser``, or a guest with this link
    other: Any = None
    user_grant: str | None = None
    group_grant: str | None = None
    permission: str | None = None
    #: The kinds of access with which he opens an app that is on
    opens: tuple[Access, ...] = (EVERYBODY, LOGINS)
    opens_off: bool = False
    manages: bool = False
    pushes: bool = False


VISITOR = (EVERYBODY,)
ALL = (EVERYBODY, LOGINS, HOLDERS)

KINDS = {
    "nobody": Kind(user=None, opens=VISITOR),
    "anonymous": Kind(user=None, other="anonymous", opens=VISITOR),
    "guest": Kind(user=None, other="valid", opens=ALL),
    "guest, expired": Kind(user=None, other="expired", opens=VISITOR),
    "guest, revoked": Kind(user=None, other="revoked", opens=VISITOR),
    "guest of another app": Kind(user=None, other="elsewhere", opens=VISITOR),
    "stranger": Kind(),
    "may open": Kind(user_grant="open", opens=ALL),
    "group may open": Kind(group_grant="open", opens=ALL),
    "may push": Kind(user_grant="push", opens=ALL, pushes=True),
    "group may push": Kind(group_grant="push", opens=ALL, pushes=True),
    "may manage": Kind(user_grant="manage", opens=ALL, manages=True, pushes=True),
    "group may manage": Kind(group_grant="manage", opens=ALL, manages=True, pushes=True),
    "staff": Kind({"is_staff": True}),
    "staff, may change": Kind({"is_staff": True}, permission="change_vizapp", manages=True),
    "may publish": Kind(permission=PUBLISH.partition(".")[2]),
    "superuser": Kind({"is_superuser": True}, opens=ALL, opens_off=True, manages=True, pushes=True),
    "inactive": Kind({"is_active": False}, user_grant="manage", group_grant="open", opens=VISITOR),
    "inactive superuser": Kind({"is_active": False, "is_superuser": True}, opens=VISITOR),
    "inactive, may change": Kind(
        {"is_active": False, "is_staff": True}, permission="change_vizapp", opens=VISITOR
    ),
}
#: What guest links are like that are not simply valid.
LINKS = {
    "valid": {},
    "expired": {"expires_at": timezone.now() - timedelta(seconds=1)},
    "revoked": {"revoked_at": timezone.now()},
}


def make_row(name: str = "app", *, enabled: bool = True, access: str = HOLDERS) -> VizApp:
    return VizApp.objects.create(name=name, source=name, enabled=enabled, access=access)


def make_link(row: VizApp, **values: Any) -> GuestLink:
    return GuestLink.objects.create(app=row, **{"expires_at": timezone.now() + timedelta(1), **values})


def make_user(kind: Kind, row: VizApp) -> Any:
    """A user of a kind, as the database gives him anew."""
    if kind.user is None:
        return _make_visitor(kind.other, row)
    user = User.objects.create(username="ann", **kind.user)
    if kind.user_grant:
        Grant.objects.create(app=row, role=kind.user_grant, user=user)
    if kind.group_grant:
        group = Group.objects.create(name="people")
        user.groups.add(group)
        Grant.objects.create(app=row, role=kind.group_grant, group=group)
    if kind.permission:
        user.user_permissions.add(Permission.objects.get(codename=kind.permission))
    return User.objects.get(pk=user.pk)


def _make_visitor(other: str | None, row: VizApp) -> Any:
    match other:
        case None:
            return None
        case "anonymous":
            return AnonymousUser()
        case "elsewhere":
            return GuestUser(make_link(make_row("elsewhere", enabled=False)))
        case _:
            return GuestUser(make_link(row, **LINKS[other]))


def perms(user: Any, expression: str) -> bool:
    """What a template of the site sees in ``perms``."""
    request = RequestFactory().get("/")
    request.user = user
    template = engines["django"].from_string(f"{{% if perms.{expression} %}}yes{{% endif %}}")
    return template.render({}, request) == "yes"


def answers(user: Any, role: str, row: VizApp) -> dict[str, bool]:
    """Every way to ask whether ``user`` may do ``role`` with ``row``."""
    found = {"may": may(user, role, row)}
    if role == "open":
        found["visible_to"] = row in VizApp.objects.visible_to(user)
        found["let_in"] = _is_let_in(user, row)
    if role == "manage":
        found["manageable_by"] = row in VizApp.objects.manageable_by(user)
    if user is not None:
        found["has_perm"] = user.has_perm(ROLES[role].permission, row)
        found["get_all_permissions"] = ROLES[role].permission in user.get_all_permissions(row)
    return found


def _is_let_in(user: Any, row: VizApp) -> bool:
    try:
        return let_in(user, row) is user
    except (AppNotFound, LoginRequired):
        return False


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("name", KINDS)
def test_all_ways_to_ask_give_the_answer_of_the_table(name: str, access: Access, enabled: bool):
    kind, row = KINDS[name], make_row(enabled=enabled, access=access)
    user = make_user(kind, row)
    right = {
        "open": (access in kind.opens) if enabled else kind.opens_off,
        "manage": kind.manages,
        "push": kind.pushes and (enabled or kind.opens_off),
    }
    for role, expected in right.items():
        asked = answers(user, role, row)
        assert asked == dict.fromkeys(asked, expected), role
    assert not may(user, "publish", row) or name in ("may publish", "superuser")
    assert may(user, "publish", None) == (name in ("may publish", "superuser"))
    if user is not None:
        assert user.has_perm(PUBLISH, row) == may(user, "publish", row)
        for role, expected in right.items():
            # A superuser has every permission, also of what is not there
            anywhere = expected or (user.is_active and user.is_superuser)
            permission = ROLES[role].permission
            assert user.has_perm(permission) == anywhere, role
            assert perms(user, permission) == anywhere, role


@pytest.mark.parametrize("name", [name for name in KINDS if name != "nobody"])
def test_asked_in_async_code_has_perm_says_the_same(name: str):
    row = make_row()
    user = make_user(KINDS[name], row)
    for permission in [*(role.permission for role in ROLES.values()), "apps_registry.change_vizapp"]:
        for thing in (row, None):
            expected = user.has_perm(permission, thing)
            assert async_to_sync(user.ahas_perm)(permission, thing) == expected, (permission, thing)


def test_what_is_said_of_grants_is_tried_here():
    granted = {(kind.user_grant, kind.group_grant) for kind in KINDS.values()}
    for role in ROW_ROLES:
        assert {(role, None), (None, role)} <= granted, "A role that can be granted lacks its kinds of users."
    assert ROW_ROLES == ["open", "manage", "push"]


def test_every_role_is_declared_with_a_sentence_and_a_permission():
    assert list(ROLES) == ["open", "manage", "publish", "push"]
    for name, role in ROLES.items():
        assert role.help.endswith(".")
        assert role.permission.startswith(f"apps_registry.{name}_")
        assert set(role.granted_by) <= set(ROLES)
        assert not role.granted_by or name in role.granted_by


@pytest.mark.parametrize("name", KINDS)
def test_a_role_that_does_not_exist_is_an_error_for_everybody(name: str):
    row = make_row()
    user = make_user(KINDS[name], row)
    with pytest.raises(KeyError):
        may(user, "opne", row)


def test_a_word_for_access_that_is_none_opens_nothing():
    row, user = make_row(access="Public"), User.objects.create(username="ann")
    assert set(answers(user, "open", row).values()) == {False}
    assert set(answers(AnonymousUser(), "open", row).values()) == {False}
    Grant.objects.create(app=row, user=user)
    assert set(answers(user, "open", row).values()) == {True}


def test_only_permissions_that_have_an_effect_can_be_given_in_the_admin():
    known = set(
        Permission.objects.filter(content_type__app_label="apps_registry").values_list("codename", flat=True)
    )
    for role in ROLES.values():
        codename = role.permission.partition(".")[2]
        assert (codename in known) == (not role.granted_by), codename


def test_permissions_of_others_are_none_of_ours():
    row, user = make_row(access=EVERYBODY), User.objects.create(username="ann")
    Grant.objects.create(app=row, user=user, role="manage")
    for permission in ("apps_registry.change_vizapp", "auth.change_user", "open_vizapp", "", "nonsense"):
        assert not user.has_perm(permission, row)
    assert not user.has_perm("apps_registry.open_vizapp", user), "That is no row."
    assert not user.has_perm("apps_registry.open_vizapp", "app")


def test_a_user_who_is_deleted_has_no_grants():
    row, group = make_row(), Group.objects.create(name="people")
    Grant.objects.create(app=row, group=group)
    user = User.objects.create(username="ann")
    user.groups.add(group)
    user.delete()
    assert set(answers(user, "open", row).values()) == {False}
    assert not may(User(username="never saved", is_superuser=True), "open", row)


# A site's own user model


@dataclass
class PlainUser:
    """As little as a user can be."""

    pk: int
    is_active: bool = True
    is_authenticated: bool = True


def test_a_user_model_without_groups_and_permissions_will_do():
    row = make_row()
    user = User.objects.create(username="ann")
    plain = PlainUser(user.pk)
    assert not may(plain, "open", row)
    assert not may(plain, "manage", row)
    assert not may(plain, "publish", row)
    Grant.objects.create(app=row, user=user, role="manage")
    assert may(plain, "open", row)
    assert may(plain, "manage", row)
    assert row in VizApp.objects.visible_to(plain)
    assert row in VizApp.objects.manageable_by(plain)


def test_a_user_model_that_only_knows_superusers_will_do():
    row = make_row(enabled=False)
    plain = PlainUser(User.objects.create(username="ann").pk)
    plain.is_superuser = True
    assert row in VizApp.objects.visible_to(plain)
    assert row in VizApp.objects.manageable_by(plain)
    assert may(plain, "open", row)
    assert may(plain, "manage", row)


def test_groups_that_are_no_groups_of_django_do_not_matter():
    row = make_row()
    plain = PlainUser(User.objects.create(username="ann").pk)
    plain.groups = User.objects
    assert not may(plain, "open", row)
    assert row not in VizApp.objects.visible_to(plain)


# At random


#: The grants that are enough for each role.
ENOUGH = {"open": ("open", "push", "manage"), "push": ("push", "manage"), "manage": ("manage",)}


class Chance:
    """Users, groups, rows and grants by the dice, and what is right among them."""

    def __init__(self, dice: random.Random) -> None:
        self.groups = [Group.objects.create(name=f"g{n}") for n in range(3)]
        self.users = [
            User.objects.create(
                username=f"u{n}", is_active=dice.random() > 0.2, is_superuser=dice.random() < 0.1
            )
            for n in range(4)
        ]
        self.rows = [
            make_row(f"a{n}", enabled=dice.random() > 0.3, access=dice.choice(Access.values))
            for n in range(5)
        ]
        pairs = itertools.product(self.users, self.groups)
        self.members = {pair for pair in pairs if dice.random() < 0.4}
        for user, group in self.members:
            user.groups.add(group)
        triples = itertools.product(self.rows, ROW_ROLES, self.users + self.groups)
        self.grants = {triple for triple in triples if dice.random() < 0.1}
        for row, role, who in self.grants:
            Grant.objects.create(app=row, role=role, **{type(who).__name__.lower(): who})

    def _holds(self, user: User, role: str, row: VizApp) -> bool:
        mine = [user, *(group for group in self.groups if (user, group) in self.members)]
        return any((row, one, who) in self.grants for one in ENOUGH[role] for who in mine)

    def is_right(self, user: User, role: str, row: VizApp) -> bool:
        """Whether ``user`` should be allowed ``role``."""
        if not user.is_active:
            return role == "open" and row.enabled and row.access == EVERYBODY
        if user.is_superuser:
            return True
        if not row.enabled and role != "manage":
            return False
        return (role == "open" and row.access != HOLDERS) or self._holds(user, role, row)


@pytest.mark.parametrize("seed", range(8))
def test_at_random_all_ways_to_ask_agree_with_the_grants(seed: int):
    chance = Chance(random.Random(seed))
    for user, role, row in itertools.product(chance.users, ROW_ROLES, chance.rows):
        asked = answers(user, role, row)
        assert asked == dict.fromkeys(asked, chance.is_right(user, role, row)), (user, role, row.name)
    for user in chance.users:
        seen = list(VizApp.objects.visible_to(user))
        assert len(seen) == len(set(seen)), "A row is listed twice."
        for role in ROW_ROLES:
            has_any = any(chance.is_right(user, role, row) for row in chance.rows)
            anywhere = has_any or (user.is_active and user.is_superuser)
            assert user.has_perm(ROLES[role].permission) == anywhere


# How much it costs


@pytest.mark.parametrize(("apps", "groups"), [(1, 1), (500, 50)])
@pytest.mark.parametrize("who", ["anonymous", "guest", "user", "superuser"])
def test_what_a_user_may_open_is_one_query(who: str, apps: int, groups: int, django_assert_num_queries: Any):
    rows = VizApp.objects.bulk_create(
        VizApp(name=f"a{n}", source=f"a{n}", enabled=True, access=Access.values[n % 3]) for n in range(apps)
    )
    named = Group.objects.bulk_create(Group(name=f"g{n}") for n in range(groups))
    ann = User.objects.create(username="ann", is_superuser=who == "superuser")
    ann.groups.set(named)
    Grant.objects.bulk_create(Grant(app=row, group=named[n % groups]) for n, row in enumerate(rows))
    users = {"anonymous": AnonymousUser(), "guest": GuestUser(make_link(rows[0]))}
    user = users.get(who) or User.objects.get(pk=ann.pk)
    with django_assert_num_queries(1):
        seen = list(VizApp.objects.visible_to(user))
    expected = apps if who in ("user", "superuser") else -(-apps // 3)
    assert len(seen) == expected


def test_one_question_about_one_row_is_one_query(django_assert_num_queries: Any):
    row = make_row()
    ann = User.objects.create(username="ann")
    ann.groups.set(Group.objects.bulk_create(Group(name=f"g{n}") for n in range(50)))
    user = get_user_model().objects.get(pk=ann.pk)
    with django_assert_num_queries(1):
        assert not may(user, "open", row)
    row.access = LOGINS
    with django_assert_num_queries(0):
        assert may(user, "open", row)


# Guests


def test_a_guest_is_found_by_key_and_by_what_tokens_call_him():
    link = make_link(make_row(), note="the auditors")
    found = guest(link.key)
    assert found is not None
    assert (user_id(found), user_name(found)) == (f"guest:{link.key}", "guest (the auditors)")
    assert is_guest(user_id(found))
    assert guest(user_id(found)).guest_link == link
    assert not found.is_authenticated


@pytest.mark.parametrize("key", ["", "nonsense", "guest:", "x" * 5000, "nul\0", "\udc80", "'; --"])
def test_a_key_that_opens_nothing_is_no_guest(key: str):
    make_link(make_row())
    assert guest(key) is None


@pytest.mark.parametrize("state", ["expired", "revoked"])
def test_a_link_that_is_over_makes_no_guest(state: str):
    assert guest(make_link(make_row(), **LINKS[state]).key) is None


def test_a_link_that_ends_takes_the_right_from_a_guest_who_is_there():
    row = make_row()
    link = make_link(row)
    user = guest(link.key)
    assert may(user, "open", row)
    user.guest_link.expires_at = timezone.now()
    assert set(answers(user, "open", row).values()) == {False}


def test_a_link_lets_nobody_into_an_app_that_is_off():
    row = make_row(enabled=False)
    assert set(answers(guest(make_link(row).key), "open", row).values()) == {False}


# At the door


def test_who_holds_a_link_and_a_login_comes_as_himself_where_he_may():
    row, user = make_row(access=LOGINS), User.objects.create(username="ann")
    key = make_link(row).key
    assert let_in(user, row, key) is user
    row.access = HOLDERS
    assert isinstance(let_in(user, row, key), GuestUser)
    row.enabled = False
    with pytest.raises(AppNotFound):
        let_in(user, row, key)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
def test_only_for_a_login_that_would_help_is_one_asked(name: str, access: Access, enabled: bool):
    row = make_row(enabled=enabled, access=access)
    user = make_user(KINDS[name], row)
    if may(user, "open", row):
        return
    is_visitor = user is None or not (user.is_authenticated and user.is_active)
    with pytest.raises(LoginRequired if enabled and access == LOGINS and is_visitor else AppNotFound):
        let_in(user, row)


# Apps that stand in no database


@pytest.mark.parametrize("access", Access)
def test_an_app_that_the_settings_name_has_no_grants(access: Access, settings: Any):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "ACCESS": access}
    # A grant on some row is no grant on one that has no key
    ann = User.objects.create(username="ann")
    Grant.objects.create(app=make_row(), user=ann, role="manage")
    row = named_row("witness")
    assert may(None, "open", row) == (access == EVERYBODY)
    assert may(ann, "open", row) == (access != HOLDERS)
    assert not may(ann, "manage", row)
    assert not may(ann, "push", row)
    assert not may(GuestUser(make_link(make_row("other"))), "open", row) or access == EVERYBODY
    boss = SimpleNamespace(pk=0, is_authenticated=True, is_active=True, is_superuser=True)
    assert may(boss, "open", row)
