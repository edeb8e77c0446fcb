"""Plain files that are published as they are."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO

from ..exceptions import TooBig
from .limits import size_text

UNKNOWN = "application/octet-stream"
_MOST_LETTERS = 200
_CHUNK = 2**20
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
#: What programs say when they do not know, ``curl`` among them.
_SAYS_NOTHING = {
    UNKNOWN,
    "application/x-www-form-urlencoded",
    "binary/octet-stream",
    "multipart/form-data",
}
#: The kinds of files that are often published, by their first bytes.
_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
}


def copy(source: BinaryIO, target: Path, most: int) -> str:
    """Copy what comes into ``target``. Returns its SHA-256; raises ``TooBig`` above ``most`` bytes."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for chunk in chunks(source, most):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def chunks(source: BinaryIO, most: int) -> Iterator[bytes]:
    """What comes, piece by piece. Raises ``TooBig`` above ``most`` bytes."""
    size = 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > most:
            raise TooBig(f"The file is bigger than {size_text(most)}.")
        yield chunk


def media_type_of(path: Path, filename: str, said: str) -> str:
    """The media type of a file: what the publisher says, or what its name or its first bytes show."""
    said = said.partition(";")[0].strip().lower()
    if said not in _SAYS_NOTHING and len(said) <= _MOST_LETTERS and _MEDIA_TYPE.fullmatch(said):
        return said
    guessed, encoding = mimetypes.guess_type(filename)
    if guessed is not None and encoding is None:
        return guessed
    with path.open("rb") as file:
        head = file.read(max(map(len, _STARTS)))
    return next((media_type for start, media_type in _STARTS.items() if head.startswith(start)), UNKNOWN)


def plain_filename(filename: str) -> str:
    """The last part of a path, without letters that cannot be seen, as a name to download a file by."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in name if letter.isprintable()).strip(" .")
    suffix = PurePath(name).suffix[:20]
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - len(suffix)] + suffix
