"""The options of ``runbokeh``, declared once: the command, its help and its page in the docs read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Option:
    """One option; ``setting`` is what it sets in ``APPS_REGISTRY``, ``scale`` turns its unit into the setting's."""

    flag: str
    help: str
    metavar: str | None = None
    default: Any = None
    setting: str | None = None
    scale: float = 1
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the parsed value is called; Django keeps ``args`` for itself."""
        if self.flag == "--args":
            return "app_args"
        return self.flag.removeprefix("--").replace("-", "_")


OPTIONS = [
    Option("--port", "Port to listen on; 0 takes a free one.", "PORT", 5006, kwargs={"type": int}),
    Option("--address", "Address to listen on.", "ADDRESS", "127.0.0.1"),
    Option("--unix-socket", "Unix socket to listen on, in place of address and port.", "PATH"),
    Option("--prefix", "URL prefix of everything that is served.", "PREFIX", ""),
    Option("--server", "The ASGI server.", None, "uvicorn", kwargs={"choices": ["uvicorn", "daphne"]}),
    Option("--show", "Open the apps in a browser.", kwargs={"action": "store_true"}),
    Option(
        "--dev",
        "Reload the tabs of an app when its files change. More files to watch may follow.",
        "FILE",
        kwargs={"nargs": "*"},
    ),
    Option("--glob", "Take PATHs as patterns, as a shell does.", kwargs={"action": "store_true"}),
    Option(
        "--blank",
        "Serve an empty app at /apps/blank, for bokeh.client to push to.",
        kwargs={"action": "store_true"},
    ),
    Option(
        "--allow-websocket-origin",
        "A host whose pages may open the apps, besides the site's own. May be given several times.",
        "HOST[:PORT]",
        setting="WEBSOCKET_ORIGINS",
        kwargs={"action": "append"},
    ),
    Option(
        "--session-ids",
        "signed: only with tokens of this server or of holders of its key (manage.py bokehsecret). "
        "unsigned: with any, on a loopback address only.",
        setting="SESSION_IDS",
        kwargs={"choices": ["signed", "unsigned"]},
    ),
    Option(
        "--session-token-expiration",
        "Seconds in which the token of a page opens a new session.",
        "SECONDS",
        setting="SESSION_TOKEN_EXPIRATION",
        kwargs={"type": int},
    ),
    Option(
        "--unused-session-lifetime",
        "How long a session is kept when no tab shows it.",
        "MILLISECONDS",
        setting="UNUSED_SESSION_LIFETIME",
        scale=0.001,
        kwargs={"type": int},
    ),
    Option(
        "--check-unused-sessions",
        "How often to look for unused sessions.",
        "MILLISECONDS",
        setting="CHECK_UNUSED_SESSIONS",
        scale=0.001,
        kwargs={"type": int},
    ),
    Option("--keep-alive", "How often to ping a tab; 0: never.", "MILLISECONDS", 37000, kwargs={"type": int}),
    Option(
        "--websocket-max-message-size",
        "Bytes of one message from a browser at most.",
        "BYTES",
        setting="MAX_MESSAGE_SIZE",
        kwargs={"type": int},
    ),
    Option(
        "--use-xheaders",
        "Believe X-Forwarded-* headers; for a server behind a proxy.",
        kwargs={"action": "store_true"},
    ),
    Option("--ssl-certfile", "Certificate, for https.", "CERTFILE"),
    Option("--ssl-keyfile", "Key of the certificate, if not in the same file.", "KEYFILE"),
    Option("--index", "A Django template for the catalogue page.", "TEMPLATE"),
    Option("--disable-index", "Serve no catalogue page.", kwargs={"action": "store_true"}),
    Option(
        "--disable-index-redirect",
        "Show the catalogue page also when one PATH is served; it leads there otherwise.",
        kwargs={"action": "store_true"},
    ),
    Option(
        "--log-level",
        "What to log.",
        "LEVEL",
        kwargs={"choices": ["trace", "debug", "info", "warning", "error", "critical"]},
    ),
    Option("--log-format", "Format of a log line, as in Python's logging.", "FORMAT"),
    Option("--log-file", "File to write logs to.", "FILE"),
    Option("--args", "All that follows is for the apps, as sys.argv[1:].", "...", kwargs={"nargs": "..."}),
]

#: Options of ``bokeh serve`` that are not here, and what does their work.
REPLACED = {
    "--num-procs": "One process for now.",
    "--auth-module": "The site's login, and the setting `ACCESS`.",
    "--enable-xsrf-cookies": "Django's own protection against cross-site requests.",
    "--cookie-secret": "Django's `SECRET_KEY`.",
    "--use-config": "The site's settings and environment.",
    "--ico-path": "The site's base template.",
    "--include-headers, --exclude-headers": "Apps get all headers but those that carry credentials.",
    "--include-cookies, --exclude-cookies": "Apps get all cookies but those of the site's login.",
    "--stats-log-frequency, --mem-log-frequency": "Each session's start and end is logged at level debug.",
    "--websocket-compression-level, --websocket-compression-mem-level": (
        "Compression is off: it costs 20-30% of CPU per round trip."
    ),
}
