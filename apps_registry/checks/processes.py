"""Checks of the servers, and of what joins several of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings as site
from django.core.checks import CheckMessage, Tags, register
from django.db import DatabaseError, router

from ..conf import settings
from ..models import Host
from .faults import check, fault

_IN_MEMORY = "channels.layers.InMemoryChannelLayer"


@check
def check_workers(**kwargs: Any) -> Iterator[CheckMessage]:
    """Several processes by ``WEB_CONCURRENCY``, as uvicorn and gunicorn read it, and nothing between them."""
    try:
        number = int(os.environ.get("WEB_CONCURRENCY", ""))
    except ValueError:
        return
    if number > 1 and _is_alone():
        yield fault("W005", number=number)


@register(Tags.database)
def check_hosts(databases: Iterable[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Several processes that use the same database at this moment, and nothing between them."""
    if not _is_alone() or router.db_for_read(Host) not in (databases or ()):
        return []
    try:
        number = Host.objects.count() - Host.objects.gone().count()
    except DatabaseError:
        # Before the first `migrate`
        return []
    return [fault("W005", number=number)] if number > 1 else []


def _is_alone() -> bool:
    """Whether the processes of this site cannot reach one another at once."""
    layer: dict[str, Any] = getattr(site, "CHANNEL_LAYERS", {}).get("default", {})
    return str(layer.get("BACKEND", _IN_MEMORY)) == _IN_MEMORY


@check
def check_daphne(**kwargs: Any) -> Iterator[CheckMessage]:
    """Daphne's limits, which ``manage.py runserver`` takes from the site's settings."""
    wanted = settings.MAX_MESSAGE_SIZE
    if not apps.is_installed("daphne") or not isinstance(wanted, int):
        return
    for name in ("DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE", "DAPHNE_WEBSOCKET_MAX_FRAME_SIZE"):
        size = getattr(site, name, 1024 * 1024)
        # 0 is no limit
        if isinstance(size, int) and 0 < size < wanted:
            yield fault("W006", name=name, size=size, wanted=wanted)
