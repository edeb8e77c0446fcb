"""Files that are broken, cut off, or made to harm: each is refused in one sentence, and nothing of it stays.

All are made anew and alike in each run. Files of which a bit was turned may by chance be good ones; these must be
taken in whole then.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from apps_registry.datasets.formats import FORMATS
from apps_registry.datasets.ingest import to_parquet
from apps_registry.datasets.limits import Limits
from apps_registry.exceptions import BadData, TooBig

from . import making

MEBIBYTE = 2**20
#: So low that few bytes are too many: it is the tests that have to make them.
LIMITS = Limits(unpacked=64 * MEBIBYTE, memory=256 * MEBIBYTE, seconds=60)
#: What reading may take of the memory of this process.
OWN_MEMORY = 200 * MEBIBYTE

type Data = bytes | Callable[[], bytes]
CASES: list[tuple[str, str, Data]] = []


def case(format: str, name: str, data: Data) -> None:
    """Add one file, or what makes it: what takes time or memory is made when its turn comes."""
    CASES.append((format, f"{format}: {name}", data))


def refused(folder: Path, format: str, data: bytes, limits: Limits = LIMITS) -> str:
    """The sentence with which a file is refused."""
    before = psutil.Process().memory_info().rss
    with pytest.raises((BadData, TooBig)) as caught:
        to_parquet(io.BytesIO(data), format, folder / "data.parquet", limits=limits)
    assert list(folder.iterdir()) == []
    assert psutil.Process().memory_info().rss - before < OWN_MEMORY
    sentence = str(caught.value)
    assert 0 < len(sentence) < 300
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert not [word for word in ("Traceback", "Error", "0x", str(folder), ".py", "/dev") if word in sentence]
    return sentence


# A table of some size, so that there is something to break

ROWS = 400
_random = random.Random(1)
BIG = pa.table(
    {
        "number": pa.array(range(ROWS), pa.int64()),
        "share": pa.array([_random.random() for _ in range(ROWS)]),
        "text": pa.array([f"text {_random.randrange(50)}" for _ in range(ROWS)]),
        "kind": pa.array([f"kind {index % 5}" for index in range(ROWS)]).dictionary_encode(),
    }
)
PLAIN = BIG.set_column(3, "kind", BIG.column("kind").cast(pa.string()))
SOUND = {
    "csv": making.csv(PLAIN),
    "parquet": making.parquet(BIG, row_group_size=100),
    "arrow": making.arrow(BIG),
    "json": making.json_array(PLAIN),
    "xlsx": making.sheet(PLAIN.slice(0, 40)),
}


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_broken_below_is_sound(tmp_path: Path, format: str):
    rows = 40 if format == "xlsx" else ROWS
    assert (
        to_parquet(io.BytesIO(SOUND[format]), format, tmp_path / "data.parquet", limits=LIMITS).rows == rows
    )


# Cut off: what a publisher leaves who goes away


def places(data: bytes, count: int) -> Iterator[int]:
    for number in range(count):
        yield len(data) * number // count


for format, count in {"json": 40, "parquet": 8, "arrow": 8, "xlsx": 6}.items():
    for number, at in enumerate(places(SOUND[format], count)):
        case(format, f"only {number} parts of {count}", SOUND[format][:at])
for number in range(0, ROWS, 16):
    # A table that ends in the middle of a word is still one; in the middle of a quote it is none
    rows = SOUND["csv"].splitlines(keepends=True)[:number]
    case("csv", f"{number} rows and half a quote", b"".join(rows) + b'1,0.5,"half\n')


# Other bytes than there should be

for at in places(SOUND["csv"], 20):
    case("csv", f"no UTF-8 at {at}", SOUND["csv"][:at] + b"\xff" + SOUND["csv"][at:])
    case("csv", f"a zero byte at {at}", SOUND["csv"][:at] + b"\0" + SOUND["csv"][at:])
    case("json", f"no UTF-8 at {at}", SOUND["json"][:at] + b"\x80" + SOUND["json"][at:])
for number in range(1, 13):
    lines = SOUND["csv"].splitlines(keepends=True)
    lines[number * 30] = lines[number * 30].replace(b"\n", b",1\n" if number % 2 else b"")
    case("csv", f"a row of another length at {number * 30}", b"".join(lines))
for seed in range(20):
    noise = random.Random(seed).randbytes(2000)
    format = list(FORMATS)[seed % 5]
    case(format, f"noise {seed}", (FORMATS[format].starts or (b"",))[0] + noise)
for format in FORMATS:
    for other, data in SOUND.items():
        if other != format and (format, other) != ("json", "csv"):
            case(format, f"a file in {other}", data)
case("json", "a file in csv", SOUND["csv"])


# Made to be hard to read

for name, data in {
    "arrays in arrays": b"[" * 200_000,
    "objects in objects": b'{"a":' * 200_000,
    "arrays in arrays in a record": b'{"a":' + b"[" * 500 + b"]" * 500 + b"}",
    "a number without end": b'{"a": ' + b"1" * 900_000,
    "a string without end": b'{"a": "' + b"x" * 3_000_000,
    "a number that is none": b'{"a": 1e}',
    "an infinite number": b'{"a": 1e400}',
    "a number of more than 64 bits": b'{"a": -9223372036854775809}',
    "NaN": b'[{"a": NaN}]',
    "half a letter": b'{"a": "\\udc00"}',
    "half a letter in a name": b'{"\\udc00": 1}',
    "two arrays": b'[{"a": 1}][{"a": 1}]',
    "a comma at the end": b'[{"a": 1},]',
    "a comment": b'[{"a": 1} // one\n]',
    "single quotes": b"[{'a': 1}]",
    "a name twice": b'{"a": 1, "a": 2}',
    "many columns": b"{" + b",".join(b'"c%d": 1' % number for number in range(100_000)) + b"}",
    "columns in each record": b"\n".join(b'{"c%d": 1}' % number for number in range(20_000)),
    "a list among numbers": b'{"a": 1}\n' * 5_000 + b'{"a": []}',
    "only spaces": b" " * 100_000,
}.items():
    case("json", name, data)
for name, data in {
    "many columns": b",".join(b"c%d" % number for number in range(100_000)) + b"\n",
    "many separators": b"a,b\n" + b"," * 500_000,
    "a header without end": b"x" * 900_000,
    "a name without end": b"a," + b"x" * 900_000 + b"\n1,2\n",
    "a header that is one quote": b'"' + b"a,b\n" * 10_000,
    "a quote in the last row": b"a,b\n" + b"1,2\n" * 10_000 + b'1,"2',
    "a row that is longer than what is read at once": b"a,b\n1," + b"x" * (9 * MEBIBYTE) + b"\n2,y\n1\n",
    "only ends of lines": b"\r\n" * 50_000,
    "only a BOM": b"\xef\xbb\xbf",
    "UTF-16": "a,b\n1,2\n".encode("utf-16"),
    "UTF-16 without a BOM": "a,b\n1,2\n".encode("utf-16-le"),
    "a name of two paragraphs": "a,b\N{PARAGRAPH SEPARATOR}b\n1,2\n".encode(),
}.items():
    case("csv", name, data)


# Parquet


def parquet_with_footer(length: int) -> bytes:
    return SOUND["parquet"][:-8] + struct.pack("<i", length) + b"PAR1"


def repeated(text: str, rows: int) -> pa.Array:
    """One long text many times, of which a dictionary keeps one."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


for length in (0, 1, 7, 2**31 - 1, -1, len(SOUND["parquet"])):
    case("parquet", f"a footer of {length} bytes", parquet_with_footer(length))
for number in range(8):
    broken = bytearray(SOUND["parquet"])
    at = len(broken) - 8 - struct.unpack("<i", broken[-8:-4])[0] + 4 * number
    broken[at : at + 8] = b"\xff" * 8
    case("parquet", f"a footer that is overwritten at {at}", bytes(broken))
for number in range(8):
    # The bytes of values, which carry a checksum
    broken = bytearray(making.parquet(BIG, use_dictionary=False, compression="none"))
    broken[3000 + 40 * number] ^= 1 << number
    case("parquet", f"a bit that is turned in value {number}", bytes(broken))
PARQUET = {
    "text that is not UTF-8": lambda: making.parquet(
        pa.table({"a": pa.array([b"\xff\xfe"]).view(pa.string())})
    ),
    "lists in lists": lambda: making.parquet(pa.table({"a": [[[[[1]]]]]})),
    "many columns": lambda: making.parquet(pa.table({f"c{number}": [1] for number in range(2001)})),
    "one long text, many times": lambda: making.parquet(pa.table({"a": repeated("x" * 100_000, 200_000)})),
    "one long value, packed well": lambda: making.parquet(
        pa.table({"a": ["x" * (80 * MEBIBYTE)]}), compression="zstd", use_dictionary=False
    ),
    "many equal rows": lambda: making.parquet(pa.table({"a": pa.array([7] * 9_000_000, pa.int8())})),
}
for name, make in PARQUET.items():
    case("parquet", name, make)


# Arrow


def arrow_of(array: pa.Array) -> bytes:
    return making.arrow(pa.table({"a": array}))


def with_offsets(offsets: list[int]) -> bytes:
    """Three texts of three bytes, which are said to lie where the offsets say."""
    data = arrow_of(pa.array(["abc", "dÄ", "ghi"]))
    right = struct.pack("<4i", 0, 3, 6, 9)
    assert right in data
    return data.replace(right, struct.pack("<4i", *offsets))


def packed_with_size(size: int) -> bytes:
    """Values that are said to unpack to ``size`` bytes."""
    start = b"\x28\xb5\x2f\xfd"
    data = making.arrow(pa.table({"a": pa.array([0] * 10_000, pa.int64())}), compression="zstd")
    right = struct.pack("<q", 80_000) + start
    assert right in data
    return data.replace(right, struct.pack("<q", size) + start)


for name, offsets in {
    "end after the text": [0, 3, 6, 100_000_000],
    "end far after the text": [0, 3, 6, 2**31 - 1],
    "go back": [0, 6, 3, 9],
    "are below zero": [-50_000_000, 3, 6, 9],
    "lie in the middle of a letter": [0, 3, 5, 9],
}.items():
    case("arrow", f"offsets that {name}", with_offsets(offsets))
for size in (2**62, 2**40, 2**31, 8 * 2**30, 79_999, 0):
    case("arrow", f"values that say they unpack to {size} bytes", packed_with_size(size))
ARROW = {
    "text that is not UTF-8": lambda: arrow_of(pa.array([b"\xff\xfe"]).view(pa.string())),
    "a word that the dictionary does not have": lambda: arrow_of(
        pa.DictionaryArray.from_arrays(pa.array([0, 100_000_000], pa.int32()), pa.array(["x"]), safe=False)
    ),
    "one long text, many times": lambda: making.arrow(
        pa.table({"a": repeated("x" * 100_000, 200_000)}), compression="zstd"
    ),
    "rows without any bytes": lambda: arrow_of(pa.nulls(60_000_000)),
    "columns without any bytes": lambda: making.arrow(
        pa.table([pa.nulls(4_000_000)] * 1000, names=[f"c{number}" for number in range(1000)])
    ),
    "runs": lambda: arrow_of(
        pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array([1]))
    ),
    "many columns": lambda: making.arrow(pa.table({f"c{number}": [1] for number in range(2001)})),
    "a stream that breaks off": lambda: making.arrow(BIG, stream=True)[:-2000],
    "lists in lists": lambda: arrow_of(pa.array([[[[1]]]])),
}
for name, make in ARROW.items():
    case("arrow", name, make)


# Excel

BOOK = making.xlsx([["a", "b"], [1, "x"], [2, "y"]])
ENTITIES = b"<!ENTITY a0 'aaaaaaaaaa'>" + b"".join(
    b"<!ENTITY a%d '%s'>" % (number, b"&a%d;" % (number - 1) * 10) for number in range(1, 12)
)


def in_sheet(change: Callable[[bytes], bytes], part: str = making.SHEET) -> bytes:
    return making.with_part(BOOK, part, change)


def with_doctype(declarations: bytes, entity: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        body = content.partition(b"?>")[2] if content.startswith(b"<?xml") else content
        return b"<!DOCTYPE x [%s]>" % declarations + body.replace(b"<sheetData>", b"<sheetData>" + entity)

    return change


def archive(files: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return file.getvalue()


def with_flag(data: bytes, flag: int) -> bytes:
    """An archive that says of each of its files that it is encrypted, or packed in a certain way."""
    changed = bytearray(data)
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        changed[at + 8] |= flag
    return bytes(changed)


for part in ("xl/workbook.xml", making.SHEET, "xl/styles.xml"):
    case("xlsx", f"entities in entities in {part}", in_sheet(with_doctype(ENTITIES, b"&a11;"), part))
    outside = b"<!ENTITY a SYSTEM 'file:///etc/passwd'>"
    case("xlsx", f"an entity from outside in {part}", in_sheet(with_doctype(outside, b"&a;"), part))
for part in ("xl/workbook.xml", "[Content_Types].xml", "xl/_rels/workbook.xml.rels", making.SHEET):
    case("xlsx", f"{part} is empty", in_sheet(lambda content: b"", part))
    case("xlsx", f"{part} is noise", in_sheet(lambda content: random.Random(3).randbytes(500), part))
    case("xlsx", f"{part} breaks off", in_sheet(lambda content: content[: len(content) // 2], part))
case("xlsx", "a sheet that is packed well", lambda: in_sheet(lambda sheet: sheet + b" " * (70 * MEBIBYTE)))
case("xlsx", "a row far below", in_sheet(lambda sheet: sheet.replace(b'<row r="3"', b'<row r="99999999999"')))
case("xlsx", "a cell that is nowhere", in_sheet(lambda sheet: sheet.replace(b'r="A3"', b'r="A-3"')))
case("xlsx", "a date that is none", making.with_part(
    making.xlsx([["a"], ["=1"]]), making.SHEET, lambda sheet: sheet.replace(b"<f>1</f>", b'<f t="array">1</f>')
))  # fmt: skip
case("xlsx", "a ZIP archive", archive({"a.csv": b"a,b\n"}))
case("xlsx", "an OpenDocument file", archive({"content.xml": b"<x/>", "mimetype": b""}))
case("xlsx", "a binary Excel file", archive({"xl/workbook.bin": b"x"}))
case(
    "xlsx", "many parts", archive({"xl/workbook.xml": b"", **{f"{number}": b"" for number in range(10_001)}})
)
case("xlsx", "parts that are encrypted", with_flag(BOOK, 1))
case("xlsx", "parts that are packed by LZMA", archive({"xl/workbook.xml": b"<x/>" * 100}, zipfile.ZIP_LZMA))
case("xlsx", "only the end of an archive", b"PK\x03\x04\0" + BOOK[-22:])


def test_there_are_enough_of_them():
    assert len(CASES) >= 200
    assert {format for format, *_ in CASES} == set(FORMATS)
    assert len({name for _, name, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("format", "data"), [(format, data) for format, _, data in CASES], ids=[name for _, name, _ in CASES]
)
def test_every_one_is_refused_in_a_sentence(tmp_path: Path, format: str, data: Data):
    refused(tmp_path, format, data if isinstance(data, bytes) else data())


# Turned bits: refused or, where no checksum tells, taken in whole


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("format", FORMATS)
def test_turned_bits_do_no_harm(tmp_path: Path, format: str, seed: int):
    chance = random.Random(f"{format} {seed}")
    data = bytearray(SOUND[format])
    for _ in range(chance.choice((1, 4, 40))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    target = tmp_path / "data.parquet"
    try:
        found = to_parquet(io.BytesIO(bytes(data)), format, target, limits=LIMITS)
    except (BadData, TooBig):
        assert not target.exists()
    else:
        assert pq.read_table(target).num_rows == found.rows
    assert {path.name for path in tmp_path.iterdir()} <= {"data.parquet"}
