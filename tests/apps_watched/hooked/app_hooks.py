"""Note in the journal, with the number of the process, that the server loads the app and lets it go."""

import os
from pathlib import Path


def _note(what):
    with Path(os.environ["JOURNAL"]).open("a") as file:
        file.write(f"{what} {os.getpid()}\n")


def on_server_loaded(server_context):
    _note("loaded")


def on_server_unloaded(server_context):
    _note("unloaded")
