"""``manage.py runbokeh``: serve Bokeh apps."""

from __future__ import annotations

import glob
import ipaddress
import logging
import sys
import webbrowser
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from channels.routing import get_default_application
from django.conf import settings as site
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.templatetags.static import static
from django.urls import reverse, set_script_prefix

from ...conf import override, settings
from ...servers import SERVERS, Application, Options, with_prefix
from ..options import OPTIONS


class Command(BaseCommand):
    """Serves the registry's apps, or exactly those of the given paths."""

    help = (
        "Serve Bokeh apps: those of APP_DIRS, or exactly those at the given PATHs, "
        "which are public while the address is a loopback one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options of ``bokeh serve``, wherever the thing exists here."""
        parser.add_argument("paths", metavar="PATH", nargs="*", help="App directories, scripts or notebooks.")
        for option in OPTIONS:
            kwargs: dict[str, Any] = {
                "help": option.help,
                "default": option.default,
                "dest": option.name,
                **option.kwargs,
            }
            if option.metavar is not None:
                kwargs["metavar"] = option.metavar
            if kwargs.get("action") == "store_true":
                kwargs["default"] = False
            parser.add_argument(option.flag, **kwargs)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Set first what the system checks make use of: addresses and templates."""
        if options["prefix"].strip("/"):
            _set_prefix("/" + options["prefix"].strip("/"))
        if options["index"]:
            override(INDEX=_template(options["index"]))
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        """Read the options, then serve until told to stop."""
        # Importing it sets up logging as the settings say, once more
        application = with_prefix(_with_static_files(get_default_application()), options["prefix"])
        self._log(options)
        _check_addresses(options)
        _check_static_files()
        _set_settings(options)
        if settings.APPS is None:
            self._check_database()
        sys.argv[1:] = options["app_args"] or []
        listen = Options(
            host=options["address"],
            port=options["port"],
            unix_socket=options["unix_socket"],
            keep_alive=options["keep_alive"] / 1000,
            use_xheaders=options["use_xheaders"],
            ssl_certfile=options["ssl_certfile"],
            ssl_keyfile=options["ssl_keyfile"],
        )
        SERVERS[options["server"]](application, listen, lambda port: self._ready(listen, port, options))

    def _check_database(self) -> None:
        try:
            self.check_migrations()
        except DatabaseError as error:
            raise CommandError(f"The database does not answer: {error}") from None

    def _ready(self, listen: Options, port: int, options: dict[str, Any]) -> None:
        base = listen.address(port)
        start = base + reverse("apps_registry:catalogue")
        self.stdout.write(f"Vizserver is running at {start}")
        self.stdout.flush()
        urls = [base + reverse("apps_registry:app", args=[name]) for name in settings.APPS or ()]
        for url in urls:
            self.stdout.write(f"  {url}")
        if options["show"]:
            for url in urls or [start]:
                webbrowser.open(url)

    def _log(self, options: dict[str, Any]) -> None:
        root = logging.getLogger()
        if options["log_file"] or options["log_format"]:
            file = options["log_file"]
            handler: logging.Handler = logging.FileHandler(file) if file else logging.StreamHandler()
            handler.setFormatter(logging.Formatter(options["log_format"]))
            root.handlers = [handler]
        if options["log_level"]:
            level = {"trace": "DEBUG"}.get(options["log_level"], options["log_level"].upper())
            root.setLevel(level)


def _with_static_files(application: Application) -> Application:
    """Serve static files under ``DEBUG``, as ``runserver`` does, on a site that does not do it itself."""
    if not site.DEBUG or any(
        "whitenoise" in name.lower() or "static" in name.lower() for name in site.MIDDLEWARE
    ):
        return application
    handler: Application = ASGIStaticFilesHandler(application)  # type: ignore[arg-type]
    return handler


def _set_prefix(prefix: str) -> None:
    site.FORCE_SCRIPT_NAME = prefix
    set_script_prefix(f"{prefix}/")
    for name in ("STATIC_URL", "MEDIA_URL"):
        # Django keeps these as they were under the old prefix
        site.__dict__.pop(name, None)


def _check_addresses(options: dict[str, Any]) -> None:
    if options["unix_socket"] and (options["ssl_certfile"] or options["port"] != 5006):
        raise CommandError("--unix-socket goes without --port and --ssl-certfile.")
    if options["session_ids"] == "unsigned" and not _is_loopback(options):
        raise CommandError(
            "--session-ids unsigned is for a loopback address only: anybody could open any session."
        )


def _check_static_files() -> None:
    try:
        static("apps_registry/page.js")
    except ValueError:
        raise CommandError(
            "The static files have not been collected: run `manage.py collectstatic` first, or set DEBUG=1."
        ) from None


def _is_loopback(options: dict[str, Any]) -> bool:
    if options["unix_socket"]:
        return False
    try:
        return options["address"] == "localhost" or ipaddress.ip_address(options["address"]).is_loopback
    except ValueError:
        return False


def _set_settings(options: dict[str, Any]) -> None:
    values: dict[str, Any] = {}
    for option in OPTIONS:
        value = options[option.name]
        if option.setting is not None and value is not None:
            values[option.setting] = value * option.scale if option.scale != 1 else value
    if options["disable_index"]:
        values["INDEX"] = False
    if options["blank"]:
        values["BLANK_APP"] = True
    if options["dev"] is not None:
        values["WATCH"] = options["dev"]
    if options["paths"]:
        values["APPS"] = _apps(options)
        values["ACCESS"] = "public" if _is_loopback(options) else "login"
        values["REDIRECT_TO_ONLY_APP"] = not options["disable_index_redirect"]
    override(**values)


def _template(name: str) -> str:
    """A template of the site by name, or any file: its directory is then searched too."""
    path = Path(name)
    if not path.is_file():
        return name
    engines: list[dict[str, Any]] = site.TEMPLATES
    for engine in engines:
        engine["DIRS"] = [*engine.get("DIRS", ()), path.resolve().parent]
    return path.name


def _apps(options: dict[str, Any]) -> dict[str, Path]:
    apps: dict[str, Path] = {}
    for given in options["paths"]:
        for found in sorted(glob.glob(given)) if options["glob"] else [given]:  # noqa: PTH207
            path = Path(found).resolve()
            if not path.exists():
                raise CommandError(f"There is no {found}.")
            name = path.name if path.is_dir() else path.stem
            if name in apps and apps[name] != path:
                raise CommandError(f"Two of the apps are named {name}.")
            apps[name] = path
    if not apps:
        raise CommandError("None of the patterns matches an app.")
    return apps
