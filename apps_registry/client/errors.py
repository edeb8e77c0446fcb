"""What can go wrong between a program and the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx


class ClientError(Exception):
    """The base of all errors of this client."""


class Unreachable(ClientError):
    """The server gave no answer, however often it was asked."""


class Refused(ClientError):
    """The server said no, in a sentence."""

    def __init__(self, sentence: str, *, status: int, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        problem = problem or {}
        #: The HTTP status
        self.status = status
        #: The server's name for the error
        self.code = str(problem.get("code", ""))
        #: What finds a failure in the log of the server
        self.reference = str(problem.get("reference", ""))
        #: Where data is wrong, if that is in one row: counted from 1, with the header
        self.row: int | None = problem.get("row")
        #: The name of the column that is wrong, or ""
        self.column = str(problem.get("column", ""))


class NotAllowed(Refused):
    """The token is not valid, lacks the scope, or its user may not."""


class NotFound(Refused):
    """There is no such data set or version, or none that the user may know of."""


class Conflict(Refused):
    """The data set is no longer as expected, or a key was used for something else before."""


class BadData(Refused):
    """The data cannot be read, or is not as the data set declares it; the sentence says where."""


class TooBig(Refused):
    """The data is over a limit of the server."""


class ServerTrouble(Refused):
    """Something went wrong on the server."""


_BY_STATUS: dict[int, type[Refused]] = {
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: TooBig,
}
_BY_CODE: dict[str, type[Refused]] = {"BadData": BadData, "KeyReused": Conflict}


def refusal(response: httpx.Response) -> Refused:
    """The error that an answer stands for, whose body has been read."""
    status = response.status_code
    problem = _problem(response)
    otherwise = _BY_STATUS.get(status, ServerTrouble if status >= 500 else Refused)
    kind = _BY_CODE.get(str(problem.get("code")), otherwise)
    if response.has_redirect_location:
        sentence = f"The server is at another address, {response.headers['Location']}: use that one."
        return kind(sentence, status=status)
    sentence = str(problem.get("detail") or f"The server answered {status} {response.reason_phrase}.")
    return kind(sentence, status=status, problem=problem)


def _problem(response: httpx.Response) -> dict[str, Any]:
    """What our server says; proxies before it say other things."""
    try:
        problem = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return problem if isinstance(problem, dict) else {}
