"""Publishing: a file becomes the newest version of a data set, as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.db import IntegrityError, transaction

from ..exceptions import BadArguments, BadData, Conflict, KeyReused, MayNotPublish, MayNotSee, NoRoom
from ..models import Dataset, DatasetVersion
from ..permissions import may, user_name
from .artifacts import plain_filename
from .asking import fresh
from .columns import KINDS, RULE_TYPES, declared
from .finding import check, lock
from .limits import is_full
from .making import Made, Upload, digest_of, extend, make, make_table
from .retention import retain
from .storing import claim, stored
from .workspace import workspace

_MOST_NOTE = 500
_MOST_KEY = 200
#: How often rows are joined to what others have made the newest version meanwhile.
_TRIES = 20


@dataclass(frozen=True)
class _Sent:
    """One publication as it is asked for."""

    dataset: Dataset
    upload: Upload
    user: Any
    note: str
    expected: int | None
    key: str
    append: bool


class _Overtaken(Exception):
    """Another version has become the newest one since rows were joined to it."""


def publish(
    dataset: Dataset,
    source: BinaryIO | Path,
    *,
    user: Any,
    format: str | None = None,
    filename: str = "",
    media_type: str = "",
    note: str = "",
    expected: int | None = None,
    key: str = "",
    append: bool = False,
) -> DatasetVersion:
    """Make what is read from ``source`` the newest version of a data set, which is made too if it is not saved yet.

    ``expected`` is the number of the version that this one shall follow, 0 for none. The same file with the same
    ``key`` is published once, however often it is sent. With ``append``, its rows come after those of the newest
    version.

    It takes its time: call it on a thread. In a transaction of the caller that is rolled back, a file stays behind.

    Raises ``MayNotPublish`` or ``MayNotSee``, ``BadArguments``, ``BadData``, ``TooBig``, ``NoRoom``, ``KeyReused``, or
    ``Conflict`` (also when too many others add rows at once); nothing has changed then.
    """
    upload = Upload(source, format or "", plain_filename(filename), media_type)
    sent = _Sent(dataset, upload, user, _checked_note(note), expected, _checked_key(key), append)
    _check_publisher(sent)
    # Before it is asked what was sent before: of that, the newest may come
    newest = _newest(dataset)
    if (version := _sent_before(sent)) is not None:
        return version
    # It is asked again at the end, but few want to send a gigabyte to hear it then
    _check_expected(newest, expected)
    with _room(), workspace() as folder:
        return _append(sent, folder) if append else _enter(sent, make(upload, dataset, folder))


def _append(sent: _Sent, folder: Path) -> DatasetVersion:
    dataset = sent.dataset
    if dataset.kind != Dataset.Kind.TABLE:
        raise BadArguments("Rows can be added to tables only.")
    before = _newest(dataset)
    columns = dataset.schema if before is None else before.columns
    added = make_table(sent.upload, columns, folder)
    for _ in range(_TRIES):
        with suppress(_Overtaken):
            return _enter(sent, extend(before, added, folder), follows=before)
        before = _newest(dataset)
        if before is not None and before.columns != added.columns:
            raise Conflict("The columns of the data set have changed in the meantime.")
    raise Conflict("Others are adding rows at the same time. Please try again.")


# The one transaction


def _enter(sent: _Sent, made: Made, *, follows: DatasetVersion | None = None) -> DatasetVersion:
    """Make a version of a file, unless something has come between."""
    # Reading may have taken hours
    user = fresh(sent.user)
    with stored(made.path, made.suffix) as name, transaction.atomic():
        dataset = _locked(sent.dataset, user)
        check(dataset, user, "publish")
        if (earlier := _with_key(dataset, sent.key)) is not None:
            return _same(earlier, sent, made.upload_sha256)
        newest = _newest(dataset)
        _check_expected(newest, sent.expected)
        if sent.append and newest != follows:
            raise _Overtaken
        _check_columns(dataset, made)
        version = _version(sent, made, name, newest)
        version.dataset = dataset
        version.save(force_insert=True)
        claim(name)
        dataset.newest = version
        dataset.save(update_fields=["newest"])
        retain(dataset)
    return version


def _locked(dataset: Dataset, user: Any) -> Dataset:
    """The data set as it is now, and as it stays until the end of the transaction; made if it is new."""
    if dataset._state.adding:
        _check_maker(user)
        with suppress(IntegrityError), transaction.atomic():
            made = copy(dataset)
            made.save(force_insert=True)
            return made
    rows = Dataset.objects.filter(name=dataset.name)
    if not lock(rows):
        raise MayNotSee(dataset.name)
    return rows.get()


def _version(sent: _Sent, made: Made, name: str, newest: DatasetVersion | None) -> DatasetVersion:
    number = newest.number + 1 if newest is not None else 1
    return DatasetVersion(
        number=number,
        base=newest.base if sent.append and newest is not None else number,
        created_by=sent.user,
        created_name=user_name(sent.user),
        note=sent.note,
        file=name,
        size=made.size,
        sha256=made.sha256,
        media_type=made.media_type,
        filename=sent.upload.filename,
        rows=made.rows,
        columns=made.columns,
        key=sent.key,
        upload_sha256=made.upload_sha256,
    )


# What a publication must fit to


def _check_publisher(sent: _Sent) -> None:
    if not sent.dataset._state.adding:
        check(sent.dataset, sent.user, "publish")
    else:
        _check_maker(sent.user)


def _check_maker(user: Any) -> None:
    if not may(user, "publish", None):
        raise MayNotPublish


def _check_expected(newest: DatasetVersion | None, expected: int | None) -> None:
    number = newest.number if newest is not None else 0
    if expected is not None and expected != number:
        there = f"its newest version is {number}" if number else "it has no version"
        raise Conflict(f"The data set is not as expected: {there}.")


def _check_columns(dataset: Dataset, made: Made) -> None:
    if dataset.kind != (Dataset.Kind.FILE if made.rows is None else Dataset.Kind.TABLE):
        raise Conflict("Somebody else has made a data set of this name in the meantime.")
    types = {column["name"]: column["type"] for column in made.columns}
    if dataset.schema is not None and declared(dataset.schema) != types:
        raise Conflict("The columns that the data set declares have changed in the meantime.")
    if dataset.row_rule:
        _check_rule_column(dataset.row_column, types)


def _check_rule_column(column: str, types: Mapping[str, str]) -> None:
    """Refuse what nobody would see a row of."""
    if column not in types:
        what = "The file does not have this column, by which the data set decides who sees which rows."
        raise BadData(what, column=column)
    if types[column] not in RULE_TYPES:
        readable = " or ".join(KINDS[type].many for type in RULE_TYPES)
        raise BadData(
            f"It has {KINDS[types[column]].many}, but it decides who sees which rows, and needs {readable} for that.",
            column=column,
        )


def _newest(dataset: Dataset) -> DatasetVersion | None:
    return DatasetVersion.objects.filter(dataset=dataset.pk).order_by("-number").first()


# What is sent twice


def _sent_before(sent: _Sent) -> DatasetVersion | None:
    """The version that the same publication has made already."""
    earlier = _with_key(sent.dataset, sent.key)
    return earlier and _same(earlier, sent, digest_of(sent.upload))


def _with_key(dataset: Dataset, key: str) -> DatasetVersion | None:
    return DatasetVersion.objects.filter(dataset=dataset.pk, key=key).first() if key else None


def _same(earlier: DatasetVersion, sent: _Sent, upload_sha256: str) -> DatasetVersion:
    # The first version is the same, added or not
    is_same_work = sent.append == earlier.appended or earlier.number == 1
    if earlier.upload_sha256 != upload_sha256 or not is_same_work:
        raise KeyReused
    return earlier


def _checked_key(key: str) -> str:
    if len(key) > _MOST_KEY or not key.isprintable() or not key.isascii():
        raise BadArguments(f"An idempotency key has at most {_MOST_KEY} letters, digits and signs of ASCII.")
    return key


def _checked_note(note: str) -> str:
    note = " ".join("".join(letter if letter.isprintable() else " " for letter in note).split())
    if len(note) > _MOST_NOTE:
        raise BadArguments(f"The note is longer than {_MOST_NOTE} letters.")
    return note


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise NoRoom from error
        raise
