"""What the system checks may find, each with an id and a hint."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.conf import settings as site
from django.core.checks import CheckMessage, Error, Warning, register

from ..conf import NAME

type Check = Callable[..., list[CheckMessage]]


class Fault(NamedTuple):
    """What a check may find; both texts are formats."""

    message: str
    hint: str


#: E: apps cannot be opened; W: something will not work.
FAULTS = {
    "apps_registry.E001": Fault(f"{NAME} is not a dict.", "docs/settings.md shows one."),
    "apps_registry.E002": Fault(f"{NAME} has no setting {{name}}.", "{hint}"),
    "apps_registry.E003": Fault(f"{NAME}[{{name!r}}] is wrong.", "It is one of: {words}."),
    "apps_registry.E004": Fault(
        f"{NAME}['APP_DIRS'] is not a list of paths.", "Write a list of directories."
    ),
    "apps_registry.E005": Fault(
        "ASGI_APPLICATION {problem}.",
        'Set it to the path of what asgi_application(...) gave, such as "mysite.asgi.application".',
    ),
    "apps_registry.E006": Fault(f"{NAME}[{{name!r}}] is {{value}}.", "It has to be {kind}."),
    "apps_registry.E007": Fault(
        "The template {name} cannot be loaded: {error}.",
        f"Correct {NAME}['BASE_TEMPLATE'] or ['INDEX']; in TEMPLATES, 'APP_DIRS' has to be True for those of the "
        "package.",
    ),
    "apps_registry.E008": Fault(
        "The apps have no address: the root URLconf does not include apps_registry.urls.",
        'Add path("viz/", include("apps_registry.urls")) to the urlpatterns, with a prefix of your choice.',
    ),
    "apps_registry.E009": Fault(
        "MIDDLEWARE lacks {path}, by which it is known who opens an app.",
        "Add it: SessionMiddleware first, then AuthenticationMiddleware.",
    ),
    "apps_registry.E010": Fault(
        "Pages cannot load BokehJS: {problem}.",
        'Have "django.contrib.staticfiles" in INSTALLED_APPS, and set STATIC_URL.',
    ),
    "apps_registry.E011": Fault(
        f"{NAME}['DATA_STORAGE'] is {{name}}, and STORAGES has no storage of this name that can be had: {{error}}.",
        'Name one that is there, such as "default".',
    ),
    "apps_registry.W001": Fault(
        "The apps in {path} cannot be read: {error}.", f"Make it, or correct {NAME}[{{setting!r}}]."
    ),
    "apps_registry.W002": Fault(
        "The template {name} has no block {missing}.",
        "Name a template that has the blocks title and content; it may extend yours and put them into its blocks.",
    ),
    "apps_registry.W003": Fault(
        "LOGIN_URL ({url}) leads nowhere, and apps want a login.",
        "Set LOGIN_URL to the name or path of your login page.",
    ),
    "apps_registry.W004": Fault(
        "No template engine has the context processor {path}.",
        "Add it to the context_processors in TEMPLATES: your base template and the tags for apps make use of it.",
    ),
    "apps_registry.W005": Fault(
        "{number} processes serve apps without Redis between them: they learn late of one another's changes.",
        "Install channels-redis, and set CHANNEL_LAYERS to channels_redis.core.RedisChannelLayer.",
    ),
    "apps_registry.W006": Fault(
        f"{{name}} is {{size}} bytes, less than {NAME}['MAX_MESSAGE_SIZE']: daphne drops larger messages.",
        "Set DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE and DAPHNE_WEBSOCKET_MAX_FRAME_SIZE to {wanted}.",
    ),
    "apps_registry.W007": Fault(
        "AUTHENTICATION_BACKENDS lacks apps_registry.backends.GrantBackend.",
        'With it, user.has_perm("apps_registry.open_vizapp", row) and the template variable perms know of grants.',
    ),
    "apps_registry.W008": Fault(
        "Published data is stored in the working directory, wherever that is: MEDIA_ROOT is not set.",
        "Set MEDIA_ROOT to a directory that no web server publishes.",
    ),
    "apps_registry.W009": Fault(
        'SQLite fails with "database is locked" when two write at the same time.',
        'Set DATABASES["default"]["OPTIONS"] to {{"transaction_mode": "IMMEDIATE"}}: then one waits for the other.',
    ),
}

_KINDS: dict[str, type[Error | Warning]] = {"E": Error, "W": Warning}


def fault(number: str, /, **details: Any) -> CheckMessage:
    """The message of a fault that was found; ``number`` such as ``E001``."""
    name = f"apps_registry.{number}"
    message, hint = (text.format(**details) for text in FAULTS[name])
    return _KINDS[number[0]](message, hint=hint, id=name)


def check(find: Callable[..., Iterable[CheckMessage]]) -> Check:
    """Let Django call ``find``, unless there are no settings to read."""

    @functools.wraps(find)
    def checking(**kwargs: Any) -> list[CheckMessage]:
        return list(find(**kwargs)) if isinstance(getattr(site, NAME, {}), dict) else []

    return register("apps_registry")(checking)
