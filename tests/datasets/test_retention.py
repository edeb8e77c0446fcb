"""What goes with time, and what is had back."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.signals import post_delete, pre_delete
from django.utils import timezone

from apps_registry.datasets import publishing, retention
from apps_registry.datasets.finding import find
from apps_registry.datasets.managing import delete, to_publish, undelete
from apps_registry.exceptions import (
    MayNotPublish,
    MayNotSee,
)
from apps_registry.models import Dataset, DatasetVersion

from .publishers import send
from .store import Store, rows

pytestmark = pytest.mark.usefixtures("store")


def _ages(dataset: Dataset, *days: float) -> None:
    """Let the versions, in their order, be so many days old."""
    for version, age in zip(dataset.versions.order_by("number"), days, strict=True):
        DatasetVersion.objects.filter(pk=version.pk).update(created_at=timezone.now() - timedelta(age))


@pytest.mark.parametrize(
    ("keep_versions", "keep_days", "kept"),
    [
        (None, None, [1, 2, 3, 4]),
        (1, None, [4]),
        (2, None, [3, 4]),
        (9, None, [1, 2, 3, 4]),
        (None, 15, [3, 4]),
        (None, 1, [4]),
        (1, 15, [3, 4]),
        (3, 1, [2, 3, 4]),
    ],
)
def test_what_is_kept(sales: Dataset, keep_versions: int | None, keep_days: int | None, kept: list[int]):
    for _ in range(3):
        send(sales)
    _ages(sales, 30, 20, 10, 5)
    sales.keep_versions, sales.keep_days = keep_versions, keep_days
    sales.save()
    retention.run()
    assert sorted(sales.versions.values_list("number", flat=True)) == kept
    assert Dataset.objects.get().newest.number == 4


def test_a_publication_takes_away_what_need_not_be_kept(sales: Dataset, store: Store):
    sales.keep_versions = 1
    sales.save()
    send(sales)
    _ages(sales, 1, 1)
    send(sales)
    # Whoever has just been told of the second one still finds it
    assert sorted(sales.versions.values_list("number", flat=True)) == [2, 3]
    assert len(store.names()) == 2


def test_very_many_days_are_all_of_them(sales: Dataset):
    send(sales)
    _ages(sales, 20_000, 10_000)
    Dataset.objects.update(keep_days=2**31 - 1)
    retention.run()
    assert send(Dataset.objects.get()).number == 3
    assert sales.versions.count() == 3


def test_what_the_owner_has_changed_meanwhile_holds(sales: Dataset, monkeypatch: pytest.MonkeyPatch):
    others = [send(to_publish(name, user=sales.owner)).dataset for name in "ab"]
    for dataset in others:
        send(dataset)
        _ages(dataset, 2, 1)
    Dataset.objects.filter(name__in="ab").update(keep_versions=1)
    retain = retention.retain

    def retain_and_keep_all(dataset: Dataset) -> None:
        retain(dataset)
        Dataset.objects.exclude(pk=dataset.pk).update(keep_versions=None)

    monkeypatch.setattr(retention, "retain", retain_and_keep_all)
    retention.run()
    assert sorted(dataset.versions.count() for dataset in others) == [1, 2]


def test_two_processes_may_delete_the_same_version(sales: Dataset, store: Store):
    send(sales)
    version = sales.versions.get(number=1)
    with transaction.atomic():
        # Both have read it, and hear that it went
        for signal in (pre_delete, post_delete):
            signal.send(DatasetVersion, instance=version, using="default", origin=version)
        version.delete()
    assert store.names() == {sales.versions.get().file.name}


def test_what_is_deleted_again_goes_no_later(sales: Dataset, ann: User):
    delete(sales, ann)
    before = timezone.now() - timedelta(days=13)
    Dataset.objects.update(deleted_at=before)
    delete(find("sales", ann, "manage"), ann)
    assert Dataset.objects.get().deleted_at == before


def test_a_version_in_use_is_not_pulled_from_under_its_reader(sales: Dataset):
    with sales.newest.file.open() as file:
        send(sales)
        _ages(sales, 2, 1)
        Dataset.objects.update(keep_versions=1)
        retention.run()
        assert pq.read_table(file).num_rows == 2
    assert sales.versions.count() == 1


def test_a_deleted_data_set_can_be_had_back(sales: Dataset, ann: User):
    eve = User.objects.create(username="eve")
    delete(sales, ann)
    for role in ("open", "publish"):
        with pytest.raises(MayNotSee):
            find("sales", ann, role)
    with pytest.raises(MayNotPublish, match="'sales' is deleted"):
        to_publish("sales", user=ann)
    with pytest.raises(MayNotSee):
        undelete(find("sales", ann, "manage"), eve)
    retention.run()
    undelete(find("sales", ann, "manage"), ann)
    assert rows(find("sales", ann).newest).num_rows == 2


def test_a_deleted_data_set_goes_for_good_after_some_days(sales: Dataset, ann: User, store: Store):
    send(sales)
    delete(sales, ann)
    Dataset.objects.update(deleted_at=timezone.now() - timedelta(days=13))
    retention.run()
    assert sales.versions.count() == 2
    Dataset.objects.update(deleted_at=timezone.now() - timedelta(days=15))
    retention.run()
    assert not Dataset.objects.exists()
    assert not store.names()
    assert send(to_publish("sales", user=ann)).number == 1


def test_a_file_goes_with_its_version_whoever_deletes_it(sales: Dataset, store: Store):
    with transaction.atomic():
        sales.delete()
        transaction.set_rollback(True)
    assert len(store.names()) == 1
    Dataset.objects.all().delete()
    assert not store.names()


def test_a_transaction_around_it_that_fails_leaves_no_version(sales: Dataset, store: Store):
    with transaction.atomic():
        send(sales)
        transaction.set_rollback(True)
    assert sales.versions.count() == 1
    left = store.names() - set(DatasetVersion.objects.values_list("file", flat=True))
    assert len(left) == 1, "The docs say that the file stays."
    (store.files / left.pop()).unlink()


def test_the_place_of_another_process_is_left_alone(store: Store, sales: Dataset):
    with publishing.workspace() as folder:
        os.utime(folder, (0, 0))
        retention.run()
        assert folder.exists()
    others = Path(site.FILE_UPLOAD_TEMP_DIR) / "somebody-elses"
    others.mkdir()
    os.utime(others, (0, 0))
    retention.run()
    others.rmdir()
