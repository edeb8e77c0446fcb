"""The settings: one dict ``APPS_REGISTRY`` in the site's settings, read when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings as site

#: The name of the dict in the site's settings.
NAME = "APPS_REGISTRY"


@dataclass(frozen=True)
class Setting:
    """One setting: its default (or what computes it) and what it is for."""

    default: Any
    help: str

    def value(self) -> Any:
        return self.default() if callable(self.default) else self.default


SETTINGS: dict[str, Setting] = {
    "APP_DIRS": Setting(
        (), "Directories whose apps are served: each script, notebook or app directory in them."
    ),
    "APPS": Setting(None, "Exactly these apps, as a dict of name to path, in place of those in `APP_DIRS`."),
    "ACCESS": Setting(
        lambda: "public" if site.DEBUG else "login",
        'Who may open an app that has no row yet: `"public"` (everybody), `"login"` (who is logged in) or '
        '`"grant"` (who has a grant). Without `DEBUG`, `"login"`.',
    ),
    "RECHECK_SECONDS": Setting(
        60.0, "Seconds after which the right behind every open socket is asked again, whatever was noticed."
    ),
    "NOTICE_SECONDS": Setting(
        2.0, "Seconds between two looks for what other processes changed. With Redis they are told at once."
    ),
    "DATA_STORAGE": Setting(
        "default", "The name in Django's `STORAGES` of the storage that holds published data."
    ),
    "DATA_CACHE_DIR": Setting(
        None, "A local directory for copies of published data that are read from; none: a temporary one."
    ),
    "DATA_CACHE_BYTES": Setting(
        10 * 1024**3, "Bytes of such copies at most; beyond that, those go that were not used the longest."
    ),
    "DATA_MAX_BYTES": Setting(1024**3, "Bytes of one published file at most."),
    "DATA_MAX_ROWS": Setting(50_000_000, "Rows of one published table at most."),
    "DATA_MAX_COLUMNS": Setting(2000, "Columns of one published table at most."),
    "DATA_MAX_EXPANSION": Setting(
        200, "How many times its size a published file may take when it is unpacked."
    ),
    "DATA_UNDELETE_DAYS": Setting(14, "Days in which a deleted data set can be had back."),
    "DATA_REFRESH_SECONDS": Setting(1.0, "Seconds between two refreshes of published data in one session."),
    "AUDIT_DAYS": Setting(90, "Days that the audit of openings and refusals is kept; 0: for good."),
    "FAILURE_DAYS": Setting(30, "Days that failures of app code are kept in the admin; 0: for good."),
    "SESSION_IDS": Setting(
        "signed",
        'Which tokens open a session: `"signed"` ones, or `"unsigned"` ones too, as `bokeh.client` sends them '
        "when it has no key. Unsigned is for a loopback address only.",
    ),
    "BLANK_APP": Setting(False, "Whether `/apps/blank` takes documents that Python clients push."),
    "SESSION_TOKEN_EXPIRATION": Setting(300, "Seconds in which the token of a page opens a new session."),
    "RECONNECT_LIFETIME": Setting(
        86400, "Seconds beyond that in which an open page whose session is gone gets a new one by itself."
    ),
    "UNUSED_SESSION_LIFETIME": Setting(60.0, "Seconds that a session is kept when no tab shows it."),
    "CHECK_UNUSED_SESSIONS": Setting(17.0, "Seconds between two looks for unused sessions."),
    "START_TIMEOUT": Setting(60.0, "Seconds that an app may take to build its document."),
    "STOP_TIMEOUT": Setting(10.0, "Seconds that sessions and hooks may take when the server stops."),
    "MAX_SESSIONS": Setting(2000, "Sessions that one process holds at most."),
    "WORKER_THREADS": Setting(64, "Threads that run app code at most, in one process."),
    "MAX_MESSAGE_SIZE": Setting(
        20 * 1024 * 1024, "Bytes of one message from a browser, all its frames together."
    ),
    "OUTBOX_SIZE": Setting(64 * 1024 * 1024, "Bytes that may wait for one tab before it counts as too slow."),
    "WEBSOCKET_ORIGINS": Setting(
        (),
        "Hosts (`HOST[:PORT]`) besides the site's own whose pages may open an app; `*` stands for any part.",
    ),
    "BASE_TEMPLATE": Setting(
        "apps_registry/base.html", "The template that the pages of the catalogue and of apps extend."
    ),
    "INDEX": Setting(
        "apps_registry/catalogue.html", "The template of the catalogue page; `False`: there is no such page."
    ),
    "REDIRECT_TO_ONLY_APP": Setting(
        False, "Whether the catalogue page leads on to the app when there is only one."
    ),
    "WATCH": Setting(
        None, "A list (of more files to watch, or empty): reload the tabs of an app when its files change."
    ),
    "LOGOUT_URL": Setting(None, "What `session_context.logout_url` gives to app code."),
    "LOG_PRINTS": Setting(True, "Whether what app code prints goes to the log, with app, session and user."),
}


class Settings:
    """The settings as attributes: the site's value, or the default."""

    def __getattr__(self, name: str) -> Any:
        try:
            setting = SETTINGS[name]
        except KeyError:
            raise AttributeError(f"{NAME} has no setting {name}.") from None
        given = getattr(site, NAME, {})
        return given[name] if name in given else setting.value()


settings = Settings()


def override(**values: Any) -> None:
    """Set settings for this process, as the options of a command do."""
    setattr(site, NAME, {**getattr(site, NAME, {}), **values})
