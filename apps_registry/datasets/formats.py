"""The formats in which data is published, and how a file shows its own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from ..exceptions import BadData

#: Bytes that are enough to know a file by.
HEAD = 512


@dataclass(frozen=True)
class Format:
    """One format of tables; the first suffix and media type are those that downloads get."""

    name: str
    #: What people call it.
    title: str
    suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    #: The module of ``reading`` that reads it.
    reader: str
    #: What each file begins with; nothing for formats that are text.
    starts: tuple[bytes, ...] = ()


FORMATS = {
    format.name: format
    for format in (
        Format("csv", "CSV", (".csv", ".tsv"), ("text/csv", "text/tab-separated-values"), "csv"),
        Format(
            "parquet",
            "Parquet",
            (".parquet", ".pq"),
            ("application/vnd.apache.parquet", "application/x-parquet"),
            "parquet",
            (b"PAR1", b"PARE"),
        ),
        Format(
            "arrow",
            "Arrow",
            (".arrow", ".feather", ".arrows", ".ipc"),
            ("application/vnd.apache.arrow.file", "application/vnd.apache.arrow.stream"),
            "arrow",
            (b"ARROW1", b"\xff\xff\xff\xff"),
        ),
        Format(
            "json",
            "JSON",
            (".json", ".ndjson", ".jsonl"),
            ("application/json", "application/x-ndjson", "application/jsonl"),
            "json",
        ),
        Format(
            "xlsx",
            "Excel",
            (".xlsx", ".xlsm"),
            ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",),
            "excel",
            (b"PK\x03\x04",),
        ),
    )
}

#: What else is sent by mistake, by its first bytes.
_OTHERS = {
    b"\x1f\x8b": "a gzip file; send it unpacked",
    b"BZh": "a bzip2 file; send it unpacked",
    b"\xfd7zXZ": "an xz file; send it unpacked",
    b"\x28\xb5\x2f\xfd": "a zstd file; send it unpacked",
    b"7z\xbc\xaf": "a 7z archive; send the file that is in it",
    b"\xd0\xcf\x11\xe0": "an old Excel file or one with a password; save it as .xlsx without a password",
    b"FEA1": "a Feather file of the first version; save it as Parquet",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"\x80\x04\x95": "a Python pickle",
    b"\x80\x05\x95": "a Python pickle",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"SQLite format 3": "an SQLite database",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
}
_TEXTS = {
    re.compile(rb"\s*<(!doctype html|html)", re.IGNORECASE): "a web page",
    re.compile(rb"\s*<\?xml", re.IGNORECASE): "an XML file",
    re.compile(rb"%PDF-"): "a PDF",
}
_JSON = re.compile(rb"(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*[\"}]")
#: Bytes that no text has: a table in CSV may well begin with the letters of another format.
_CONTROL = re.compile(rb"[\0-\x08]")


def format_of(filename: str = "", media_type: str = "") -> str | None:
    """The name of the format that a file name or, failing that, a media type stands for."""
    suffix = PurePath(filename).suffix.lower()
    media_type = media_type.partition(";")[0].strip().lower()
    by_suffix = (name for name, format in FORMATS.items() if suffix in format.suffixes)
    by_type = (name for name, format in FORMATS.items() if media_type in format.media_types)
    return next(by_suffix, None) or next(by_type, None)


def check_head(head: bytes, name: str) -> None:
    """Refuse a file that evidently is not of the format ``name``, by its first ``HEAD`` bytes.

    Raises ``BadData``.
    """
    if not head:
        raise BadData("The file is empty.")
    title, found = FORMATS[name].title, _evident(head)
    if found is None and FORMATS[name].starts:
        raise BadData(f"This is not {_with_article(title)} file.")
    if found not in (None, name):
        other = FORMATS.get(found)
        what = f"{_with_article(other.title)} file" if other else found
        raise BadData(f"This is not {title} but {what}.")


def _evident(head: bytes) -> str | None:
    """What a file shows itself to be: the name of a format, what people call it, or nothing."""
    if _JSON.match(head):
        return "json"
    if text := next((what for start, what in _TEXTS.items() if start.match(head)), None):
        return text
    for format in FORMATS.values():
        if format.starts and head.startswith(format.starts) and _CONTROL.search(head):
            return format.name
    others = (what for start, what in _OTHERS.items() if head.startswith(start))
    return next(others, None) if _CONTROL.search(head) else None


def _with_article(title: str) -> str:
    return f"an {title}" if title[0] in "AE" else f"a {title}"
