"""Every error that a door may answer with: its HTTP status, its websocket close code, its words.

A viewer is shown ``str(error)`` and nothing else, so a message never holds a path, a
traceback or a secret. What staff may see besides is in ``detail``.
"""

from __future__ import annotations

import secrets
from typing import ClassVar


def new_reference() -> str:
    """A short name for one failure, the same in the log, in the admin and before the viewer."""
    return secrets.token_hex(4).upper()


class VizserverError(Exception):
    """The base of all errors that this package raises on purpose."""

    status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    default_message: ClassVar[str] = "Something went wrong on the server."

    def __init__(self, message: str | None = None, *, detail: str = "") -> None:
        super().__init__(message or self.default_message)
        self.detail = detail


class ProtocolError(VizserverError):
    """A peer sent what the Bokeh protocol does not allow."""

    status = 400
    close_code = 4400
    default_message = "The message could not be read."


class LoginRequired(VizserverError):
    """Nobody is logged in, and the app is not public."""

    status = 401
    close_code = 4401
    default_message = "Please log in to open this app."


class InvalidToken(VizserverError):
    """A token is forged, expired, or was made for another app or user."""

    status = 403
    close_code = 4403
    default_message = "This page is out of date. Please load it again."


class OriginRefused(VizserverError):
    """The page that opens the socket stands on a site that is not allowed to."""

    status = 403
    close_code = 4403
    default_message = "This site may not open the app."


class AppNotFound(VizserverError):
    """There is no such app, or none that this visitor may know of."""

    status = 404
    close_code = 4404
    default_message = "There is no such app."


class SessionNotYours(VizserverError):
    """A session belongs to another user or app."""

    status = 403
    close_code = 4409
    default_message = "This session belongs to somebody else. Please load the page again."


class SessionEnded(VizserverError):
    """A session was let go while a peer still wanted it."""

    status = 410
    close_code = 4410
    default_message = "This session has ended. Please load the page again."


class TooManySessions(VizserverError):
    """A limit on the number of sessions is reached."""

    status = 503
    close_code = 4429
    default_message = "Too many people are using this app right now. Please try again in a minute."


class TooSlow(VizserverError):
    """A tab could not keep up with what it was sent; it pulls the document afresh."""

    status = 503
    close_code = 4508
    default_message = "The connection was too slow and is made again."


class ServerStopping(VizserverError):
    """The server is on its way out and takes no new sessions."""

    status = 503
    close_code = 1012
    default_message = "The server is restarting."


class AppReloaded(VizserverError):
    """The code of an app changed while a developer watches its page."""

    status = 503
    close_code = 4205
    default_message = "The app has changed."


class UnlockedChange(VizserverError, RuntimeError):
    """A document was changed without its session's lock."""

    default_message = (
        "The document was changed without its lock. From another thread, or from a callback "
        "'without_document_lock', hand the change to add_next_tick_callback()."
    )


class AppError(VizserverError):
    """The code of an app failed; ``reference`` finds the failure in the log."""

    close_code = 4500
    default_message = "This app could not be started."

    def __init__(self, message: str | None = None, *, detail: str = "", reference: str = "") -> None:
        self.reference = reference or new_reference()
        self.summary = message or self.default_message
        super().__init__(f"{self.summary} Reference: {self.reference}", detail=detail)


class AppLoadError(AppError):
    """An app's files cannot be loaded: no main file, a syntax error, two kinds of hooks file."""


class AppStartTimeout(AppError):
    """An app's main file did not come to its end in time."""

    status = 504
    close_code = 4504
    default_message = "This app took too long to start."
