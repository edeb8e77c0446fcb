"""The copies of what was published: made once, read by all, encoded once."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import tempfile
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bokeh.core.serialization import Serializer
from bokeh.models import ColumnDataSource
from django.core.files.storage import default_storage

from apps_registry.datasets import arrays, copies, store
from apps_registry.exceptions import DataLost, NoRoom, NoSuchColumn
from apps_registry.live import adapter
from apps_registry.live.memory import estimate
from apps_registry.models import DatasetVersion

from . import making
from .published import SALES, put

pytestmark = pytest.mark.usefixtures("folders")


@pytest.fixture
def version(transactional_db: None, folders: Path) -> DatasetVersion:
    # What other tests have opened of it goes: models of Bokeh are circles
    gc.collect()
    return put()


def column_files(folders: Path) -> list[str]:
    return sorted(path.name for path in folders.glob("*/*.arrow"))


def test_a_table_is_what_was_published(transactional_db: None):
    table = store.table(put(table=making.TABLE, schema=making.SCHEMA))
    assert table.equals(making.TABLE.cast(table.schema))
    assert [field.type for field in table.schema] == [field.type for field in making.TABLE.schema]


def test_columns_are_copied_when_they_are_asked_for(version: DatasetVersion, folders: Path):
    assert store.table(version, ["price"]).column_names == ["price"]
    assert column_files(folders) == ["0001.arrow"]
    assert store.table(version).num_columns == 3
    assert column_files(folders) == ["0000.arrow", "0001.arrow", "0002.arrow"]
    with pytest.raises(NoSuchColumn, match="no column 'cost'; there are region, price, count"):
        store.table(version, ["cost"])


def test_columns_whose_names_begin_alike(transactional_db: None):
    table = pa.table({"a": [1], "a.b": [2], "a.b.c": [3]})
    assert store.table(put(table=table), ["a.b", "a"]).to_pydict() == {"a.b": [2], "a": [1]}


def test_a_table_without_rows(transactional_db: None):
    version = put(table=SALES.slice(0, 0), schema=[{"name": n, "type": "number"} for n in SALES.column_names])
    assert {name: len(column) for name, column in store.columns(version).items()} == {
        "region": 0,
        "price": 0,
        "count": 0,
    }


def test_arrays_are_shared_and_nobody_can_change_them(version: DatasetVersion):
    first, second = store.columns(version), store.columns(version, ["price", "region"])
    assert second["price"] is first["price"]
    assert second["region"] is first["region"]
    for array in first.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    with pytest.raises(ValueError, match="WRITEABLE"):
        first["price"].flags.writeable = True


KINDS = {
    "numbers": (pa.array([1.5, None]), [1.5, np.nan], "float64"),
    "whole numbers": (pa.array([1, -(2**31)]), [1, -(2**31)], "int32"),
    "big whole numbers": (pa.array([1, 2**31]), [1, 2**31], "float64"),
    "whole numbers with gaps": (pa.array([1, None]), [1, np.nan], "float64"),
    "truths": (pa.array([True, False]), [True, False], "bool"),
    "truths with gaps": (pa.array([True, None]), [True, None], "object"),
    "texts": (pa.array(["a", None, "a"]), ["a", None, "a"], "object"),
    "no texts": (pa.array([None, None], pa.string()), [None, None], "object"),
    "dates": (
        making.TABLE["day"].slice(0, 2),
        np.array(["2026-01-31", "NaT"], "datetime64[D]"),
        "datetime64[D]",
    ),
    "times": (
        making.TABLE["at"].slice(0, 2),
        np.array(["2026-01-31T12:30:01.005", "NaT"], "datetime64[us]"),
        "datetime64[us]",
    ),
    "times of day": (making.TABLE["opens"], making.TABLE["opens"].to_pylist(), "object"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kinds_of_columns(kind: str):
    given, expected, dtype = KINDS[kind]
    column = given if isinstance(given, pa.ChunkedArray) else pa.chunked_array([given])
    array = arrays.array_of(column)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.array(expected, dtype))
    # In pieces, and of none
    pieces = arrays.array_of(pa.chunked_array([column.slice(0, 1).chunk(0), column.slice(1).chunk(0)]))
    np.testing.assert_array_equal(pieces, array)
    assert len(arrays.array_of(pa.chunked_array([], column.type))) == 0


def test_equal_texts_are_one():
    array = arrays.array_of(pa.chunked_array([["a long text"] * 3, ["a long text"]]))
    assert len({id(text) for text in array}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_shared_array_is_sent_as_any_other_and_encoded_once(kind: str):
    given = KINDS[kind][0]
    array = arrays.array_of(given if isinstance(given, pa.ChunkedArray) else pa.chunked_array([given]))
    sent = []
    for column in (array.copy(), array, array):
        document = adapter.new_document()
        document.add_root(ColumnDataSource({"x": column}))
        text, buffers = adapter.document_json(document)
        names = {str(model.id): type(model).__name__ for model in document.models}
        for name, known in names.items() | {(name, "buffer") for name, _ in buffers}:
            text = text.replace(f'"id":"{name}"'.encode(), f'"id":"{known}"'.encode())
        sent.append((adapter.loads(text)["roots"], [payload for _, payload in buffers]))
    assert sent[0] == sent[1] == sent[2]
    for one, other in zip(sent[1][1], sent[2][1], strict=True):
        assert one is other


def test_numbers_are_sent_out_of_the_array_itself():
    array = arrays.array_of(pa.chunked_array([[1.5, 2.5]]))
    serializer = Serializer()
    adapter_rep = adapter.sharing.encode_shared(array, serializer)
    assert adapter_rep is not None
    assert serializer.buffers[0].to_bytes() is array.base


def test_shared_texts_beside_what_only_json_can_write():
    document = adapter.new_document()
    texts = arrays.array_of(pa.chunked_array([["Ä", None]]))
    document.add_root(ColumnDataSource({"x": texts}, name="\ud800"))
    text, _ = adapter.document_json(document)
    assert b"\\ud800" in text
    assert b'["\\u00c4",null]' in text.replace(b" ", b"")


def test_shared_arrays_do_not_count_as_a_sessions_own(version: DatasetVersion):
    document = adapter.new_document()
    document.add_root(ColumnDataSource({"x": np.zeros(100_000)}))
    own = estimate(document)
    document.add_root(ColumnDataSource({"x": arrays.array_of(pa.chunked_array([np.zeros(100_000)]))}))
    assert own > 800_000
    assert estimate(document) < own + 50_000


# Many at once


def test_many_threads_make_one_copy(version: DatasetVersion, monkeypatch: pytest.MonkeyPatch):
    opened: list[Any] = []

    class Counted(pq.ParquetFile):
        def __init__(self, *args: Any) -> None:
            opened.append(args)
            super().__init__(*args)

    monkeypatch.setattr(copies.pq, "ParquetFile", Counted)
    with ThreadPoolExecutor(8) as pool:
        tables = list(pool.map(lambda _: copies.read_columns(version, ["price", "count"]), range(16)))
    assert {str(price.to_pylist()) for price, _ in tables} == {str(SALES["price"].to_pylist())}
    # Who has waited for the lock may look into the file, and finds nothing left to copy
    names = {path.name for path in copies.directory().glob("*/*")}
    assert names == {"0001.arrow", "0002.arrow", "source"}
    assert len(opened) <= 8


def test_what_nobody_uses_is_let_go(version: DatasetVersion):
    copy = store.opened(version)
    arrays = copy.arrays()
    Serializer().encode(arrays)
    seen = [weakref.ref(copy), *map(weakref.ref, arrays.values())]
    assert store.opened(version) is copy
    del copy, arrays
    gc.collect()
    assert not [ref for ref in seen if ref() is not None]


# Trouble


def test_a_copy_that_is_deleted_stays_good_for_who_has_it(version: DatasetVersion, folders: Path):
    table = store.table(version)
    shutil.rmtree(folders)
    assert table.column("price").to_pylist() == SALES["price"].to_pylist()
    again = copies.read_columns(version, ["price"])
    assert again[0].to_pylist() == SALES["price"].to_pylist()


@pytest.mark.parametrize("content", [b"", b"ARROW1\0\0 and no more", b"x" * 1000])
def test_a_copy_that_is_not_whole_is_made_again(version: DatasetVersion, folders: Path, content: bytes):
    copies.read_columns(version, ["price"])
    path = next(folders.glob("*/0001.arrow"))
    path.unlink()
    path.write_bytes(content)
    assert copies.read_columns(version, ["price"])[0].to_pylist() == SALES["price"].to_pylist()


def test_a_file_that_is_not_what_was_published(version: DatasetVersion, folders: Path):
    path = Path(default_storage.path(str(version.file.name)))
    good = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(good[:-1] + b"x")
    with pytest.raises(DataLost) as caught:
        store.table(version)
    assert "not what was published" in caught.value.detail
    assert str(caught.value) == "This data cannot be read."
    path.unlink()
    with pytest.raises(DataLost) as caught:
        store.table(version)
    assert "not in its storage" in caught.value.detail
    assert list(folders.glob("*/*")) == []


def test_a_version_stays_readable_when_its_file_has_gone(version: DatasetVersion):
    copy = store.opened(version)
    copy.table(["price"])
    default_storage.delete(str(version.file.name))
    assert copy.table().num_columns == 3


def test_a_full_disk(version: DatasetVersion, folders: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copies.pa.ipc, "new_file", full)
    with pytest.raises(NoRoom, match="no room"):
        store.table(version)
    assert [path.name for path in folders.glob("*/*")] == ["source"]


def test_copies_that_were_not_used_for_long_go(transactional_db: None, folders: Path, settings: Any):
    versions = [put(name, table=SALES.slice(0, number)) for number, name in enumerate("abc", 1)]
    for number, version in enumerate(versions[:2]):
        copies.read_columns(version, ["price"])
        os.utime(folders / version.sha256, (number, number))
    copies.read_columns(versions[0], ["price"])
    size = sum(path.stat().st_size for path in folders.glob("*/*"))
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_CACHE_BYTES": size * 1.2}
    copies.read_columns(versions[2], ["price"])
    left = {path.name for path in folders.iterdir() if path.is_dir()}
    assert left == {versions[0].sha256, versions[2].sha256}


def test_a_file_system_of_its_own_has_more_in_it_than_copies(
    version: DatasetVersion, folders: Path, settings: Any
):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_CACHE_BYTES": 1}
    lost = folders / "lost+found"
    lost.mkdir(parents=True, mode=0o700)
    (lost / "#1").write_text("found")
    # Only root may look into it
    lost.chmod(0)
    assert store.table(version).num_rows == 5
    lost.chmod(0o700)
    assert (lost / "#1").exists()


def test_the_temporary_directory_is_for_nobody_else(
    version: DatasetVersion, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings.APPS_REGISTRY = {**settings.APPS_REGISTRY, "DATA_CACHE_DIR": None}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert store.table(version).num_rows == 5
    folder = copies.directory()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(DataLost):
        copies.directory()
    shutil.rmtree(folder)
    folder.symlink_to(tmp_path)
    with pytest.raises(DataLost):
        copies.directory()
