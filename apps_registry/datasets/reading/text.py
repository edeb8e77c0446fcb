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
    read = lines = 0
    for chunk in chunks(source):
        # What a letter began with at the end of the piece before
        kept = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            at = error.start - kept
            raise _not_utf8(read + at, lines + chunk.count(b"\n", 0, max(at, 0))) from None
        if (at := chunk.find(b"\0")) >= 0:
            line = lines + chunk.count(b"\n", 0, at) + 1
            raise BadData(
                f"Line {line} has a zero byte (byte {read + at + 1} of the file), so this is not text."
            )
        lines += chunk.count(b"\n")
        read += len(chunk)
    if kept := len(decoder.getstate()[0]):
        raise _not_utf8(read - kept, lines)


def _not_utf8(at: int, lines: int) -> BadData:
    return BadData(f"Line {lines + 1} is not UTF-8 text (byte {at + 1} of the file). Save the file as UTF-8.")
