"""What every file of text must be: UTF-8 without zero bytes."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from ...exceptions import BadData

BOM = codecs.BOM_UTF8
_CHUNK = 2**20


def chunks(source: BinaryIO) -> Iterator[bytes]:
    """The whole file, piece by piece."""
    source.seek(0)
    return iter(lambda: source.read(_CHUNK), b"")


def check_text(source: BinaryIO) -> None:
    """Refuse a file that is not UTF-8 text. Raises ``BadData`` with the line and the byte."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    read = kept = 0
    for chunk in chunks(source):
        if kept or not chunk.isascii():
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise _not_utf8(source, read + error.start - kept) from None
            # What a letter began with at the end of this piece
            kept = len(decoder.getstate()[0])
        if (at := chunk.find(b"\0")) >= 0:
            what = f"has a zero byte (byte {read + at + 1} of the file), so this is not text."
            raise BadData(f"Line {_line(source, read + at)} {what}")
        read += len(chunk)
    if kept:
        raise _not_utf8(source, read - kept)


def _not_utf8(source: BinaryIO, at: int) -> BadData:
    what = f"is not UTF-8 text (byte {at + 1} of the file). Save the file as UTF-8."
    return BadData(f"Line {_line(source, at)} {what}")


def _line(source: BinaryIO, at: int) -> int:
    """The number of the line in which the byte ``at`` is."""
    before = lines = 0
    for chunk in chunks(source):
        lines += chunk.count(b"\n", 0, max(at - before, 0))
        before += len(chunk)
    return lines + 1
