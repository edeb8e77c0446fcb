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


def quoted(value: object, *, length: int = 40) -> str:
    """A piece of somebody's data for a message: in quotes, on one line, and not long."""
    text = str(value)
    text = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[: length + 1]
    )
    return f"'{text}'" if len(text) <= length else f"'{text[: length - 1]}\N{HORIZONTAL ELLIPSIS}'"


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


class ApiTokenRefused(VizserverError):
    """A program came with an API token that does not serve."""

    status = 401
    close_code = 4401
    default_message = "This API token is not valid: it is mistyped, expired or revoked."


class OutOfScope(VizserverError):
    """An API token is valid, and yet not for what its holder wants."""

    status = 403
    close_code = 4403
    default_message = "This API token may not be used for that."


class RequestForged(VizserverError):
    """A change was asked for by cookie, and it is not certain that a page of this site asks."""

    status = 403
    close_code = 4403
    default_message = "Send the CSRF token of this site as X-CSRFToken, or use an API token."


class BadArguments(VizserverError):
    """What a program asked for is not well put."""

    status = 422
    close_code = 4422
    default_message = "The request is not well put."


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


class LoginEnded(VizserverError):
    """The login under which a socket was opened has ended: logout, another password, a user switched off."""

    status = 401
    close_code = 4451
    default_message = "You are no longer logged in. Please log in again."


class AccessEnded(VizserverError):
    """A grant or guest link under which a socket was opened has been taken back."""

    status = 403
    close_code = 4452
    default_message = "You may no longer open this app."


class AppDisabled(VizserverError):
    """The app of a socket was switched off or taken out of the registry."""

    status = 404
    close_code = 4453
    default_message = "This app has been switched off."


class EndedByAdmin(VizserverError):
    """Somebody who manages the app has ended the session."""

    status = 410
    close_code = 4454
    default_message = "This session was ended by an administrator."


class SessionIdle(VizserverError):
    """Nobody has used the tabs of a session for as long as its app allows."""

    status = 410
    close_code = 4455
    default_message = "This session was closed because nobody used it."


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


class BadData(VizserverError):
    """What was published cannot be read as a table, or is not as the data set declares it.

    ``row`` counts as the file does, from 1 and with its header; ``column`` is a name.
    """

    status = 422
    close_code = 4422
    default_message = "The file could not be read."

    def __init__(
        self, message: str | None = None, *, row: int | None = None, column: str = "", detail: str = ""
    ) -> None:
        self.row = row
        self.column = column
        places = [f"row {row}"] * (row is not None) + [f"column {quoted(column)}"] * bool(column)
        self.what = message or self.default_message
        text = f"{', '.join(places)}: {self.what}" if places else self.what
        super().__init__(f"{text[0].upper()}{text[1:]}", detail=detail)


class TooBig(VizserverError):
    """What was published is over a limit: bytes, rows, columns, memory, or the time that reading it takes."""

    status = 413
    close_code = 4413
    default_message = "The file is too big."


class NoRoom(VizserverError):
    """The disk of the server is full."""

    status = 507
    close_code = 4507
    default_message = "There is no room on the server for this file."


class DataLost(VizserverError):
    """What was published is not in its storage any more, or not as it was, or cannot be copied from there."""

    default_message = "This data cannot be read."


class DataRefused(VizserverError):
    """An app asked for data that its viewer does not get: no failure of the app, so he reads the words."""

    status = 403
    close_code = 4456
    default_message = "You do not get this data."


class MayNotSee(DataRefused):
    """There is no data set of this name, or none that this user may know of: one sentence for both."""

    default_message = "You may not see this data."

    def __init__(self, name: str = "", *, detail: str = "") -> None:
        super().__init__(f"You may not see {quoted(name)}." if name else None, detail=detail)


class NothingPublished(DataRefused):
    """A data set that a user may see has no version yet."""

    status = 404
    default_message = "Nothing has been published here yet."


class UserNeeded(VizserverError, TypeError):
    """App code asks for data outside of a session, and does not say as whom."""

    default_message = "Outside of a session, say as whom: user=..."


class NoSuchColumn(VizserverError, LookupError):
    """App code asks for a column that the data does not have."""

    default_message = "There is no such column."


class MayNotPublish(VizserverError):
    """A user may not publish a data set, or not make one of this name."""

    status = 403
    close_code = 4403
    default_message = "You may not publish this data set."


class MayNotManage(VizserverError):
    """A user sees a data set, but may not change, share or delete it."""

    status = 403
    close_code = 4403
    default_message = "You may not change this data set."


class Conflict(VizserverError):
    """A data set is no longer what a publisher says that he follows on."""

    status = 412
    close_code = 4412
    default_message = "The data set has changed in the meantime."


class KeyReused(VizserverError):
    """An idempotency key came again with something else than the first time."""

    status = 422
    close_code = 4422
    default_message = "This idempotency key was used for another publication."
