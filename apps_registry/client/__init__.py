"""Publish and read data from any Python program: nothing here needs Django.

``publish("sales", frame)`` and ``read("sales")`` use the server and token of the environment variables
``VIZSERVER_URL`` and ``VIZSERVER_TOKEN``; a ``Client`` takes them as arguments.
"""

from __future__ import annotations

from typing import Any

from .answers import Dataset, Version
from .calls import Client
from .errors import (
    BadData,
    ClientError,
    Conflict,
    NotAllowed,
    NotFound,
    Refused,
    ServerTrouble,
    TooBig,
    Unreachable,
)

__all__ = [
    "BadData",
    "Client",
    "ClientError",
    "Conflict",
    "Dataset",
    "NotAllowed",
    "NotFound",
    "Refused",
    "ServerTrouble",
    "TooBig",
    "Unreachable",
    "Version",
    "publish",
    "read",
]


def publish(name: str, data: Any, **options: Any) -> Version:
    """``Client.publish``, with the server and the token of the environment."""
    with Client() as client:
        return client.publish(name, data, **options)


def read(name: str, **options: Any) -> Any:
    """``Client.read``, with the server and the token of the environment."""
    with Client() as client:
        return client.read(name, **options)
