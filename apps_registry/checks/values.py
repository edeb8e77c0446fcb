"""Checks of the settings, and of the directories that they name."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from django.conf import settings as site
from django.core.checks import CheckMessage, register
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, InvalidStorageError, storages
from django.db import connections, router

from ..conf import NAME, SETTINGS, settings
from ..models import Dataset
from .faults import check, fault

_WORDS = {"ACCESS": ("public", "login", "grant"), "SESSION_IDS": ("signed", "unsigned")}


@register("apps_registry")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Settings that do not exist or cannot be."""
    given = getattr(site, NAME, {})
    if not isinstance(given, dict):
        return [fault("E001")]
    return [*_unknown(given), *_wrong_words(), *_wrong_kinds(given)]


def _unknown(given: dict[str, Any]) -> Iterator[CheckMessage]:
    for name in given.keys() - SETTINGS.keys():
        near = difflib.get_close_matches(str(name), SETTINGS, 1)
        hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all settings."
        yield fault("E002", name=name, hint=hint)


def _wrong_words() -> Iterator[CheckMessage]:
    for name, words in _WORDS.items():
        if getattr(settings, name) not in words:
            yield fault("E003", name=name, words=", ".join(words))


class Kind(NamedTuple):
    """What a setting has to be: in words, and whether a value is so."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


_FLAG = Kind("True or False", lambda value: isinstance(value, bool))
_POSITIVE = Kind("a number greater than 0", lambda value: _is_number(value) and value > 0)
_NUMBER = Kind("a number, 0 or greater", lambda value: _is_number(value) and value >= 0)
_TEXT = Kind("a text", _is_text)
_LIST = Kind("a list of texts", lambda value: _is_list(value) and all(map(_is_path, value)))

#: Where the default does not tell the kind.
_KINDS = {
    "APPS": Kind("None, or a dict of name to path", lambda value: value is None or _is_paths_by_name(value)),
    "AUDIT_DAYS": _NUMBER,
    "DATA_CACHE_DIR": Kind("None, or a path", lambda value: value is None or _is_path(value)),
    "DATA_REFRESH_SECONDS": _NUMBER,
    "DATA_UNDELETE_DAYS": _NUMBER,
    "FAILURE_DAYS": _NUMBER,
    "INDEX": Kind("False, or the name of a template", lambda value: value is False or _is_text(value)),
    "LOGOUT_URL": Kind("None, or an address", lambda value: value is None or _is_text(value)),
    "RECONNECT_LIFETIME": _NUMBER,
    "STOP_TIMEOUT": _NUMBER,
    "UNUSED_SESSION_LIFETIME": _NUMBER,
    "WATCH": Kind("None, or a list of files", lambda value: value is None or _LIST.fits(value)),
}
_KIND_OF_DEFAULT = {bool: _FLAG, int: _POSITIVE, float: _POSITIVE, str: _TEXT, tuple: _LIST}


def _is_paths_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value)) and all(map(_is_path, value.values()))


def kind_of(name: str) -> Kind | None:
    """What a setting has to be; None for those that another check looks at."""
    if name in _WORDS or name == "APP_DIRS":
        return None
    return _KINDS.get(name) or _KIND_OF_DEFAULT.get(type(SETTINGS[name].default))


def _wrong_kinds(given: dict[str, Any]) -> Iterator[CheckMessage]:
    for name in SETTINGS.keys() & given.keys():
        kind = kind_of(name)
        if kind is not None and not kind.fits(given[name]):
            yield fault("E006", name=name, value=repr(given[name]), kind=kind.words)


@check
def check_app_dirs(**kwargs: Any) -> Iterator[CheckMessage]:
    """Directories and apps that are not there."""
    if settings.APPS is not None:
        paths = settings.APPS.values() if _is_paths_by_name(settings.APPS) else ()
        yield from _unreadable("APPS", paths, os.stat)
    elif not _LIST.fits(settings.APP_DIRS):
        yield fault("E004")
    else:
        yield from _unreadable("APP_DIRS", settings.APP_DIRS, os.listdir)


def _unreadable(setting: str, paths: Iterable[Any], read: Callable[[Any], Any]) -> Iterator[CheckMessage]:
    for path in paths:
        try:
            read(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            yield fault("W001", path=path, error=reason, setting=setting)


@check
def check_data_storage(**kwargs: Any) -> Iterator[CheckMessage]:
    """A storage for published data that is not there."""
    try:
        storages[settings.DATA_STORAGE]
    except (InvalidStorageError, ImproperlyConfigured, ImportError) as error:
        yield fault("E011", name=repr(settings.DATA_STORAGE), error=str(error).rstrip("."))


@register("apps_registry", deploy=True)
def check_sqlite(**kwargs: Any) -> list[CheckMessage]:
    """A database that refuses writers in place of letting them wait."""
    database = connections.settings[router.db_for_write(Dataset)]
    is_sqlite = database["ENGINE"].endswith(".sqlite3")
    is_waiting = database["OPTIONS"].get("transaction_mode") == "IMMEDIATE"
    return [fault("W009")] if is_sqlite and not is_waiting else []


@register("apps_registry", deploy=True)
def check_data_location(**kwargs: Any) -> list[CheckMessage]:
    """Published data that lies wherever the server happens to be started."""
    with suppress(InvalidStorageError, ImproperlyConfigured, ImportError):
        storage = storages[settings.DATA_STORAGE]
        if isinstance(storage, FileSystemStorage) and not storage.base_location:
            return [fault("W008")]
    return []
