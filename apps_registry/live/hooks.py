"""Lifecycle hooks: which there are, when each runs, and how they are taken from an app's hooks file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..exceptions import AppLoadError

#: The files that may hold hooks. An app has one of them or none.
HOOK_FILES = ("app_hooks.py", "server_lifecycle.py")

type HookFunction = Callable[[Any], Any]


@dataclass(frozen=True)
class Hook:
    """One hook, as told to the people who write apps."""

    name: str
    arguments: tuple[str, ...]
    when: str
    purpose: str

    @property
    def signature(self) -> str:
        """How the function is written, as in ``on_server_loaded(server_context)``."""
        return f"{self.name}({', '.join(self.arguments)})"


HOOKS = (
    Hook(
        "on_server_loaded",
        ("server_context",),
        "Once per process, when the server starts, before the first session.",
        "Prepares what all sessions of the app share.",
    ),
    Hook(
        "on_server_unloaded",
        ("server_context",),
        "Once per process, when the server stops, after the last session.",
        "Lets go what on_server_loaded took.",
    ),
    Hook(
        "on_session_created",
        ("session_context",),
        "For each new session, before the main file runs.",
        "Prepares what one session needs.",
    ),
    Hook(
        "on_session_destroyed",
        ("session_context",),
        "For each session, when it has ended, before its document is let go.",
        "Lets go what the session took.",
    ),
    Hook(
        "process_request",
        ("request",),
        "For each page that opens a session, before its token is made.",
        "Gives a dict of JSON values, found again in session_context.token_payload.",
    ),
)


@dataclass(frozen=True)
class Hooks:
    """The hooks of one app; each may be sync or async, and is None when the app has none."""

    on_server_loaded: HookFunction | None = None
    on_server_unloaded: HookFunction | None = None
    on_session_created: HookFunction | None = None
    on_session_destroyed: HookFunction | None = None
    process_request: HookFunction | None = None

    @classmethod
    def of(cls, namespace: Mapping[str, Any], file_name: str) -> Hooks:
        """The hooks among the names of a hooks file. Raises ``AppLoadError`` for a wrong signature."""
        found = {hook.name: namespace[hook.name] for hook in HOOKS if hook.name in namespace}
        for hook in HOOKS:
            if hook.name in found and not _takes(found[hook.name], hook.arguments):
                raise AppLoadError(f"{hook.name} in {file_name} must be a function {hook.signature}.")
        return cls(**found)


def _takes(function: object, arguments: tuple[str, ...]) -> bool:
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:
        # Functions written in C may have no signature to be asked for
        return True
    return True
