"""Looks into an Excel file, which is a ZIP archive, before anything in it is unpacked."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from ...exceptions import BadData
from ..limits import Meter

_MOST_FILES = 10_000
_PACKED_BY = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED = 1
#: What a ZIP archive is besides, by a file in it.
_OTHERS = {
    "xl/workbook.bin": "The file is a binary Excel file (.xlsb). Save it as .xlsx.",
    "content.xml": "The file is an OpenDocument file. Save it as .xlsx.",
    "word/document.xml": "The file is a Word document.",
}


def check_archive(source: BinaryIO, meter: Meter) -> None:
    """Refuse what is no Excel file, and one that unpacks to too much. Raises ``BadData``, ``TooBig``."""
    with zipfile.ZipFile(source) as archive:
        files = archive.infolist()
    names = {file.filename for file in files}
    if "xl/workbook.xml" not in names:
        other = next((what for name, what in _OTHERS.items() if name in names), None)
        raise BadData(other or "The file is a ZIP archive, but no Excel file.")
    if len(files) > _MOST_FILES or len(names) < len(files):
        raise BadData("The file holds too many parts, or one of them twice.")
    if any(file.flag_bits & _ENCRYPTED for file in files):
        raise BadData("The file is encrypted.")
    if any(file.compress_type not in _PACKED_BY for file in files):
        raise BadData("The file is packed in a way that Excel does not know.")
    meter.check(unpacked=sum(file.file_size for file in files))
