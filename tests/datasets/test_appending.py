"""Rows that are added to a big table: neither who publishes nor who looks goes through all the others again."""

from __future__ import annotations

import gc
import hashlib
import weakref
from collections.abc import Mapping
from datetime import date, datetime, time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps_registry.datasets import appending, arrays, copies, store
from apps_registry.datasets.columns import KINDS
from apps_registry.datasets.managing import to_publish
from apps_registry.datasets.reading import writing
from apps_registry.datasets.rules import NOTHING, RowFilter
from apps_registry.datasets.selection import Selection, Wanted, selection
from apps_registry.exceptions import DataLost
from apps_registry.live import adapter
from apps_registry.models import DatasetVersion

from . import making
from .published import SALES, put
from .publishers import send
from .store import Store, rows

# How it is stored


@pytest.fixture
def short_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of three rows, so that a table of a few is a big one."""
    for module in (appending, writing):
        monkeypatch.setattr(module, "GROUP", 3)


def test_what_a_big_table_has_already_is_not_written_anew(ann: User, store: Store, short_groups: None):
    table = pa.concat_tables([making.TABLE] * 4)
    before = send(to_publish("big", user=ann), making.parquet(table), format="parquet")
    version = send(before.dataset, making.parquet(), format="parquet", append=True)
    with before.file.open() as old, version.file.open() as new:
        content = old.read()
        length = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        assert new.read(length) == content[:length]
        file = pq.ParquetFile(new, page_checksum_verification=True)
        assert [file.metadata.row_group(number).num_rows for number in range(2)] == [12, 3]
        assert file.read().equals(pa.concat_tables([table, making.TABLE]))
        assert file.metadata.row_group(1).column(0).statistics.max == 3


def test_a_big_table_of_many_small_pieces_is_written_anew(ann: User, store: Store, short_groups: None):
    table = making.TABLE.select(["id"])
    version = send(to_publish("big", user=ann), making.parquet(table), format="parquet")
    pieces = []
    for _ in range(30):
        version = send(version.dataset, making.parquet(table[:1]), format="parquet", append=True)
        with version.file.open() as file:
            pieces.append(pq.ParquetFile(file).num_row_groups)
    assert rows(version)["id"].to_pylist() == [1, 2, 3] + [1] * 30
    assert pieces[:7] == [2, 3, 4, 5, 6, 7, 8], "Adding has to keep what is there most of the time."
    assert all(number <= 8 * (row // 3) + 1 for row, number in enumerate(pieces, 4))


def test_a_table_whose_columns_are_stored_otherwise_is_written_anew(
    folders: Path, tmp_path: Path, short_groups: None
):
    stored, added, target = (tmp_path / f"{name}.parquet" for name in ("stored", "added", "target"))
    required = making.TABLE.schema.field("id").with_nullable(False)
    pq.write_table(making.TABLE.cast(making.TABLE.schema.set(0, required)), stored)
    added.write_bytes(making.parquet())
    name = default_storage.save("before.parquet", ContentFile(stored.read_bytes()))
    sha256 = hashlib.sha256(stored.read_bytes()).hexdigest()
    before = DatasetVersion(file=name, columns=making.SCHEMA, sha256=sha256)
    assert appending.join(before, added, target, most=6) == 6
    assert pq.read_table(target).equals(pa.concat_tables([making.TABLE] * 2))


@pytest.mark.parametrize("is_big", [True, False])
def test_nothing_is_added_to_what_was_harmed(
    ann: User, store: Store, is_big: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(appending, "GROUP", 3 if is_big else 100)
    before = send(to_publish("sales", user=ann), making.parquet(), format="parquet")
    path = Path(default_storage.path(str(before.file.name)))
    good = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(good[:50] + bytes([good[50] ^ 1]) + good[51:])
    with pytest.raises(DataLost) as caught:
        send(before.dataset, making.parquet(), format="parquet", append=True)
    assert "not what was published" in caught.value.detail
    assert before.dataset.versions.count() == 1
    path.write_bytes(good)


# How it is read


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read as a whole."""
    # What other tests have left would be found in place of them
    gc.collect()
    found: list[str] = []
    fetched = copies._fetched

    def fetch(version: DatasetVersion) -> Path:
        found.append(version.sha256)
        return fetched(version)

    monkeypatch.setattr(copies, "_fetched", fetch)
    return found


FILTERS = {
    "all rows": frozenset[RowFilter](),
    "a group's": frozenset([RowFilter("region", frozenset(["EU"]))]),
    "two users'": frozenset(
        [RowFilter("region", frozenset(["EU", "US"])), RowFilter("count", frozenset(["1", "6"]))]
    ),
    "none": frozenset([NOTHING]),
}
WANTED = {
    "all": Wanted(),
    "a column": Wanted(("price",)),
    "values": Wanted(("price", "count"), {"region": ("EU", None)}),
    "an expression": Wanted(("region",), pc.field("price") > 3),
}
MORE = pa.table({"region": ["US", None, "EU"], "price": [6.0, None, 7.5], "count": [6, None, 2**40]})


def fresh(version: DatasetVersion, *args: Any) -> dict[str, arrays.Array]:
    """The arrays of a version as a process has them that has just begun."""
    copy = store.Copy(version)
    copy.earlier = list  # type: ignore[method-assign]
    if args:
        return Selection(copy, *args).arrays
    return {
        name: arrays.array_of(column) for name, column in zip(copy.types, copy.table().columns, strict=True)
    }


def check_equal(found: Mapping[str, arrays.Array], expected: Mapping[str, arrays.Array]) -> None:
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array, name)
        assert adapter.is_shared(found[name])
        assert not found[name].flags.writeable


@pytest.mark.usefixtures("transactional_db", "folders")
class TestReading:
    def test_arrays_grow_without_reading_what_is_there(self, reads: list[str]):
        first = store.opened(put())
        kept = first.arrays(["price", "count"])
        second = put(table=MORE, append=True)
        reads.clear()
        grown = store.columns(second, ["count", "price"])
        assert reads == []
        # What nobody has had before is read
        assert len(store.columns(second)["region"]) == 8
        assert reads == [second.sha256]
        check_equal(grown, {name: fresh(second)[name] for name in ("count", "price")})
        assert len(kept["price"]) == 5

    def test_copied_columns_grow_without_reading_what_is_there(self, reads: list[str], folders: Path):
        first = store.opened(put())
        first.table(["price", "region"])
        second = put(table=MORE, append=True)
        reads.clear()
        grown = store.table(second, ["region", "price"])
        assert reads == []
        assert grown.column("price").num_chunks == 1, "Numbers in one piece are shared by all processes."
        expected = pa.concat_tables([SALES, MORE]).select(["region", "price"])
        assert grown.to_pydict() == expected.to_pydict()
        assert store.table(second, ["count"]).to_pydict() == {"count": [1, 2, 3, 4, 5, 6, None, 2**40]}
        assert reads == [second.sha256]

    def test_columns_grow_that_were_copied_by_a_process_that_has_gone(self, reads: list[str]):
        first = put()
        copies.read_columns(first, ["price", "region"])
        put(table=MORE, append=True)
        third = put(table=SALES, append=True)
        reads.clear()
        assert store.opened(third).earlier() == []
        expected = pa.concat_tables([SALES, MORE, SALES]).select(["region", "price"])
        assert store.table(third, ["region", "price"]).to_pydict() == expected.to_pydict()
        assert reads == []

    def test_of_several_versions_the_last_one_grows(self, reads: list[str]):
        versions = [put(), put(table=MORE, append=True), put(table=SALES, append=True)]
        first, second = (store.opened(version) for version in versions[:2])
        kept = first.arrays(), second.arrays()
        reads.clear()
        copy = store.opened(versions[2])
        assert copy.earlier() == [second, first]
        assert store.opened(versions[1]).earlier() == [first]
        grown = copy.arrays()
        assert reads == []
        check_equal(grown, fresh(versions[2]))
        assert [len(arrays["count"]) for arrays in kept] == [5, 8]

    def test_what_is_all_new_continues_nothing(self):
        copies = [store.opened(put()), store.opened(put(table=MORE)), store.opened(put("other", append=True))]
        assert [copy.earlier() for copy in copies] == [[], [], []]

    @pytest.mark.parametrize("what", WANTED)
    @pytest.mark.parametrize("whose", FILTERS)
    def test_selections_grow(self, what: str, whose: str, reads: list[str]):
        wanted, filters = WANTED[what], FILTERS[whose]
        first = selection(store.opened(put()), wanted, filters)
        second = put(table=MORE, append=True)
        reads.clear()
        grown = selection(store.opened(second), wanted, filters)
        assert reads == []
        check_equal(grown.arrays, fresh(second, wanted, filters))
        assert grown.rows >= first.rows

    @pytest.mark.parametrize("harm", ["gone", "cut", "scratched"])
    def test_added_rows_that_cannot_be_read(self, harm: str):
        first = store.opened(put())
        kept = first.arrays()
        second = put(table=MORE, append=True)
        path = Path(default_storage.path(str(second.file.name)))
        good = path.read_bytes()
        path.chmod(0o600)
        match harm:
            case "gone":
                path.unlink()
            case "cut":
                path.write_bytes(good[:-20])
            case "scratched":
                # In the pages of the last row group
                with pq.ParquetFile(path) as file:
                    pages = file.metadata.row_group(1).column(1)
                place = pages.dictionary_page_offset + pages.total_compressed_size - 1
                path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(DataLost):
            store.columns(second)
        assert len(kept["price"]) == 5

    def test_nothing_old_stays_in_memory(self):
        first = store.opened(put())
        before = first.arrays()
        second = store.opened(put(table=MORE, append=True))
        grown = second.arrays()
        seen = [weakref.ref(first), *map(weakref.ref, before.values())]
        del first, before
        gc.collect()
        assert not [ref for ref in seen if ref() is not None]
        assert len(grown["price"]) == 8


PARTS = {
    "integer": [[1, 2], [-(2**31), None], [2**31, 3], [None], []],
    "number": [[1.5, 2.0], [None, -0.0], [float("inf")], []],
    "boolean": [[True, False], [None, True], []],
    "text": [["a", "b", "a"], [None], ["b", None], []],
    "date": [[date(2026, 1, 31)], [None, date(1999, 12, 31)], []],
    "datetime": [[datetime(2026, 1, 31, 12, 30)], [None], []],
    "time": [[time(9, 30)], [None], []],
}


@pytest.mark.parametrize("kind", PARTS)
def test_joined_arrays_are_as_if_made_at_once(kind: str):
    parts = [pa.array(values, KINDS[kind].stored) for values in PARTS[kind]]
    for first, second in product(parts, repeat=2):
        made = [arrays.array_of(pa.chunked_array([part])) for part in (first, second)]
        expected = arrays.array_of(pa.chunked_array([first, second]))
        check_equal({kind: arrays.joined(*made)}, {kind: expected})
