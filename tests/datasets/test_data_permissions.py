"""Who may do what with a data set: all faces of the decision agree, for every kind of user and of data set."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.utils import timezone

from apps_registry.datasets.finding import find
from apps_registry.exceptions import MayNotManage, MayNotPublish, MayNotSee
from apps_registry.models import Access, Dataset, DatasetGrant, GuestLink, VizApp
from apps_registry.permissions import ROLES, GuestUser, may

from ..test_permissions import PlainUser

pytestmark = pytest.mark.django_db

EVERYBODY, LOGINS, HOLDERS = Access.PUBLIC, Access.LOGIN, Access.GRANT
#: The roles that a data set has; each holds those before it.
DATA_ROLES = ["open", "publish", "manage"]
ALL = (EVERYBODY, LOGINS, HOLDERS)


@dataclass(frozen=True)
class Kind:
    """A kind of user, and what is right for it: the decision of the table below, by no code of ours."""

    #: Attributes of the user; None: nobody is logged in
    user: dict[str, Any] | None = field(default_factory=dict)
    owns: bool = False
    user_grant: str | None = None
    group_grant: str | None = None
    permission: str | None = None
    #: The kinds of access with which he sees a data set
    sees: tuple[Access, ...] = (EVERYBODY, LOGINS)
    publishes: bool = False
    manages: bool = False
    makes: bool = False


KINDS = {
    "nobody": Kind(user=None, sees=(EVERYBODY,)),
    "stranger": Kind(),
    "owner": Kind(owns=True, sees=ALL, publishes=True, manages=True),
    "viewer": Kind(user_grant="open", sees=ALL),
    "group views": Kind(group_grant="open", sees=ALL),
    "publisher": Kind(user_grant="publish", sees=ALL, publishes=True),
    "group publishes": Kind(group_grant="publish", sees=ALL, publishes=True),
    "manager": Kind(user_grant="manage", sees=ALL, publishes=True, manages=True),
    "group manages": Kind(group_grant="manage", sees=ALL, publishes=True, manages=True),
    "staff": Kind({"is_staff": True}),
    "staff, may change": Kind({"is_staff": True}, permission="change_dataset", manages=True),
    "may make": Kind(permission="publish_data", makes=True),
    "superuser": Kind({"is_superuser": True}, sees=ALL, publishes=True, manages=True, makes=True),
    "inactive owner": Kind({"is_active": False}, owns=True, user_grant="manage", sees=(EVERYBODY,)),
    "inactive superuser": Kind({"is_active": False, "is_superuser": True}, sees=(EVERYBODY,)),
    "inactive, may make": Kind({"is_active": False}, permission="publish_data", sees=(EVERYBODY,)),
}


def make_dataset(name: str = "sales", *, access: str = HOLDERS, is_deleted: bool = False) -> Dataset:
    deleted_at = timezone.now() if is_deleted else None
    return Dataset.objects.create(name=name, access=access, deleted_at=deleted_at)


def make_user(kind: Kind, dataset: Dataset) -> Any:
    """A user of a kind, as the database gives him anew."""
    if kind.user is None:
        return AnonymousUser()
    user = User.objects.create(username="ann", **kind.user)
    if kind.owns:
        dataset.owner = user
        dataset.save()
    if kind.user_grant:
        DatasetGrant.objects.create(dataset=dataset, role=kind.user_grant, user=user)
    if kind.group_grant:
        group = Group.objects.create(name="people")
        user.groups.add(group)
        DatasetGrant.objects.create(dataset=dataset, role=kind.group_grant, group=group)
    if kind.permission:
        user.user_permissions.add(Permission.objects.get(codename=kind.permission))
    return User.objects.get(pk=user.pk)


_LISTS = {
    "open": Dataset.objects.visible_to,
    "publish": Dataset.objects.publishable_by,
    "manage": Dataset.objects.manageable_by,
}


def answers(user: Any, role: str, dataset: Dataset) -> dict[str, bool]:
    """Every way to ask whether ``user`` may do ``role`` with ``dataset``."""
    permission = f"apps_registry.{role}_dataset"
    return {
        "may": may(user, role, dataset),
        "list": dataset in _LISTS[role](user),
        "find": _is_found(user, role, dataset),
        "has_perm": user.has_perm(permission, dataset),
        "get_all_permissions": permission in user.get_all_permissions(dataset),
    }


def all_say(is_right: bool, user: Any) -> dict[str, bool]:
    """The answers when all agree; Django itself gives an active superuser every permission, asked or not."""
    ways = ("may", "list", "find", "get_all_permissions")
    return {**dict.fromkeys(ways, is_right), "has_perm": is_right or (user.is_active and user.is_superuser)}


def _is_found(user: Any, role: str, dataset: Dataset) -> bool:
    try:
        return find(dataset.name, user, role) == dataset
    except (MayNotManage, MayNotPublish, MayNotSee):
        return False


@pytest.mark.parametrize("is_deleted", [False, True], ids=["there", "deleted"])
@pytest.mark.parametrize("access", Access)
@pytest.mark.parametrize("name", KINDS)
def test_all_ways_to_ask_give_the_answer_of_the_table(name: str, access: Access, is_deleted: bool):
    kind, dataset = KINDS[name], make_dataset(access=access, is_deleted=is_deleted)
    user = make_user(kind, dataset)
    right = {
        "open": access in kind.sees and not is_deleted,
        "publish": kind.publishes and not is_deleted,
        "manage": kind.manages,
    }
    for role, expected in right.items():
        assert answers(user, role, dataset) == all_say(expected, user), role
        # A superuser has every permission, also of what is not there
        anywhere = expected or (user.is_active and user.is_superuser)
        assert user.has_perm(f"apps_registry.{role}_dataset") == anywhere, role
    assert may(user, "publish", None) == kind.makes
    assert not may(user, "push", dataset)
    if kind.user is None:
        assert [may(None, role, dataset) for role in right] == list(right.values())


@pytest.mark.parametrize("name", KINDS)
def test_asked_in_async_code_has_perm_says_the_same(name: str):
    dataset = make_dataset()
    user = make_user(KINDS[name], dataset)
    for role, thing in itertools.product(DATA_ROLES, (dataset, None)):
        permission = f"apps_registry.{role}_dataset"
        assert async_to_sync(user.ahas_perm)(permission, thing) == user.has_perm(permission, thing)


def test_roles_of_apps_and_of_data_sets_are_not_mixed():
    app, dataset = VizApp.objects.create(name="sales", source="sales", enabled=True), make_dataset()
    ann, bob = (User.objects.create(username=name) for name in ("ann", "bob"))
    DatasetGrant.objects.create(dataset=dataset, role="manage", user=ann)
    app.grants.create(role="manage", user=bob)
    assert [may(user, "open", thing) for user in (ann, bob) for thing in (app, dataset)] == [
        False,
        True,
        True,
        False,
    ]
    assert not ann.has_perm("apps_registry.open_vizapp", dataset)
    assert not bob.has_perm("apps_registry.open_dataset", app)


def test_what_can_be_granted_is_declared_and_tried():
    assert DatasetGrant.Role.values == DATA_ROLES
    assert [role.label for role in DatasetGrant.Role] == ["viewer", "publisher", "owner"]
    assert all(role.help.endswith(".") for role in DatasetGrant.Role)
    granted = {(kind.user_grant, kind.group_grant) for kind in KINDS.values()}
    for role in DATA_ROLES:
        assert {(role, None), (None, role)} <= granted


def test_only_permissions_that_have_an_effect_can_be_given_in_the_admin():
    names = Permission.objects.filter(content_type__model="dataset").values_list("codename", flat=True)
    own = ["add_dataset", "change_dataset", "delete_dataset", "view_dataset"]
    assert sorted(names) == sorted([*own, "publish_data"])
    assert ROLES["publish"].permission == "apps_registry.publish_data"


@pytest.mark.parametrize("name", KINDS)
def test_a_role_that_does_not_exist_is_an_error_for_everybody(name: str):
    dataset = make_dataset()
    user = make_user(KINDS[name], dataset)
    with pytest.raises(KeyError):
        may(user, "view", dataset)


def test_a_word_for_access_that_is_none_shows_nothing():
    dataset, user = make_dataset(access="Public"), User.objects.create(username="ann")
    assert set(answers(user, "open", dataset).values()) == {False}
    assert set(answers(AnonymousUser(), "open", dataset).values()) == {False}


def test_a_guest_of_an_app_sees_what_everybody_sees():
    app = VizApp.objects.create(name="sales", source="sales", enabled=True)
    link = GuestLink.objects.create(app=app, expires_at=timezone.now() + timedelta(1))
    for access in Access:
        dataset = make_dataset(f"d-{access}", access=access)
        assert may(GuestUser(link), "open", dataset) == (access == EVERYBODY)


def test_what_belongs_to_nobody_belongs_to_no_user_without_a_key():
    dataset = make_dataset()
    assert not may(User(username="never saved"), "open", dataset)
    assert not may(User(username="never saved", is_superuser=True), "open", dataset)


def test_a_user_model_without_groups_and_permissions_will_do():
    dataset = make_dataset()
    plain = PlainUser(User.objects.create(username="ann").pk)
    assert not any(may(plain, role, dataset) for role in DATA_ROLES)
    DatasetGrant.objects.create(dataset=dataset, user_id=plain.pk, role="publish")
    assert [may(plain, role, dataset) for role in DATA_ROLES] == [True, True, False]
    assert [dataset in _LISTS[role](plain) for role in DATA_ROLES] == [True, True, False]


# At random


class Chance:
    """Users, groups, data sets and grants by the dice, and what is right among them."""

    def __init__(self, dice: random.Random) -> None:
        self.groups = [Group.objects.create(name=f"g{n}") for n in range(3)]
        self.users = [
            User.objects.create(
                username=f"u{n}", is_active=dice.random() > 0.2, is_superuser=dice.random() < 0.1
            )
            for n in range(4)
        ]
        self.datasets = [
            make_dataset(f"d{n}", access=dice.choice(Access.values), is_deleted=dice.random() < 0.2)
            for n in range(5)
        ]
        for dataset in self.datasets:
            dataset.owner = dice.choice([None, *self.users])
            dataset.save()
        pairs = itertools.product(self.users, self.groups)
        self.members = {pair for pair in pairs if dice.random() < 0.4}
        for user, group in self.members:
            user.groups.add(group)
        triples = itertools.product(self.datasets, DATA_ROLES, self.users + self.groups)
        self.grants = {triple for triple in triples if dice.random() < 0.1}
        for dataset, role, who in self.grants:
            DatasetGrant.objects.create(dataset=dataset, role=role, **{type(who).__name__.lower(): who})

    def is_right(self, user: User, role: str, dataset: Dataset) -> bool:
        """Whether ``user`` should be allowed ``role``."""
        if role != "manage" and dataset.deleted_at is not None:
            return False
        if not user.is_active:
            return role == "open" and dataset.access == EVERYBODY
        mine = [user, *(group for group in self.groups if (user, group) in self.members)]
        enough = DATA_ROLES[DATA_ROLES.index(role) :]
        holds = any((dataset, one, who) in self.grants for one in enough for who in mine)
        is_open = role == "open" and dataset.access != HOLDERS
        return user.is_superuser or dataset.owner == user or is_open or holds


@pytest.mark.parametrize("seed", range(6))
def test_at_random_all_ways_to_ask_agree_with_the_grants(seed: int):
    chance = Chance(random.Random(seed))
    for user, role, dataset in itertools.product(chance.users, DATA_ROLES, chance.datasets):
        said = all_say(chance.is_right(user, role, dataset), user)
        assert answers(user, role, dataset) == said, (user, role, dataset.name)
    for user, role in itertools.product(chance.users, DATA_ROLES):
        found = list(_LISTS[role](user))
        assert len(found) == len(set(found)), "A data set is listed twice."


# How much it costs


@pytest.mark.parametrize(("datasets", "groups"), [(1, 1), (300, 50)])
@pytest.mark.parametrize("role", DATA_ROLES)
def test_a_list_is_one_query(role: str, datasets: int, groups: int, django_assert_num_queries: Any):
    made = Dataset.objects.bulk_create(Dataset(name=f"d{n}") for n in range(datasets))
    named = Group.objects.bulk_create(Group(name=f"g{n}") for n in range(groups))
    ann = User.objects.create(username="ann")
    ann.groups.set(named)
    DatasetGrant.objects.bulk_create(
        DatasetGrant(dataset=dataset, group=named[n % groups], role="manage")
        for n, dataset in enumerate(made)
    )
    user = User.objects.get(pk=ann.pk)
    user.get_all_permissions()
    with django_assert_num_queries(1):
        assert len(_LISTS[role](user)) == datasets


def test_one_question_about_one_data_set_is_one_query_or_none(django_assert_num_queries: Any):
    dataset, ann = make_dataset(), User.objects.create(username="ann")
    with django_assert_num_queries(1):
        assert not may(ann, "open", dataset)
    dataset.access = LOGINS
    with django_assert_num_queries(0):
        assert may(ann, "open", dataset)
