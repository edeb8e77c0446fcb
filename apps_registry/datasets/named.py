"""Publishing and sharing for code of the site, which knows data sets by their names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth.models import Group

from ..models import DatasetVersion
from .finding import find
from .making import Upload, kind_of
from .managing import to_publish
from .publishing import publish as publish_to
from .sharing import share as share_with


def publish(
    name: str,
    source: BinaryIO | Path | bytes,
    *,
    user: Any,
    format: str = "",
    filename: str = "",
    media_type: str = "",
    note: str = "",
    expected: int | None = None,
    key: str = "",
    append: bool = False,
    **values: Any,
) -> DatasetVersion:
    """Make what is read from ``source`` the newest version of a data set, with the rights of ``user``.

    A data set that is not there is made, with ``values`` such as ``title``, ``tags`` or ``access``; one that is
    there keeps its own. ``expected``, ``key``, ``append`` and what is raised: as for
    ``datasets.publishing.publish``.
    """
    if isinstance(source, Path):
        filename = filename or source.name
    elif isinstance(source, bytes):
        source = io.BytesIO(source)
    kind = kind_of(Upload(source, format, filename, media_type))
    return publish_to(
        to_publish(name, user=user, **{"kind": kind, **values}),
        source,
        user=user,
        format=format,
        filename=filename,
        media_type=media_type,
        note=note,
        expected=expected,
        key=key,
        append=append,
    )


def share(name: str, to: Any, role: str = "open", *, user: Any) -> None:
    """Let ``to``, a user or a group, have ``role`` (``open``, ``publish`` or ``manage``) in place of what they have.

    It is done with the rights of ``user``, an owner. Raises ``MayNotManage`` or ``MayNotSee``.
    """
    holder = {"group": to} if isinstance(to, Group) else {"user": to}
    share_with(find(name, user, "manage"), user, role, **holder)
