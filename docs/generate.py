"""Writes the tables of these pages that follow from the code: `python docs/generate.py`.

A table stands between `<!-- begin: NAME -->` and `<!-- end: NAME -->`. `tests/test_docs.py` fails when one is out of
date. With `--check`, nothing is written, and the exit code tells.
"""

# The imports below need the path and the settings that the script sets up first.
# ruff: noqa: E402

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
_TABLE = re.compile(r"(<!-- begin: (?P<name>[\w-]+) -->\n).*?(<!-- end: (?P=name) -->)", re.DOTALL)

if __name__ == "__main__":
    import django

    sys.path.insert(0, str(DOCS.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from bokeh.resources import DEFAULT_SERVER_PORT
from bokeh.server import core
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter
from django.urls import reverse

from apps_registry import exceptions
from apps_registry.api.service import api
from apps_registry.conf import SETTINGS, Setting
from apps_registry.exceptions import VizserverError
from apps_registry.live.hooks import HOOKS
from apps_registry.management.options import OPTIONS, REPLACED, Option
from apps_registry.management.registry_command import RegistryCommand
from apps_registry.models import VizApp
from apps_registry.models.roles import ROLES


def settings() -> Iterator[str]:
    """The settings of ``APPS_REGISTRY``."""
    yield from _head("setting", "default", "what it is")
    for name, setting in SETTINGS.items():
        yield _row(f"`{name}`", _default(setting), setting.help)


def _default(setting: Setting) -> str:
    if callable(setting.default):
        return "see right"
    form = '`"{}"`' if isinstance(setting.default, str) else "`{}`"
    text = form.format([] if setting.default == () else setting.default)
    mebibytes = setting.default / 2**20 if isinstance(setting.default, int) else 0
    return f"{text} ({mebibytes:g} MiB)" if mebibytes >= 1 else text


def options() -> Iterator[str]:
    """The options of ``runbokeh``."""
    yield from _head("option", "default", "what it does")
    for option in OPTIONS:
        yield _row(f"`{_usage(option)}`", _option_default(option), option.help)


def _usage(option: Option) -> str:
    choices = option.kwargs.get("choices")
    value = option.metavar or ("\\|".join(choices) if choices else "")
    value = f"[{value} ...]" if option.kwargs.get("nargs") == "*" else value
    return f"{option.flag} {value}".strip()


def _option_default(option: Option) -> str:
    default: Any = option.default
    if option.setting is not None:
        default = SETTINGS[option.setting].value()
        default = round(default / option.scale) if option.scale != 1 else default
    return f"`{default}`" if default or default == 0 else ""


#: What an option is under `bokeh serve` when it is not given.
_STOCK_DEFAULTS = {
    "--address": "all interfaces",
    "--check-unused-sessions": core.DEFAULT_CHECK_UNUSED_MS,
    "--keep-alive": core.DEFAULT_KEEP_ALIVE_MS,
    "--port": DEFAULT_SERVER_PORT,
    "--session-ids": "unsigned",
    "--session-token-expiration": core.DEFAULT_SESSION_TOKEN_EXPIRATION,
    "--unused-session-lifetime": core.DEFAULT_UNUSED_LIFETIME_MS,
    "--websocket-max-message-size": core.DEFAULT_WEBSOCKET_MAX_MESSAGE_SIZE_BYTES,
}


def defaults() -> Iterator[str]:
    """The options that `bokeh serve` has too, with another default."""
    yield from _head("option", "`bokeh serve`", "here")
    for option in OPTIONS:
        stock, here = _STOCK_DEFAULTS.get(option.flag), _option_default(option)
        if stock is not None and here != f"`{stock}`":
            yield _row(f"`{option.flag}`", stock, here)


def replaced() -> Iterator[str]:
    """The options of ``bokeh serve`` that are not here."""
    yield from _head("option of `bokeh serve`", "what does its work")
    for names, work in REPLACED.items():
        yield _row(", ".join(f"`{name}`" for name in names.split(", ")), work)


def commands() -> Iterator[str]:
    """The commands of ``manage.py`` that come with the package."""
    yield from _head("command", "what it does")
    for name, package in sorted(get_commands().items()):
        if package == "apps_registry":
            yield _row(f"`{name}`", load_command_class(package, name).help)


def arguments(name: str) -> Iterator[str]:
    """The arguments of a command of the registry, without those of all commands."""
    yield from _head("argument", "what it does")
    parser = load_command_class("apps_registry", name).create_parser("manage.py", name)
    for action in parser._actions:
        if not set(action.option_strings) & {*DjangoHelpFormatter.show_last, "--help"}:
            yield _row(f"`{_argument(action)}`", action.help)


def _registry_commands() -> Iterator[str]:
    for name, package in get_commands().items():
        if package == "apps_registry" and isinstance(load_command_class(package, name), RegistryCommand):
            yield name


def _argument(action: argparse.Action) -> str:
    value = action.metavar or "|".join(action.choices or ())
    if action.nargs != 0 and not value:
        value = action.dest.upper()
    return " ".join([*action.option_strings, str(value).replace("|", "\\|")]).strip()


def hooks() -> Iterator[str]:
    """The lifecycle hooks of an app."""
    yield from _head("hook", "when it is called", "what it is for")
    for hook in HOOKS:
        yield _row(f"`{hook.signature}`", hook.when, hook.purpose)


def fields() -> Iterator[str]:
    """What can be set in a row."""
    yield from _head("field", "what it is")
    for field in VizApp._meta.concrete_fields:
        if field.editable and not field.primary_key:
            choices = [f"`{value}`: {label.lower()}" for value, label in field.flatchoices]
            yield _row(f"`{field.name}`", " ".join(filter(None, [field.help_text, "; ".join(choices)])))


def decisions() -> Iterator[str]:
    """What permissions are about."""
    yield from _head("role", "what it allows", "for `has_perm`", "given by a grant of")
    for name, role in ROLES.items():
        grants = ", ".join(f"`{grant}`" for grant in role.granted_by)
        yield _row(f"`{name}`", role.help, f"`{role.permission}`", grants or "no grant")


def errors() -> Iterator[str]:
    """The errors with which a door answers."""
    yield from _head("error", "HTTP status", "close code", "what the viewer reads")
    found = [cls for cls in vars(exceptions).values() if isinstance(cls, type)]
    kinds = [cls for cls in found if issubclass(cls, VizserverError)]
    for cls in sorted(kinds, key=lambda cls: (cls.close_code, cls.__name__)):
        yield _row(f"`{cls.__name__}`", cls.status, cls.close_code, cls.default_message)


def operations() -> Iterator[str]:
    """The operations of the HTTP API."""
    yield from _head("operation", "what it does", "scope")
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, about in methods.items():
            scope = about["description"].rpartition("Scope of the token: ")[2].rstrip(".")
            address = path.removeprefix(reverse("apps_registry:catalogue")).replace("{name}", "NAME")
            yield _row(f"`{method.upper()} {address.replace('{number}', 'NUMBER')}`", about["summary"], scope)


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    table.__name__: table
    for table in (
        settings,
        options,
        defaults,
        replaced,
        commands,
        hooks,
        fields,
        decisions,
        errors,
        operations,
    )
}
TABLES |= {name: partial(arguments, name) for name in _registry_commands()}


def generated(text: str) -> str:
    """A page with its tables as they should be. Raises ``KeyError`` for a table that nobody makes."""

    def table(match: re.Match[str]) -> str:
        return match[1] + "\n".join(TABLES[match["name"]]()) + "\n" + match[3]

    return _TABLE.sub(table, text)


def main() -> int:
    """Write all pages, or check them."""
    stale = [page for page in sorted(DOCS.glob("*.md")) if generated(page.read_text()) != page.read_text()]
    for page in stale:
        print(f"docs/{page.name}", "is out of date." if "--check" in sys.argv else "is written.")  # noqa: T201
        if "--check" not in sys.argv:
            page.write_text(generated(page.read_text()))
    return int("--check" in sys.argv and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
