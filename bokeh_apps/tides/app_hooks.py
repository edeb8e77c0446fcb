"""What happens around the sessions: the server calls these functions by their names."""

import logging
from typing import Any

from .visitors import VISITORS

log = logging.getLogger("tides")


def on_server_loaded(server_context: Any) -> None:
    log.info("The tide tables are open.")


def on_server_unloaded(server_context: Any) -> None:
    log.info("The tide tables close: %s.", VISITORS.summary())


def on_session_created(session_context: Any) -> None:
    VISITORS.arrive(session_context.id)


def on_session_destroyed(session_context: Any) -> None:
    VISITORS.leave(session_context.id)


def process_request(request: Any) -> dict[str, Any]:
    """What the session learns from the request: Americans begin with feet."""
    languages = request.headers.get("Accept-Language", "")
    return {"units": "feet" if languages.startswith("en-US") else "metres"}
