"""A file becomes the newest version as a whole or not at all, whatever happens on the way."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.core.files.storage import storages
from django.db import connection, connections, transaction
from django.utils import timezone

from apps_registry.datasets import making, publishing, retention, storing
from apps_registry.datasets.finding import find
from apps_registry.datasets.managing import create_dataset, delete, to_publish
from apps_registry.datasets.publishing import publish
from apps_registry.exceptions import (
    BadArguments,
    BadData,
    Conflict,
    KeyReused,
    MayNotManage,
    MayNotPublish,
    MayNotSee,
    NoRoom,
    TooBig,
    VizserverError,
)
from apps_registry.models import Dataset, DatasetGrant, DatasetVersion, Notice, PendingFile

from .. import databases
from ..serving import ROOT
from .publishers import FIRST, SECOND, Upload, send
from .store import Store, rows

pytestmark = pytest.mark.usefixtures("store")

# A version


def test_the_first_publication_makes_the_data_set(ann: User, store: Store):
    dataset = to_publish("sales", user=ann, title="Sales", access="login")
    assert not Dataset.objects.exists()
    version = send(dataset, FIRST, filename="../my\u202esales 2026.csv", note=" First\n one ")
    assert (version.number, version.base, version.appended) == (1, 1, False)
    assert (version.rows, version.size) == (2, (store.files / version.file.name).stat().st_size)
    assert version.columns == [{"name": "region", "type": "text"}, {"name": "price", "type": "number"}]
    assert (version.created_by, version.created_name) == (ann, "ann")
    assert (version.filename, version.note) == ("mysales 2026.csv", "First one")
    assert version.media_type == "application/vnd.apache.parquet"
    made = Dataset.objects.get(name="sales")
    assert (made.title, made.access, made.owner, made.kind) == ("Sales", "login", ann, "table")
    assert made.newest == version
    assert rows(version).to_pydict() == {"region": ["North", "South"], "price": [1.5, 2.5]}


def test_what_was_published_stays_beside_what_is(sales: Dataset):
    first = sales.newest
    second = send(sales)
    assert (second.number, second.base) == (2, 2)
    assert not second.extends(1)
    assert rows(first).num_rows == 2
    assert rows(second).num_rows == 1


@pytest.mark.parametrize(
    "told",
    [{"format": "csv"}, {"filename": "a.CSV"}, {"media_type": "text/csv; charset=utf-8"}],
    ids=str,
)
def test_the_format_is_told_in_any_way(sales: Dataset, ann: User, told: dict[str, str]):
    assert publish(sales, io.BytesIO(SECOND), user=ann, **told).rows == 1


def test_a_path_is_published_as_well(sales: Dataset, ann: User, tmp_path: Path):
    path = tmp_path / "sales.csv"
    path.write_bytes(SECOND)
    assert publish(sales, path, user=ann, filename=path.name).rows == 1
    assert path.exists()


def test_other_processes_are_told_once_it_is_there(sales: Dataset):
    Notice.objects.all().delete()
    with transaction.atomic():
        send(sales)
        assert not Notice.objects.exists()
    assert list(Notice.objects.values_list("kind", "data")) == [("dataset", {"dataset": "sales"})]


def test_a_form_that_was_opened_before_turns_nothing_back(sales: Dataset):
    form = Dataset.objects.get(name="sales")
    second = send(sales)
    form.title = "Sales"
    form.save()
    form.refresh_from_db()
    assert (form.title, form.newest) == ("Sales", second)


def test_versions_outlive_who_published_them(sales: Dataset, ann: User):
    ann.delete()
    version = DatasetVersion.objects.get()
    assert (version.created_by, version.created_name) == (None, "ann")


# What goes wrong


def _nothing_but_the_first(sales: Dataset) -> None:
    assert list(sales.versions.values_list("number", flat=True)) == [1]


#: What is sent, how, and why it is refused.
WRONG: list[tuple[bytes, dict[str, Any], type[Exception]]] = [
    (b"a,b\n1\n", {}, BadData),
    (b"", {}, BadData),
    (SECOND, {"format": "parquet"}, BadData),
    (SECOND, {"format": "sav"}, BadArguments),
    (SECOND, {"format": None}, BadArguments),
    (SECOND, {"format": None, "filename": "a.sav", "media_type": "application/x-spss"}, BadArguments),
    (SECOND, {"note": "x" * 501}, BadArguments),
    (SECOND, {"key": "x" * 201}, BadArguments),
    (SECOND, {"key": "n\0ul"}, BadArguments),
    (SECOND, {"expected": 2}, Conflict),
]
#: The same, for what follows another version.
WRONG_THEN: list[tuple[bytes, dict[str, Any], type[Exception]]] = [
    (SECOND, {"expected": 0}, Conflict),
    (b"region,cost\nWest,3\n", {"append": True}, BadData),
    (b"region,price\nWest,dear\n", {"append": True}, BadData),
]


@pytest.mark.parametrize(("content", "options", "error"), WRONG + WRONG_THEN)
def test_what_cannot_be_published_changes_nothing(
    sales: Dataset, content: bytes, options: dict[str, Any], error: type[Exception]
):
    with pytest.raises(error):
        send(sales, content, **options)
    _nothing_but_the_first(sales)


@pytest.mark.parametrize(("content", "options", "error"), WRONG)
def test_what_cannot_be_published_makes_no_data_set(
    ann: User, content: bytes, options: dict[str, Any], error: type[Exception]
):
    with pytest.raises(error):
        send(to_publish("new", user=ann), content, **options)
    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"), [("DATA_MAX_BYTES", 20), ("DATA_MAX_ROWS", 1), ("DATA_MAX_COLUMNS", 1)]
)
def test_the_limits_are_those_of_the_settings(sales: Dataset, settings: Any, name: str, value: int):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, name: value}
    with pytest.raises(TooBig):
        send(sales, FIRST)


def _full(*args: Any, **kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _half_of_it(name: str, content: Any) -> str:
    path = Path(storages["default"].path(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.read(10))
    return _full()


@pytest.mark.parametrize("append", [False, True])
def test_a_full_disk_under_the_storage_is_told(sales: Dataset, monkeypatch: pytest.MonkeyPatch, append: bool):
    monkeypatch.setattr(storages["default"], "_save", _half_of_it)
    with pytest.raises(NoRoom):
        send(sales, append=append)
    _nothing_but_the_first(sales)


@pytest.mark.parametrize(
    ("module", "function", "options"),
    [
        (making, "to_parquet", {}),
        (making, "join", {"append": True}),
        (making.artifacts, "copy", {"dataset": "plain"}),
    ],
)
def test_a_full_disk_under_what_is_under_way_is_told(
    sales: Dataset,
    ann: User,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    function: str,
    options: dict[str, Any],
):
    monkeypatch.setattr(module, function, _full)
    name = options.pop("dataset", None)
    dataset = to_publish(name, user=ann, kind="file") if name else sales
    with pytest.raises(NoRoom):
        send(dataset, **options)
    _nothing_but_the_first(sales)


def test_a_storage_that_fails_leaves_nothing(sales: Dataset, monkeypatch: pytest.MonkeyPatch):
    def fail(name: str, content: Any) -> str:
        raise PermissionError("The bucket is not ours.")

    monkeypatch.setattr(storages["default"], "_save", fail)
    with pytest.raises(PermissionError):
        send(sales)
    _nothing_but_the_first(sales)


@pytest.mark.parametrize("step", ["claim", "retain"])
def test_a_failure_in_the_last_moment_leaves_nothing(
    sales: Dataset, monkeypatch: pytest.MonkeyPatch, step: str
):
    def fail(*args: Any) -> None:
        raise RuntimeError("in the last moment")

    monkeypatch.setattr(publishing, step, fail)
    with pytest.raises(RuntimeError):
        send(sales)
    _nothing_but_the_first(sales)


def test_an_upload_that_breaks_off_leaves_nothing(sales: Dataset):
    def lose() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        publish(sales, Upload(SECOND, lose), user=sales.owner, format="csv")
    _nothing_but_the_first(sales)


def test_a_file_that_cannot_be_deleted_now_is_deleted_later(
    sales: Dataset, monkeypatch: pytest.MonkeyPatch, store: Store
):
    with monkeypatch.context() as patch:
        patch.setattr(storages["default"], "delete", _full)
        patch.setattr(publishing, "claim", _full)
        with pytest.raises(NoRoom):
            send(sales)
    assert len(store.names()) == 2
    retention.run()
    assert len(store.names()) == 2, "It is too young to be left behind."
    PendingFile.objects.update(at=timezone.now() - timedelta(hours=2))
    retention.run()
    _nothing_but_the_first(sales)


def test_a_file_that_was_swept_while_it_was_stored_makes_no_version(
    sales: Dataset, monkeypatch: pytest.MonkeyPatch
):
    save = storages["default"]._save

    def slowly(name: str, content: Any) -> str:
        saved = save(name, content)
        PendingFile.objects.update(at=timezone.now() - timedelta(hours=2))
        storing.sweep()
        return saved

    monkeypatch.setattr(storages["default"], "_save", slowly)
    with pytest.raises(VizserverError):
        send(sales)
    _nothing_but_the_first(sales)


_KILLED = """
import io, os, signal, sys
import django
django.setup()
from django.core.files.storage import storages
from apps_registry.datasets import publishing, storing
from apps_registry.models import Dataset

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

def save_half(name, content):
    path = storages["default"].path(name)
    with open(path, "wb") as file:
        file.write(content.read(10))
    die()

class Upload(io.BytesIO):
    def read(self, size=-1):
        return super().read(10) if self.tell() == 0 else die()

point = sys.argv[1]
source = Upload if point == "upload" else io.BytesIO
if point == "store":
    storages["default"]._save = save_half
if point == "commit":
    publishing.retain = die
if point == "after":
    storing.discard = die
sales = Dataset.objects.get(name="sales")
publishing.publish(sales, source(b"region,price\\nWest,3.5\\n"), user=sales.owner, format="csv")
"""


@pytest.mark.parametrize("point", ["upload", "store", "commit", "after"])
def test_a_process_that_is_killed_leaves_whole_versions(sales: Dataset, store: Store, point: str):
    env = {**os.environ, "DATA_DIR": str(store.files.parent), "DATABASE_URL": _database()}
    env |= {"DJANGO_SETTINGS_MODULE": "vizserver.settings", "TMPDIR": str(store.under_way), "DEBUG": "0"}
    done = subprocess.run([sys.executable, "-c", _KILLED, point], cwd=ROOT, env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    numbers = [1, 2] if point == "after" else [1]
    assert list(sales.versions.order_by("number").values_list("number", flat=True)) == numbers
    # Time goes by
    PendingFile.objects.update(at=timezone.now() - timedelta(hours=2))
    for folder in store.under_way.iterdir():
        os.utime(folder, (0, 0))
    retention.run()
    store.check()
    assert send(sales, expected=numbers[-1]).number == numbers[-1] + 1


def _database() -> str:
    return databases.address_of(str(connection.settings_dict["NAME"]))


# Rights


def _ann_only(dataset: Dataset) -> dict[str, Any]:
    """People of all kinds, by what they get when they publish."""
    people = {"owner": dataset.owner, "nobody": None, "anonymous": AnonymousUser()}
    for role in DatasetGrant.Role:
        people[role.label] = User.objects.create(username=role.label)
        DatasetGrant.objects.create(dataset=dataset, role=role, user=people[role.label])
    people["stranger"] = User.objects.create(username="stranger")
    people["maker"] = User.objects.create(username="maker")
    people["maker"].user_permissions.add(Permission.objects.get(codename="publish_data"))
    people["superuser"] = User.objects.create(username="superuser", is_superuser=True)
    return people


def test_who_may_publish(sales: Dataset):
    people = _ann_only(sales)
    people |= {"granted owner": User.objects.get(username="owner"), "owner": sales.owner}
    outcomes: dict[str, Any] = {}
    for kind, user in people.items():
        try:
            outcomes[kind] = send(sales, user=user).created_by == user
        except VizserverError as error:
            outcomes[kind] = type(error)
    hidden = dict.fromkeys(("nobody", "anonymous", "stranger", "maker"), MayNotSee)
    allowed = dict.fromkeys(("owner", "granted owner", "publisher", "superuser"), True)
    assert outcomes == {**hidden, **allowed, "viewer": MayNotPublish}


def test_who_may_make_a_data_set(sales: Dataset):
    for kind, user in _ann_only(sales).items():
        if kind in ("maker", "superuser"):
            assert create_dataset(f"of-{kind}", user=user).owner == user
            assert send(to_publish(f"new-of-{kind}", user=user)).number == 1
        elif user != sales.owner:
            with pytest.raises(MayNotPublish):
                create_dataset("new", user=user)
            with pytest.raises(MayNotSee):
                to_publish("new", user=user)
            with pytest.raises(MayNotPublish):
                publish(Dataset(name="new"), io.BytesIO(FIRST), user=user, format="csv")


@pytest.mark.parametrize("role", ["open", "publish", "manage"])
def test_what_is_hidden_and_what_is_missing_is_told_in_one_sentence(sales: Dataset, role: str):
    stranger, told = User.objects.create(username="eve"), []
    for user, name in ((stranger, "sales"), (None, "sales"), (stranger, "other"), (stranger, "nul\0")):
        with pytest.raises(MayNotSee) as refused:
            find(name, user, role)
        told.append(str(refused.value).replace(repr(name), "NAME"))
    assert set(told[:3]) == {"You may not see NAME."}


def test_who_sees_it_is_told_what_he_may_not(sales: Dataset):
    eve = User.objects.create(username="eve")
    DatasetGrant.objects.create(dataset=sales, user=eve)
    with pytest.raises(MayNotPublish, match="You may not publish 'sales'"):
        find("sales", eve, "publish")
    with pytest.raises(MayNotManage, match="You may not change 'sales'"):
        find("sales", eve, "manage")
    with pytest.raises(MayNotManage):
        delete(sales, eve)


def test_a_right_that_goes_during_the_upload_is_gone(sales: Dataset):
    bob = User.objects.create(username="bob")
    grant = DatasetGrant.objects.create(dataset=sales, role="publish", user=bob)
    with pytest.raises(MayNotSee):
        publish(sales, Upload(SECOND, grant.delete), user=bob, format="csv")
    _nothing_but_the_first(sales)


@pytest.mark.parametrize("name", ["sales", "new"])
def test_a_publisher_who_is_switched_off_during_the_upload_publishes_nothing(sales: Dataset, name: str):
    root = User.objects.create(username="root", is_superuser=True)

    def switch_off() -> None:
        User.objects.filter(pk=root.pk).update(is_active=False)

    with pytest.raises((MayNotSee, MayNotPublish)):
        publish(to_publish(name, user=root), Upload(SECOND, switch_off), user=root, format="csv")
    _nothing_but_the_first(sales)
    assert Dataset.objects.get() == sales


def test_a_data_set_that_is_deleted_during_the_upload_gets_no_version(sales: Dataset, ann: User):
    with pytest.raises(MayNotSee):
        publish(sales, Upload(SECOND, lambda: delete(sales, ann)), user=ann, format="csv")
    _nothing_but_the_first(sales)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "no spaces"},
        {"name": ".hidden"},
        {"name": "ä"},
        {"name": "x" * 151},
        {"access": "open"},
        {"tags": "sales"},
        {"tags": [1]},
        {"schema": {"price": "number"}},
        {"schema": [{"name": "price", "type": "money"}]},
        {"row_rule": "username"},
        {"keep_versions": 0},
    ],
    ids=str,
)
def test_values_that_cannot_be_are_refused(ann: User, values: dict[str, Any]):
    values = {"name": "sales", **values}
    with pytest.raises((BadArguments, BadData)):
        to_publish(values.pop("name"), user=ann, **values)


def test_a_name_that_is_taken_cannot_be_had(sales: Dataset):
    bob = User.objects.create(username="bob", is_superuser=False)
    bob.user_permissions.add(Permission.objects.get(codename="publish_data"))
    for ask in (to_publish, create_dataset):
        with pytest.raises(MayNotPublish, match="Choose another name"):
            ask("sales", user=bob)
    assert to_publish("sales", user=sales.owner) == sales
    with pytest.raises(MayNotPublish):
        create_dataset("sales", user=sales.owner)


# What it follows, and what is sent twice


def test_the_expected_version_is_asked_again_at_the_end(sales: Dataset, ann: User):
    with pytest.raises(Conflict, match="its newest version is 2"):
        publish(sales, Upload(SECOND, lambda: send(sales)), user=ann, format="csv", expected=1)
    assert send(sales, expected=2).number == 3
    assert send(to_publish("other", user=ann), expected=0).number == 1


def test_what_is_sent_twice_is_published_once(sales: Dataset):
    first = send(sales, key="monday", expected=1)
    assert send(sales, key="monday", expected=1) == first
    send(sales, FIRST)
    assert send(sales, key="monday") == first
    with pytest.raises(KeyReused):
        send(sales, FIRST, key="monday")
    with pytest.raises(KeyReused):
        send(sales, key="monday", append=True)
    assert send(sales, key="tuesday").number == 4


def test_a_second_try_that_meets_the_first_is_no_conflict(sales: Dataset, monkeypatch: pytest.MonkeyPatch):
    look = publishing._newest

    def look_and_let_the_first_through(dataset: Dataset) -> DatasetVersion | None:
        monkeypatch.setattr(publishing, "_newest", look)
        newest = look(dataset)
        send(sales, key="monday", expected=1)
        return newest

    monkeypatch.setattr(publishing, "_newest", look_and_let_the_first_through)
    assert send(sales, key="monday", expected=1).number == 2
    assert sales.versions.count() == 2


def test_a_key_is_that_of_one_data_set(sales: Dataset, ann: User):
    send(sales, key="monday")
    assert send(to_publish("other", user=ann), FIRST, key="monday").number == 1


# At once

MANY = 6


def at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What each gives, or the error that it raises."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return work()
        except VizserverError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def table(number: int) -> bytes:
    """A file that tells from which publisher it is."""
    return b"region,price\n" + f"from{number},{number}\n".encode() * (number + 1)


def test_publishers_at_once_make_one_version_each(sales: Dataset):
    made = at_once([lambda number=number: send(sales, table(number)) for number in range(MANY)])
    assert sorted(version.number for version in made) == list(range(2, MANY + 2))
    for number, version in enumerate(made):
        assert rows(version).column("region").to_pylist() == [f"from{number}"] * (number + 1)


def test_of_publishers_who_expect_the_same_one_comes_through(sales: Dataset):
    made = at_once([lambda number=number: send(sales, table(number), expected=1) for number in range(MANY)])
    assert sorted(type(one).__name__ for one in made) == ["Conflict"] * (MANY - 1) + ["DatasetVersion"]


def test_the_same_key_at_once_is_one_version(sales: Dataset):
    made = at_once([lambda: send(sales, key="monday")] * MANY)
    assert {version.number for version in made} == {2}


def test_a_data_set_that_several_make_at_once_is_made_once(ann: User):
    bob = User.objects.create(username="bob", is_superuser=True)
    carl = User.objects.create(username="carl")
    carl.user_permissions.add(Permission.objects.get(codename="publish_data"))
    people = [bob, ann, carl, ann]
    news = [to_publish("new", user=user) for user in people]
    made = at_once([lambda new=new: send(new) for new in news])
    dataset = Dataset.objects.get(name="new")
    for user, one in zip(people, made, strict=True):
        # A stranger to what was made meanwhile does not learn of it; bob sees everything
        if user in (dataset.owner, bob):
            assert isinstance(one, DatasetVersion)
        else:
            assert isinstance(one, MayNotSee)


def test_of_two_kinds_that_are_made_at_once_the_second_is_refused(ann: User):
    plain, table_ = to_publish("new", user=ann, kind="file"), to_publish("new", user=ann)
    send(plain)
    with pytest.raises(Conflict):
        send(table_)


def test_rows_that_are_added_at_once_are_all_there_and_each_once(sales: Dataset):
    made = at_once([lambda number=number: send(sales, table(number), append=True) for number in range(MANY)])
    assert {version.base for version in made} == {1}
    found = rows(Dataset.objects.get(pk=sales.pk).newest).column("region").to_pylist()
    assert found[:2] == ["North", "South"]
    expected = [f"from{number}" for number in range(MANY) for _ in range(number + 1)]
    assert sorted(found[2:]) == expected


# Adding rows


def test_added_rows_come_after_the_others(sales: Dataset):
    first = sales.newest
    second = send(sales, b"price,region\n3.5,West\n", append=True)
    third = send(sales, b"region,price\nEast,4.5\n", append=True)
    assert [version.base for version in (first, second, third)] == [1, 1, 1]
    assert [version.appended for version in (first, second, third)] == [False, True, True]
    assert third.extends(1)
    assert third.extends(2)
    assert not second.extends(3)
    assert (third.rows, third.columns) == (4, first.columns)
    assert rows(third).column("region").to_pylist() == ["North", "South", "West", "East"]
    assert rows(second).num_rows == 3
    fourth = send(sales)
    assert not fourth.extends(3)
    assert send(sales, append=True).base == 4


def test_added_rows_can_be_read_alone(sales: Dataset):
    for _ in range(20):
        version = send(sales, append=True)
    with version.file.open() as file:
        parquet = pq.ParquetFile(file)
        assert parquet.num_row_groups == 2, "Many small additions must not make many small pieces."
        assert parquet.read_row_group(1).num_rows == 1


def test_rows_are_added_to_what_has_none(ann: User):
    dataset = create_dataset("new", user=ann)
    assert send(dataset, append=True).number == 1
    assert send(to_publish("newer", user=ann), append=True).appended is False


def test_rows_are_not_added_beyond_the_limit(sales: Dataset, settings: Any):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_MAX_ROWS": 3}
    assert send(sales, append=True).rows == 3
    with pytest.raises(TooBig):
        send(sales, append=True)


def test_other_columns_in_the_meantime_refuse_the_rows(sales: Dataset, ann: User):
    def change() -> None:
        send(sales, b"country\nDE\n")

    with pytest.raises(Conflict):
        publish(sales, Upload(SECOND, change), user=ann, format="csv", append=True)


# What the data set declares

SCHEMA = [{"name": "region", "type": "text"}, {"name": "price", "type": "number"}]


def test_a_declared_schema_holds_for_every_version(ann: User):
    dataset = create_dataset("prices", user=ann, schema=SCHEMA)
    assert send(dataset, b"price,region\n1,1\n").columns == SCHEMA
    with pytest.raises(BadData):
        send(dataset, b"region\nWest\n")


def test_a_schema_that_changes_during_the_upload_holds(sales: Dataset, ann: User):
    def change() -> None:
        Dataset.objects.update(schema=[{"name": "country", "type": "text"}])

    with pytest.raises(Conflict):
        publish(sales, Upload(SECOND, change), user=ann, format="csv")
    _nothing_but_the_first(sales)


def test_the_column_of_a_row_rule_must_be_there(ann: User):
    dataset = create_dataset("prices", user=ann, row_rule="username", row_column="seller")
    with pytest.raises(BadData, match="'seller'"):
        send(dataset, FIRST)
    with pytest.raises(BadData, match="numbers, but it decides who sees which rows"):
        send(dataset, b"seller,price\n7.5,1\n")
    assert send(dataset, b"seller,price\nann,1\n").number == 1


# Who is told


def _save_grant(sales: Dataset, eve: User) -> None:
    DatasetGrant.objects.get().save()


@pytest.mark.parametrize(
    "change",
    [
        lambda sales, eve: sales.save(),
        lambda sales, eve: delete(sales, sales.owner),
        lambda sales, eve: sales.delete(),
        lambda sales, eve: DatasetGrant.objects.create(dataset=sales, user=eve),
        lambda sales, eve: DatasetGrant.objects.get().delete(),
        _save_grant,
    ],
    ids=["saved", "deleted", "gone", "granted", "revoked", "changed"],
)
def test_a_change_of_rights_is_told(sales: Dataset, change: Callable[[Dataset, User], object]):
    bob, eve = (User.objects.create(username=name) for name in ("bob", "eve"))
    DatasetGrant.objects.create(dataset=sales, user=bob)
    Notice.objects.all().delete()
    change(sales, eve)
    told = Notice.objects.filter(kind="data_rights").values_list("data__dataset", flat=True)
    # A grant that was changed may have been that of any data set
    assert (None if change is _save_grant else "sales") in list(told)
