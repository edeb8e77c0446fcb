"""Files of every format become the same Parquet, or one sentence says where they are wrong."""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import io
import json
import resource
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps_registry.datasets.formats import FORMATS, format_of
from apps_registry.datasets.ingest import Ingested, to_parquet
from apps_registry.datasets.limits import Limits
from apps_registry.exceptions import BadData, NoRoom, TooBig, VizserverError

from . import making


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the target goes, and where nothing else may be left."""
    yield tmp_path
    assert {path.name for path in tmp_path.iterdir()} <= {"data.parquet"}


def take_in(folder: Path, data: bytes, format: str, **options: Any) -> tuple[Ingested, pa.Table]:
    target = folder / "data.parquet"
    found = to_parquet(io.BytesIO(data), format, target, **options)
    return found, pq.read_table(target)


def refusal(folder: Path, data: bytes, format: str, **options: Any) -> VizserverError:
    with pytest.raises((BadData, TooBig, NoRoom)) as caught:
        to_parquet(io.BytesIO(data), format, folder / "data.parquet", **options)
    assert not (folder / "data.parquet").exists()
    return caught.value


def types(found: Ingested) -> dict[str, str]:
    return {column["name"]: column["type"] for column in found.columns}


# Every format, every type


@pytest.mark.parametrize("format", FORMATS)
def test_all_formats_give_the_same_table(folder: Path, format: str):
    found, table = take_in(folder, making.FILES[format], format, schema=making.SCHEMA)
    assert table.equals(making.TABLE)
    assert found.columns == making.SCHEMA
    assert found.rows == 3


@pytest.mark.parametrize("format", FORMATS)
def test_types_are_found(folder: Path, format: str):
    found, table = take_in(folder, making.FILES[format], format)
    # CSV and JSON have no sign for times of day
    untold = {"opens": "text"} if format in ("csv", "json") else {}
    assert types(found) == {column["name"]: column["type"] for column in making.SCHEMA} | untold
    assert table.drop(["opens"]).equals(making.TABLE.drop(["opens"]))


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"\xef\xbb\xbf" + making.csv(), "csv"),
        (making.csv().replace(b",", b";").replace(b"; ", b", "), "csv"),
        (b"\n\n" + making.csv() + b"\n\n", "csv"),
        (making.json_lines(), "json"),
        (b"\xef\xbb\xbf" + making.json_array(), "json"),
        (making.arrow(stream=True), "arrow"),
        (making.arrow(compression="zstd"), "arrow"),
        (making.arrow(compression="lz4", stream=True), "arrow"),
        (making.parquet(compression="gzip", data_page_version="2.0"), "parquet"),
    ],
    ids=range(9),
)
def test_other_ways_to_write_a_format(folder: Path, data: bytes, format: str):
    _, table = take_in(folder, data, format, schema=making.SCHEMA)
    assert table.equals(making.TABLE)


@pytest.mark.parametrize("format", FORMATS)
def test_columns_come_in_the_order_of_the_schema(folder: Path, format: str):
    schema = list(reversed(making.SCHEMA))
    found, table = take_in(folder, making.FILES[format], format, schema=schema)
    assert found.columns == schema
    assert table.column_names == [column["name"] for column in schema]


@pytest.mark.parametrize("make", [making.parquet, making.arrow])
def test_the_types_of_arrow_become_ours(folder: Path, make: Any):
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    table = pa.table(
        {
            "small": pa.array([1], pa.int8()),
            "unsigned": pa.array([2**62], pa.uint64()),
            "single": pa.array([0.5], pa.float32()),
            "decimal": pa.array([Decimal("1.25")]),
            "long": pa.array(["a"], pa.large_string()),
            "category": pa.array(["a"]).dictionary_encode(),
            "milliseconds": pa.array([at], pa.timestamp("ms", "Europe/Berlin")),
            "nanoseconds": pa.array([1_767_225_600_000_000_999], pa.timestamp("ns")),
            "seconds": pa.array([dt.time(9, 30)], pa.time32("s")),
            "nothing": pa.nulls(1),
        }
    )
    found, stored = take_in(folder, make(table), "parquet" if make is making.parquet else "arrow")
    assert list(types(found).values()) == [
        *("integer", "integer", "number", "number", "text", "text", "datetime", "datetime", "time", "text")
    ]
    naive = at.replace(tzinfo=None)
    assert list(stored.to_pylist()[0].values()) == [
        *(1, 2**62, 0.5, 1.25, "a", "a", naive, naive, dt.time(9, 30), None)
    ]


@pytest.mark.parametrize(
    ("values", "type", "stored"),
    [
        (["1", "-2"], "integer", [1, -2]),
        (["1", "2.5"], "number", [1.0, 2.5]),
        (["1", "NA", ""], "integer", [1, None, None]),
        ([" 1 ", "2"], "integer", [1, 2]),
        (["1e3", "-inf"], "number", [1000.0, float("-inf")]),
        (["0.5", "0"], "number", [0.5, 0.0]),
        (["007", "123"], "text", ["007", "123"]),
        ([" 01234", "5"], "text", [" 01234", "5"]),
        (["-007"], "text", ["-007"]),
        (["-0.5", "-0", "+1e3"], "number", [-0.5, 0.0, 1000.0]),
        (["12345678901234567890"], "text", ["12345678901234567890"]),
        (["1", "x"], "text", ["1", "x"]),
        (["true", "FALSE"], "boolean", [True, False]),
        (["2026-01-31", "1999-12-31"], "date", [dt.date(2026, 1, 31), dt.date(1999, 12, 31)]),
        (
            ["2026-01-31", "2026-01-31 10:00"],
            "datetime",
            [dt.datetime(2026, 1, 31), dt.datetime(2026, 1, 31, 10)],
        ),
        (["2026-01-31T10:00:00+02:00"], "datetime", [dt.datetime(2026, 1, 31, 8)]),
        (["2026-01-31T10:00:00.123456789Z"], "datetime", [dt.datetime(2026, 1, 31, 10, 0, 0, 123456)]),
        (["31.1.2026"], "text", ["31.1.2026"]),
        (["NA"], "text", ["NA"]),
        (['""', '"a ""b"""'], "text", ["", 'a "b"']),
    ],
    ids=str,
)
def test_csv_shows_its_types(folder: Path, values: list[str], type: str, stored: list[Any]):
    text = "value,other\n" + "".join(f"{value},x\n" for value in values)
    found, table = take_in(folder, text.encode(), "csv")
    assert types(found)["value"] == type
    assert table.column("value").to_pylist() == stored


def test_excel_rows_begin_where_there_are_values(folder: Path):
    book = making.xlsx(
        [[], [None, "a", "b"], [None, 1, dt.datetime(2026, 1, 1, 5)], [], [None, 2, dt.date(2026, 1, 2)]]
    )
    found, table = take_in(folder, book, "xlsx")
    assert types(found) == {"a": "integer", "b": "datetime"}
    assert table.column("b").to_pylist() == [dt.datetime(2026, 1, 1, 5), dt.datetime(2026, 1, 2)]


def test_json_records_need_not_have_all_columns(folder: Path):
    found, table = take_in(folder, b'{"a": 1}\n{"b": "x"}\n\n{"a": 2.5, "b": null}', "json")
    assert types(found) == {"a": "number", "b": "text"}
    assert table.to_pylist() == [{"a": 1.0, "b": None}, {"a": None, "b": "x"}, {"a": 2.5, "b": None}]


@pytest.mark.parametrize("format", FORMATS)
def test_a_table_without_rows_is_one(folder: Path, format: str):
    empty = making.TABLE.slice(0, 0)
    files = {
        "csv": making.csv(empty),
        "parquet": making.parquet(empty),
        "arrow": making.arrow(empty),
        "json": b"[]",
        "xlsx": making.sheet(empty),
    }
    found, table = take_in(folder, files[format], format, schema=making.SCHEMA)
    assert found.rows == 0
    assert table.schema.equals(making.TABLE.schema)


# Large files


def test_types_that_only_late_rows_show(folder: Path):
    many = 200_000
    text = "count,code,name\n" + "1,2,\n" * many + "1.5,x,late\n"
    found, table = take_in(folder, text.encode(), "csv")
    assert types(found) == {"count": "number", "code": "text", "name": "text"}
    assert table.num_rows == many + 1
    assert table.column("code").slice(many - 1).to_pylist() == ["2", "x"]
    lines = '{"a": 1}\n' * 20_000 + '{"a": 2.5, "b": "2026-01-31"}'
    found, table = take_in(folder, lines.encode(), "json")
    assert types(found) == {"a": "number", "b": "date"}
    assert table.num_rows == 20_001


def test_the_parquet_is_made_for_reading_parts_of_it(folder: Path):
    rows = 300_000
    table = pa.table({"number": range(rows), "text": ["x"] * rows})
    found, stored = take_in(folder, making.arrow(table), "arrow")
    assert stored.equals(table)
    told = pq.read_metadata(folder / "data.parquet")
    groups = [told.row_group(number) for number in range(told.num_row_groups)]
    assert [group.num_rows for group in groups] == [131_072, 131_072, 300_000 - 2 * 131_072]
    assert groups[1].column(0).statistics.min == 131_072
    assert {group.column(0).compression for group in groups} == {"ZSTD"}
    assert found.size == (folder / "data.parquet").stat().st_size


class Once(io.RawIOBase):
    """What comes over the net: it comes once, in pieces, and cannot be asked again."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, size: int = -1) -> bytes:
        piece, self._left = self._left[:1000], self._left[1000:]
        return piece


@pytest.mark.parametrize("format", FORMATS)
def test_the_file_may_come_in_pieces(folder: Path, format: str):
    data = making.FILES[format]
    found = to_parquet(Once(data), format, folder / "data.parquet")
    assert found.upload_sha256 == hashlib.sha256(data).hexdigest()
    assert found.sha256 == hashlib.sha256((folder / "data.parquet").read_bytes()).hexdigest()


def test_the_file_may_have_a_path(tmp_path: Path):
    source = tmp_path / "data.csv"
    source.write_bytes(making.csv())
    assert to_parquet(source, "csv", tmp_path / "data.parquet").rows == 3


# What is refused, and in which words

NUMBERS = [{"name": "a", "type": "integer"}, {"name": "b", "type": "number"}]
TOO_LONG = "x" * 300

REFUSED: list[tuple[str, bytes, str]] = [
    ("csv", b"", "The file is empty."),
    ("csv", b"\n \n", "The file is empty."),
    ("csv", b"a,b\n1,2\n1\n", "Row 3: 1 value, but the header has 2."),
    ("csv", b"\n\na,b\n\n1,2\n\n1,2,3\n", "Row 7: 3 values, but the header has 2."),
    ("csv", b'a,b\n1,"x\ny"\n1,2,3\n', "Row 3: 3 values, but the header has 2."),
    ("csv", b'a,b\n1,"x\n2,y\n', "Row 2: a quote is not closed."),
    ("csv", b'a,"b\n1,x\n', "Row 1: a quote is not closed."),
    ("csv", b'a,b\n"x"y,1\n2,"z\n3,4\n', "Row 3: a quote is not closed."),
    ("csv", b'a,b\n1,2\n1,"' + b"x,y\n" * 50_000,
     "Row 3: a value that is far too long, and somewhere in the file a quote is not closed."),
    ("csv", b"a,a\n", "Row 1, column 'a': two columns have this name."),
    ("csv", b"a,,c\n", "Row 1: column 2 has no name."),
    ("csv", f"a,{TOO_LONG}\n".encode(), "Row 1: column 2 has a name of more than 255 letters."),
    ("csv", f"a,{'x' * 200_000}\n".encode(), "Row 1: the header has a name that is far too long."),
    ("csv", b"a,b\x07\n", "Row 1: column 2 has a name with a letter that cannot be shown."),
    ("csv", b"a,b\n1,\xe9\n", "Line 2 is not UTF-8 text (byte 7 of the file). Save the file as UTF-8."),
    ("csv", b"a,b\n1,\xc3", "Line 2 is not UTF-8 text (byte 7 of the file). Save the file as UTF-8."),
    ("csv", b"a,b\n1,\0\n", "Line 2 has a zero byte (byte 7 of the file), so this is not text."),
    ("csv", b"PAR1\x15\x04", "This is not CSV but a Parquet file."),
    ("csv", making.FILES["xlsx"], "This is not CSV but an Excel file."),
    ("csv", b'[{"a": 1}]', "This is not CSV but a JSON file."),
    ("csv", b"\x1f\x8b\x08\0", "This is not CSV but a gzip file; send it unpacked."),
    ("csv", "a,b".encode("utf-16"), "This is not CSV but UTF-16 text; save it as UTF-8."),
    ("csv", b"<!DOCTYPE html><p>Log in", "This is not CSV but a web page."),
    ("json", b"\n", "The file has no columns."),
    ("json", b"[]", "The file has no columns."),
    ("json", b"[{}]", "The file has no columns."),
    ("json", b'[{"a": 1},\n {"a" 2}]', "The file is not JSON (line 2, letter 7): expecting ':' delimiter."),
    ("json", b'[{"a": 1}', "The file is not JSON (line 1, letter 10): expecting ',' or ']'."),
    ("json", b'[{"a": 1}] 5', "The file is not JSON (line 1, letter 12): nothing may follow the array."),
    ("json", b'[{"a": 1}, [2]]', "Row 2: not an object but a list."),
    ("json", b'{"a": 1}\n"text"', "Row 2: not an object but text."),
    ("json", b'[{"a": 1}, {"a": "x"}]', "Row 2, column 'a': 'x' stands among whole numbers."),
    ("json", b'[{"a": "x"}, {"a": true}]', "Row 2, column 'a': 'true' stands among text."),
    ("json", b'{"a": 1}\n' * 20_000 + b'{"a": true}', "Row 20001, column 'a': 'true' stands among whole numbers."),
    ("json", b'[{"a": {"b": 1}}]', "Row 1, column 'a': an object has no place in a table."),
    ("json", b'[{"a": 1}, {"a": [1]}]', "Row 2, column 'a': a list has no place in a table."),
    ("json", b'{"a": 1, "a": 2}', "Row 1: two values for 'a'."),
    ("json", b'{"a": NaN}', "Row 1: NaN is not JSON; write null for a missing value."),
    ("json", b'{"a": -Infinity}', "Row 1: -Infinity is not JSON; write null for a missing value."),
    ("json", b'{"a": 9223372036854775808}', "Row 1, column 'a': '9223372036854775808' does not fit into 64 bits."),
    ("json", b'{"a": 1e999}', "Row 1, column 'a': the number is too big."),
    ("json", b'{"a": %s}' % (b"9" * 5000), "Row 1: a number of too many digits."),
    ("json", b'{"a": "\\ud800"}', "Row 1, column 'a': the text has half a letter (a lone surrogate)."),
    ("json", b'{"a": %s' % (b"[" * 100_000), "Row 1: nested too deeply."),
    ("json", b'{"a": 1}\n{"": 1}', "Row 2: a value has no name."),
    ("json", b'{"a": 1}\n{"a": "\xff"}', "Line 2 is not UTF-8 text (byte 17 of the file). Save the file as UTF-8."),
    ("xlsx", b"PK\x03\x04 and so on \0", "The file is damaged, or not in the Excel format."),
    ("xlsx", b"a,b\n", "This is not an Excel file."),
    ("xlsx", b"\xd0\xcf\x11\xe0\0", "This is not Excel but an old Excel file or one with a password; "
     "save it as .xlsx without a password."),
    ("xlsx", making.xlsx([]), "The file has no sheet with any value."),
    ("xlsx", making.xlsx([["a", "b"], [1, 2, 3]]), "Cell C2 has a value, but no name stands over its column."),
    ("xlsx", making.xlsx([["a", None, "b"], [1, 2, 3]]), "Cell B2 has a value, but no name stands over its column."),
    ("xlsx", making.xlsx([["a", "b"], [1, "#DIV/0!"]]), "Row 2, column 'b': the cell shows the error #DIV/0!."),
    ("xlsx", making.xlsx([["a"], ["=1+1"]]),
     "Cell A2 has a formula without a value. Open the file in Excel, and save it."),
    ("xlsx", making.xlsx([["a"], [1], [], ["x"]]), "Row 4, column 'a': 'x' stands among whole numbers."),
    ("xlsx", making.xlsx([["a"], [dt.timedelta(hours=1)]]), "Row 2, column 'a': a duration has no place in a table."),
    ("xlsx", making.xlsx([["a", "a"], [1, 2]]), "Row 1, column 'a': two columns have this name."),
    ("parquet", b"a,b\n", "This is not a Parquet file."),
    ("parquet", making.FILES["arrow"], "This is not Parquet but an Arrow file."),
    ("parquet", making.parquet()[:-1], "The file is damaged, or not in the Parquet format."),
    ("parquet", making.parquet(pa.table({"a": [[1]]})),
     "Column 'a': values of the type 'list<element: int64>' have no place in a table."),
    ("parquet", making.parquet(pa.table({"a": [b"x"]})),
     "Column 'a': values of the type 'binary' have no place in a table."),
    ("parquet", making.parquet(pa.table({"a": pa.array([2**63], pa.uint64())})),
     "Row 1, column 'a': '9223372036854775808' does not fit into 64 bits."),
    ("parquet", making.parquet(pa.table({"": [1]})), "Column 1 has no name."),
    ("arrow", making.arrow(pa.table([[1], [2]], names=["a", "a"])), "Column 'a': two columns have this name."),
    ("arrow", making.arrow(pa.table({})), "The file has no columns."),
    ("arrow", making.arrow()[:-1], "The file is damaged, or not in the Arrow format."),
    ("arrow", making.arrow(pa.table({"a": pa.array([dt.timedelta(1)])})),
     "Column 'a': values of the type 'duration[us]' have no place in a table."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("format", "data", "sentence"), REFUSED, ids=[sentence[:60] for *_, sentence in REFUSED]
)
def test_what_cannot_be_read_is_refused_with_its_place(folder: Path, format: str, data: bytes, sentence: str):
    error = refusal(folder, data, format)
    assert str(error) == sentence
    assert isinstance(error, BadData)
    assert error.status == 422


UNDECLARED: list[tuple[str, bytes, str]] = [
    ("csv", b"b,a\n1,2\n", ""),
    ("csv", b"a\n1\n", "Column 'b': declared by the data set, but not in the file."),
    ("csv", b"a,b,c\n1,2,3\n", "Column 'c': in the file, but not declared by the data set."),
    ("csv", b"a,b\n1,2\n1.5,2\n", "Row 3, column 'a': '1.5' is not a whole number."),
    ("csv", b"a,b\n\n\n1,2\n1,two\n", "Row 5, column 'b': 'two' is not a number."),
    ("csv", b"a,b\n1,1e999\n", "Row 2, column 'b': '1e999' is not a number."),
    ("csv", b"a,b\n9999999999999999999,1\n", "Row 2, column 'a': '9999999999999999999' does not fit into 64 bits."),
    ("csv", b"a,b\n1,%s\n" % (b"x" * 100), f"Row 2, column 'b': '{'x' * 39}\N{HORIZONTAL ELLIPSIS}' is not a number."),
    ("json", b'{"a": 1, "b": 2}', ""),
    ("json", b'{"a": 1}', "Column 'b': declared by the data set, but not in the file."),
    ("json", b'{"a": 1, "b": 2}\n{"a": 1, "c": 2}',
     "Row 2, column 'c': in the file, but not declared by the data set."),
    ("json", b'{"a": "1", "b": 2}', "Row 1, column 'a': '1' is text, not a whole number."),
    ("json", b'{"a": 1.5, "b": 2}', "Row 1, column 'a': '1.5' is not a whole number."),
    ("json", b'{"a": true, "b": 2}', "Row 1, column 'a': 'true' is not a whole number."),
    ("xlsx", making.xlsx([["a", "b"], [2.0, 1]]), ""),
    ("xlsx", making.xlsx([["a", "b"], [1, "x"]]), "Row 2, column 'b': 'x' is text, not a number."),
    ("parquet", making.parquet(pa.table({"a": [1.0], "b": [1]})), ""),
    ("parquet", making.parquet(pa.table({"a": [1]})), "Column 'b': declared by the data set, but not in the file."),
    ("parquet", making.parquet(pa.table({"a": [1, 2], "b": ["1", "x"]})),
     "Row 1, column 'b': '1' is text, not a number."),
    ("arrow", making.arrow(pa.table({"a": [1.0, 1.5], "b": [1, 1]})),
     "Row 2, column 'a': '1.5' is not a whole number."),
]  # fmt: skip


@pytest.mark.parametrize(("format", "data", "sentence"), UNDECLARED)
def test_the_columns_are_those_that_the_data_set_declares(
    folder: Path, format: str, data: bytes, sentence: str
):
    if sentence:
        assert str(refusal(folder, data, format, schema=NUMBERS)) == sentence
    else:
        found, _ = take_in(folder, data, format, schema=NUMBERS)
        assert found.columns == NUMBERS


@pytest.mark.parametrize(
    ("type", "value", "sentence"),
    [
        ("date", "2026-02-30", "'2026-02-30' is not a date like 2026-01-31."),
        ("date", "12026-01-01", "'12026-01-01' is not a date like 2026-01-31."),
        ("datetime", "soon", "'soon' is not a time like 2026-01-31T12:30:00."),
        ("time", "25:00:00", "'25:00:00' is not a time of day like 12:30:00."),
        ("boolean", "maybe", "'maybe' is not true or false."),
    ],
)
def test_values_of_other_types(folder: Path, type: str, value: str, sentence: str):
    schema = [{"name": "a", "type": type}]
    data = {"csv": f"a\n{value}\n".encode(), "json": json.dumps({"a": value}).encode()}
    assert str(refusal(folder, data["csv"], "csv", schema=schema)) == f"Row 2, column 'a': {sentence}"
    told = str(refusal(folder, data["json"], "json", schema=schema))
    assert told == f"Row 1, column 'a': {sentence.replace(' is not', ' is text, not')}"


def test_dates_that_python_does_not_have(folder: Path):
    far = pa.table({"a": pa.array([0, 10_000_000], pa.int32()).cast(pa.date32())})
    assert str(refusal(folder, making.parquet(far), "parquet")) == (
        "Row 2, column 'a': '?' is not a date like 2026-01-31."
    )


@pytest.mark.parametrize("index", [0, 63, 64, 65, 8_255, 8_256, 8_257, 19_999])
@pytest.mark.parametrize(("type", "good"), [("integer", "1"), ("datetime", "2026-01-31T10:00:00Z")])
def test_the_first_wrong_value_is_named_wherever_it_is(folder: Path, index: int, type: str, good: str):
    values = [good] * 20_000
    values[index] = values[-1] = "x"
    schema = [{"name": "a", "type": type}]
    error = refusal(folder, "\n".join(["a", *values]).encode(), "csv", schema=schema)
    assert isinstance(error, BadData)
    assert (error.row, error.column) == (index + 2, "a")
    values[index] = values[-1] = "NA"
    _, table = take_in(folder, "\n".join(["a", *values]).encode(), "csv", schema=schema)
    assert table.column("a").null_count == len({index, 19_999})
    assert table.num_rows == 20_000


@pytest.mark.parametrize("before", range(2**20 - 4, 2**20 + 1))
def test_letters_may_lie_across_what_is_read_at_once(folder: Path, before: int):
    text = "a\n" + "x" * (before - 3) + "\n\N{MUSICAL SYMBOL G CLEF}"
    _, table = take_in(folder, text.encode(), "csv")
    assert table.column("a").to_pylist()[-1] == "\N{MUSICAL SYMBOL G CLEF}"
    for wrong in (b"\xff", b"\xf0\x9d"):
        error = refusal(folder, text.encode() + b"\n" + wrong, "csv")
        assert str(error) == (
            f"Line 4 is not UTF-8 text (byte {before + 6} of the file). Save the file as UTF-8."
        )


@pytest.mark.parametrize("make", [making.parquet, making.arrow])
def test_a_text_that_a_dictionary_repeats_counts_each_time(folder: Path, make: Any):
    text = pa.DictionaryArray.from_arrays(pa.array([0, None] * 40_000, pa.int32()), pa.array(["x" * 100_000]))
    error = refusal(folder, make(pa.table({"a": text})), make.__name__)
    assert str(error) == "The file unpacks to more than 256 MiB."


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ([], "The file has no columns."),
        ([{"name": "a", "type": "int"}], "Column 'a': 'int' is not a type; the types are integer, number, text, "
         "boolean, date, datetime, time."),
        ([{"name": "a"}], "Declared column 1 needs a name and a type, and nothing else."),
        ([{"name": "a", "type": "text"}] * 2, "Column 'a': two columns have this name."),
    ],
)  # fmt: skip
def test_a_schema_must_be_one(folder: Path, schema: list[dict[str, str]], sentence: str):
    assert str(refusal(folder, b"a\n1\n", "csv", schema=schema)) == sentence


# Limits, and the process that reads


WIDE = pa.table({f"c{number}": [number] for number in range(30)})
LONG = pa.table({"a": range(30)})


@pytest.mark.parametrize("format", FORMATS)
def test_limits_hold_for_every_format(folder: Path, format: str):
    make = {
        "csv": making.csv,
        "parquet": making.parquet,
        "arrow": making.arrow,
        "json": making.json_lines,
        "xlsx": making.sheet,
    }[format]
    for table, limits, sentence in [
        (WIDE, Limits(columns=29), "The file holds more than 29 columns."),
        (LONG, Limits(rows=29), "The file holds more than 29 rows."),
        (LONG, Limits(bytes=50), "The file is bigger than 50 bytes."),
        (LONG, Limits(unpacked=200), "The file unpacks to more than 200 bytes."),
    ]:
        error = refusal(folder, make(table), format, limits=limits)
        assert str(error) == sentence
        assert isinstance(error, TooBig)
        assert error.status == 413
    assert take_in(folder, make(LONG), format, limits=Limits(rows=30, columns=1))[0].rows == 30


def test_reading_may_not_take_for_ever(folder: Path):
    error = refusal(folder, making.parquet(), "parquet", limits=Limits(seconds=0.01))
    assert str(error) == "Reading the file takes longer than 0.01 seconds."


def test_reading_may_not_take_all_memory(folder: Path):
    bomb = making.parquet(pa.table({"a": ["x" * 100_000_000]}), compression="zstd", use_dictionary=False)
    error = refusal(folder, bomb, "parquet", limits=Limits(memory=150 * 2**20))
    assert str(error) == "Reading the file takes more than 150 MiB of memory."


@pytest.mark.parametrize(
    ("signal", "kind", "sentence"),
    [
        ("SEGV", BadData, "The file is damaged, or not in the Parquet format."),
        ("ABRT", BadData, "The file is damaged, or not in the Parquet format."),
        ("KILL", TooBig, "Reading the file takes more than 2 GiB of memory."),
        ("XCPU", TooBig, "Reading the file takes longer than 600 seconds."),
    ],
)
def test_a_file_that_ends_the_process_that_reads_it(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    signal: str,
    kind: type,
    sentence: str,
):
    python = tmp_path_factory.mktemp("bin") / "python"
    python.write_text(f"#!/bin/sh\ncat > /dev/null\nulimit -c 0\nkill -{signal} $$\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    error = refusal(folder, making.parquet(), "parquet")
    assert type(error) is kind
    assert str(error) == sentence


def test_the_process_that_reads_knows_no_secrets(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    directory = tmp_path_factory.mktemp("bin")
    python = directory / "python"
    python.write_text(f"#!/bin/sh\nenv > {directory}/environment\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setenv("SECRET_KEY", "hush")
    with pytest.raises(VizserverError, match="Something went wrong on the server"):
        to_parquet(io.BytesIO(making.parquet()), "parquet", folder / "data.parquet")
    environment = (directory / "environment").read_text()
    assert "PYTHONPATH=" in environment
    assert "hush" not in environment


class Fails(io.RawIOBase):
    """A publisher who goes away in the middle, or a disk that is full then."""

    def __init__(self, number: int) -> None:
        self._errors = iter([None, OSError(number, "no more")])

    def read(self, size: int = -1) -> bytes:
        if (error := next(self._errors)) is not None:
            raise error
        return b"a,b\n1,2\n"


def test_an_upload_that_breaks_off_leaves_nothing(folder: Path):
    with pytest.raises(ConnectionResetError):
        to_parquet(Fails(errno.ECONNRESET), "csv", folder / "data.parquet")
    with pytest.raises(NoRoom, match=r"There is no room on the server for this file\."):
        to_parquet(Fails(errno.ENOSPC), "csv", folder / "data.parquet")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_a_full_disk_is_told_and_leaves_nothing(folder: Path, format: str):
    # The limit of a file's size, for there is no disk to fill
    data = making.FILES[format]
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) // 2, hard))
    try:
        with pytest.raises(NoRoom):
            to_parquet(io.BytesIO(data), format, folder / "data.parquet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert list(folder.iterdir()) == []


# The names of formats


@pytest.mark.parametrize(
    ("filename", "media_type", "format"),
    [
        ("sales.csv", "", "csv"),
        ("C:\\data\\Sales.PARQUET", "text/csv", "parquet"),
        ("sales", "text/csv; charset=utf-8", "csv"),
        ("", "Application/JSON", "json"),
        ("sales.feather", "", "arrow"),
        ("sales.xlsx", "application/octet-stream", "xlsx"),
        ("sales.csv.gz", "application/gzip", None),
        ("chart.png", "image/png", None),
        ("", "", None),
    ],
)
def test_the_format_shows_in_name_or_media_type(filename: str, media_type: str, format: str | None):
    assert format_of(filename, media_type) == format


def test_suffixes_and_media_types_belong_to_one_format():
    for attribute in ("suffixes", "media_types"):
        all_of_them = [name for format in FORMATS.values() for name in getattr(format, attribute)]
        assert len(set(all_of_them)) == len(all_of_them)
