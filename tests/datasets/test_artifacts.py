"""Plain files are published, versioned and permitted like tables, and kept as they are."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import User

from apps_registry.datasets.managing import create_dataset, to_publish
from apps_registry.datasets.publishing import publish
from apps_registry.exceptions import (
    BadArguments,
    BadData,
    TooBig,
)

from .publishers import send

pytestmark = pytest.mark.usefixtures("store")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("filename", "said", "content", "media_type"),
    [
        ("plot.png", "", PNG, "image/png"),
        ("plot", "", PNG, "image/png"),
        ("plot", "application/x-www-form-urlencoded", PNG, "image/png"),
        ("page.html", "", b"<script>", "text/html"),
        ("model.bin", "", b"\0\1", "application/octet-stream"),
        ("", "Application/Vnd.Own+JSON; charset=utf-8", b"{}", "application/vnd.own+json"),
        ("", "text/html\r\nX-Evil: 1", b"x", "application/octet-stream"),
        ("table.csv.gz", "", b"\x1f\x8b", "application/gzip"),
    ],
)
def test_a_plain_file_is_kept_as_it_is(ann: User, filename: str, said: str, content: bytes, media_type: str):
    dataset = to_publish("plain", user=ann, kind="file")
    version = publish(dataset, io.BytesIO(content), user=ann, filename=filename, media_type=said)
    assert (version.media_type, version.filename) == (media_type, filename)
    assert (version.rows, version.columns, version.size) == (None, [], len(content))
    assert version.file.name.endswith(".file"), "Whoever serves the storage as it is runs no script."
    with version.file.open() as file:
        assert file.read() == content


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\data\\a.png", "a.png"),
        ("/etc/passwd", "passwd"),
        ("..", ""),
        ('a"b\r\n.png', 'a"b.png'),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
    ],
)
def test_a_file_name_is_a_name(ann: User, given: str, kept: str):
    dataset = to_publish("plain", user=ann, kind="file")
    assert publish(dataset, io.BytesIO(PNG), user=ann, filename=given).filename == kept


@pytest.mark.parametrize(("content", "error"), [(b"", BadData), (b"x" * 21, TooBig)])
def test_a_plain_file_has_its_limits(ann: User, settings: Any, content: bytes, error: type[Exception]):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_MAX_BYTES": 20}
    with pytest.raises(error):
        publish(to_publish("plain", user=ann, kind="file"), io.BytesIO(content), user=ann)


def test_plain_files_have_no_rows_to_add(ann: User):
    with pytest.raises(BadArguments, match="tables only"):
        send(create_dataset("plain", user=ann, kind="file"), append=True)
