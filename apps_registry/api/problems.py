"""What a program reads when an operation is refused or fails: one form for all, as ``application/problem+json``."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings as site
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError, ValidationError
from pydantic import Field

from ..exceptions import (
    BadArguments,
    BadData,
    MayNotSee,
    NoSuchColumn,
    TooBig,
    VizserverError,
    new_reference,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
#: Where the API answers otherwise than a page does: what is hidden is not there, and arguments are the caller's.
_STATUSES: dict[type[VizserverError], int] = {MayNotSee: 404, NoSuchColumn: 422}
_NOT_THERE = "There is no such data set, or you may not see it."
#: Statuses that every operation may answer with.
_ALWAYS = (401, 403, 405)


class Problem(Schema):
    """Why it was not done."""

    detail: str = Field(
        description="A sentence for people.", examples=["Row 7, column 'price': 'n/a' is no number."]
    )
    code: str = Field(description="The error's name, which stays the same.", examples=["BadData"])
    reference: str = Field(
        description="What finds a failure of the server in its log; else empty.", examples=[""]
    )
    row: int | None = Field(
        description="Where a file is wrong, if that is in one row: counted from 1, with the header.",
        examples=[7],
    )
    column: str = Field(description="The name of the column that is wrong; else empty.", examples=["price"])


def problems(*statuses: int) -> dict[Any, Any]:
    """The refusals of an operation, for its description."""
    return dict.fromkeys((*_ALWAYS, *statuses), Problem)


def _status(error: VizserverError) -> int:
    return _STATUSES.get(type(error), error.status)


def problem(error: VizserverError, status: int | None = None) -> HttpResponse:
    """The answer that says what went wrong, in the words for viewers."""
    status = status or _status(error)
    row, column = (error.row, error.column) if isinstance(error, BadData) else (None, "")
    detail = _NOT_THERE if isinstance(error, MayNotSee) else str(error)
    return _answer(status, detail, type(error), row=row, column=column)


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """The answer to what nobody foresaw, or what is for whoever runs the server to mend."""
    reference = new_reference()
    foreseen = error if isinstance(error, VizserverError) else VizserverError()
    log.error(
        "%s %s failed. Reference: %s. %s",
        request.method,
        request.path,
        reference,
        foreseen.detail,
        exc_info=error,
    )
    return _answer(foreseen.status, f"{foreseen} Reference: {reference}", type(foreseen), reference=reference)


def _answer(
    status: int,
    detail: str,
    kind: type[VizserverError],
    *,
    reference: str = "",
    row: int | None = None,
    column: str = "",
) -> HttpResponse:
    content = {
        "detail": detail,
        "code": kind.__name__,
        "reference": reference,
        "row": row,
        "column": column,
    }
    response = JsonResponse(content, status=status, content_type=MEDIA_TYPE)
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def answer_problems(api: NinjaAPI) -> None:
    """Let all operations of ``api`` raise what they like."""

    def known(request: HttpRequest, error: Any) -> HttpResponse:
        return problem(error) if _status(error) < 500 else _failed(request, error)

    def ill_put(request: HttpRequest, error: Any) -> HttpResponse:
        return problem(BadArguments(_sentence(error)))

    def by_django(request: HttpRequest, error: Any) -> HttpResponse:
        if isinstance(error, RequestDataTooBig):
            return problem(TooBig("The request is too big."))
        if isinstance(error, TooManyFieldsSent):
            most = site.DATA_UPLOAD_MAX_NUMBER_FIELDS
            return problem(BadArguments(f"The address has more than {most} arguments."), 400)
        return problem(BadArguments("The request cannot be read."), 400)

    handlers: dict[type[Exception], Any] = {
        VizserverError: known,
        ValidationError: ill_put,
        HttpError: by_django,
        SuspiciousOperation: by_django,
        Http404: lambda request, error: problem(MayNotSee()),
        Exception: _failed,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _sentence(error: ValidationError) -> str:
    first = error.errors[0]
    # The first part is "query", "path", "header" or "body"; within a body the argument's own name follows
    places = [str(part) for part in first["loc"][1:] if part != "change"]
    what = str(first["msg"]).rstrip(".")
    return f"{'.'.join(places)}: {what}." if places else f"{what}."
