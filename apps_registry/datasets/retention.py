"""What goes with time: old versions, deleted data sets, files that were left behind."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from ..conf import settings
from ..models import Dataset
from . import storing, workspace
from .finding import lock

#: How long a version outlives its successor, whatever is to be kept: readers may just have learnt of it.
GRACE = timedelta(minutes=1)
#: Days; much more of them are beyond the calendar.
_FOR_EVER = 36_500


def retain(dataset: Dataset) -> None:
    """Delete the versions that a data set need not keep; their files go once that is committed.

    A version stays that is one of the ``keep_versions`` newest or younger than ``keep_days``. The newest always does.
    """
    if dataset.keep_versions is None and dataset.keep_days is None:
        return
    now, versions = timezone.now(), dataset.versions.all()
    settled = versions.filter(created_at__lt=now - GRACE).aggregate(number=Max("number"))["number"]
    if settled is None:
        return
    # What has no successor yet is not among them, nor what has a young one
    old = versions.filter(number__lt=settled)
    if dataset.keep_versions is not None:
        newest = versions.order_by("-number").values("number")[: dataset.keep_versions]
        old = old.exclude(number__in=list(newest.values_list("number", flat=True)))
    if dataset.keep_days is not None:
        old = old.filter(created_at__lt=now - timedelta(days=min(dataset.keep_days, _FOR_EVER)))
    old.delete()


def run() -> None:
    """All of it, for all data sets. It may run in several processes at once."""
    limited = Dataset.objects.filter(Q(keep_versions__isnull=False) | Q(keep_days__isnull=False))
    for pk in list(limited.values_list("pk", flat=True)):
        with transaction.atomic():
            # As it is now, and stays meanwhile: files take their time to go, and owners change their minds
            lock(rows := limited.filter(pk=pk))
            for dataset in rows:
                retain(dataset)
    _purge()
    storing.sweep()
    workspace.sweep()


def _purge() -> None:
    """Delete for good what was deleted ``DATA_UNDELETE_DAYS`` ago."""
    long_ago = timezone.now() - timedelta(days=settings.DATA_UNDELETE_DAYS)
    with transaction.atomic():
        # So that nobody has one back while it goes
        lock(old := Dataset.objects.filter(deleted_at__lt=long_ago))
        for dataset in old:
            dataset.delete()
