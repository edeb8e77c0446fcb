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
        'Who may open an app: `"public"` (everybody) or `"login"` (who is logged in). Without `DEBUG`, `"login"`.',
    ),
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
