"""Writes down what happens to sessions, in the file that JOURNAL names."""

import os
from pathlib import Path


def note(what, request=None):
    """One line: what happened, and the argument ``tag`` of the page that it happened to."""
    values = request.arguments.get("tag") if request is not None else None
    tag = values[0].decode() if values else "-"
    with Path(os.environ.get("JOURNAL", os.devnull)).open("a") as file:
        file.write(f"{what} {tag}\n")
