"""What publishers say of their files, in the words that programs and people at a terminal use."""

from __future__ import annotations

from .datasets.formats import FORMATS
from .exceptions import BadArguments, quoted
from .models import Dataset

#: The format of what is no table, and is kept as it is.
PLAIN = "file"


def check_format(dataset: Dataset, format: str) -> None:
    """Refuse a format that the data set cannot have; where none is stated, all is well. Raises ``BadArguments``."""
    if not format or (format == PLAIN) == (dataset.kind == Dataset.Kind.FILE):
        return
    name = quoted(dataset.name)
    if format == PLAIN:
        raise BadArguments(f"{name} is a table: its format is one of {', '.join(FORMATS)}.")
    raise BadArguments(
        f"{name} is a plain file, which is kept as it is: its format is {PLAIN!r}, not {format!r}."
    )
