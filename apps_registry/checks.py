"""System checks: what can be set up wrong, each with an id and a hint."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from django.conf import settings as site
from django.core.checks import CheckMessage, Error, Warning, register

from .conf import NAME, SETTINGS, settings


@register("apps_registry")
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Settings that do not exist or cannot be."""
    given = getattr(site, NAME, {})
    if not isinstance(given, dict):
        return [Error(f"{NAME} is not a dict.", id="apps_registry.E001")]
    found: list[CheckMessage] = []
    for name in given.keys() - SETTINGS.keys():
        near = difflib.get_close_matches(name, SETTINGS, 1)
        hint = f"Did you mean {near[0]}?" if near else "docs/settings.md lists all settings."
        found.append(Error(f"{NAME} has no setting {name}.", hint=hint, id="apps_registry.E002"))
    for name, allowed in (("ACCESS", ("public", "login")), ("SESSION_IDS", ("signed", "unsigned"))):
        if getattr(settings, name) not in allowed:
            hint = f"It is one of: {', '.join(allowed)}."
            found.append(Error(f"{NAME}[{name!r}] is wrong.", hint=hint, id="apps_registry.E003"))
    return found


@register("apps_registry")
def check_app_dirs(**kwargs: Any) -> list[CheckMessage]:
    """Directories of apps that are not there."""
    if not isinstance(getattr(site, NAME, {}), dict) or settings.APPS is not None:
        return []
    if isinstance(settings.APP_DIRS, str | Path):
        hint = "Write a list of directories."
        return [Error(f"{NAME}['APP_DIRS'] is not a list.", hint=hint, id="apps_registry.E004")]
    return [
        Warning(
            f"The directory of apps {directory} does not exist.",
            hint=f"Make it, or correct {NAME}['APP_DIRS'].",
            id="apps_registry.W001",
        )
        for directory in settings.APP_DIRS
        if not Path(directory).is_dir()
    ]


@register("apps_registry")
def check_asgi(**kwargs: Any) -> list[CheckMessage]:
    """A site that does not say what its ASGI application is."""
    if getattr(site, "ASGI_APPLICATION", None):
        return []
    return [
        Error(
            "ASGI_APPLICATION is not set.",
            hint='Set it to the path of what asgi_application(...) gave, such as "mysite.asgi.application".',
            id="apps_registry.E005",
        )
    ]
