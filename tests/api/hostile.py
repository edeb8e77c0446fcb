"""Files that are made wrong, by chance but alike in each run, from good ones of every format."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable

import pyarrow as pa

from ..datasets import making

_ROWS = 300
_chance = random.Random(4)
#: A table with some of everything; Excel files are slow to read, so that theirs is short.
_TABLE = pa.table(
    {
        "number": pa.array(range(_ROWS), pa.int64()),
        "share": pa.array([_chance.random() for _ in range(_ROWS)]),
        "text": pa.array([f'te"xt, {_chance.randrange(50)}' for _ in range(_ROWS)]),
        "new": pa.array([_chance.random() < 0.5 for _ in range(_ROWS)]),
    }
)
SOUND = {
    "csv": making.csv(_TABLE),
    "parquet": making.parquet(_TABLE, row_group_size=100),
    "arrow": making.arrow(_TABLE),
    "json": making.json_array(_TABLE),
    "xlsx": making.sheet(_TABLE.slice(0, 20)),
}

#: How many files are made of each format. Text is read at once, the others by a process each.
COUNTS = {"csv": 75, "json": 75, "parquet": 20, "arrow": 20, "xlsx": 15}
MEBIBYTE = 2**20


def _turned(data: bytes, chance: random.Random) -> bytes:
    """Some bits are other ones."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 30))):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _gap(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randrange(1, 200) :]


def _doubled(data: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.choices(range(len(data)), k=2))
    return data[:end] + data[start:end] + data[end:]


def _with_zeros(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes(chance.choice((1, 8, 500))) + data[at:]


def _with_noise(data: bytes, chance: random.Random) -> bytes:
    at, size = chance.randrange(len(data)), chance.choice((1, 20, 2000))
    return data[:at] + chance.randbytes(size) + data[at + size :]


def _tail_of_another(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.choice([*SOUND.values()])[-(len(data) - at) :]


_CHANGES: list[Callable[[bytes, random.Random], bytes]] = [
    *(_turned, _cut, _gap, _doubled, _with_zeros, _with_noise, _tail_of_another)
]


def fuzzed(format: str) -> list[bytes]:
    """Files that were sound ones of this format."""
    chance = random.Random(f"fuzzed {format}")
    return [_CHANGES[number % len(_CHANGES)](SOUND[format], chance) for number in range(COUNTS[format])]


def _packed(**parts: bytes) -> bytes:
    """An Excel file in which some parts are others."""
    book = making.xlsx([["a", "b"], [1, "x"]])
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, old.read(name)))
    return file.getvalue()


def _repeated() -> pa.Table:
    """20 GB of text, of which a dictionary keeps 100 kB."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 100_000]))
    return pa.table({"a": text})


#: What is made to harm, and is none of the others: the format, and the file.
MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no bytes": ("csv", lambda: b""),
    "no bytes for parquet": ("parquet", lambda: b""),
    "arrays in arrays": ("json", lambda: b"[" * MEBIBYTE),
    "objects in objects": ("json", lambda: b'{"a":' * (MEBIBYTE // 5)),
    "objects in a record": ("json", lambda: b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    "a number of many digits": ("json", lambda: b'{"a": ' + b"9" * 800_000 + b"}"),
    "columns without end in csv": ("csv", lambda: b",".join(b"c%d" % n for n in range(50_000)) + b"\n"),
    "columns without end in json": (
        "json",
        lambda: b"{" + b",".join(b'"c%d":1' % n for n in range(50_000)) + b"}",
    ),
    "columns without end in parquet": (
        "parquet",
        lambda: making.parquet(pa.table({f"c{number}": [1] for number in range(2001)})),
    ),
    "huge cells": ("csv", lambda: b"a,b\n" + (b'1,"' + b"x" * (5 * MEBIBYTE // 2) + b'"\n') * 2 + b"1\n"),
    "a cell that is longer than what is read at once": (
        "csv",
        lambda: b'a,b\n1,"' + b"x" * (7 * MEBIBYTE) + b'"\n2,y\n1\n',
    ),
    "a quote without end": ("csv", lambda: b'a,b\n1,"' + b"x,y\n" * MEBIBYTE),
    "a NUL in a name": ("csv", lambda: b"a\0,b\n1,2\n"),
    "a bomb of rows": ("parquet", lambda: making.parquet(pa.table({"a": pa.nulls(60_000_000)}))),
    "a bomb of text in parquet": ("parquet", lambda: making.parquet(_repeated())),
    "a bomb of text in arrow": ("arrow", lambda: making.arrow(_repeated(), compression="zstd")),
    "a bomb of columns without bytes": (
        "arrow",
        lambda: making.arrow(pa.table([pa.nulls(40_000_000)] * 100, [f"c{n}" for n in range(100)])),
    ),
    "a ZIP bomb": ("xlsx", lambda: _packed(**{making.SHEET: bytes(300 * MEBIBYTE)})),
    "a formula": ("xlsx", lambda: making.xlsx([["a"], ["=1+1"]])),
    "a link to a file": (
        "xlsx",
        lambda: _packed(
            **{"xl/workbook.xml": b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"}
        ),
    ),
}
