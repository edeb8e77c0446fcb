"""Publishing: the body of a request becomes a version."""

from __future__ import annotations

import re
from typing import Any, BinaryIO, Literal, cast

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Header, Query, Schema, Status
from pydantic import Field

from ..datasets import managing, publishing
from ..datasets.formats import FORMATS
from ..datasets.making import Upload, kind_of
from ..exceptions import BadArguments, BadData
from ..models import Dataset
from ..uploads import PLAIN, check_format
from .callers import caller_of
from .gate import is_asking
from .problems import problems
from .routes import PUBLISHING, router
from .schemas import Name, Version, version_out

_NUMBER = re.compile(r'(?:W/)?"(\d{1,10})"|(\d{1,10})', re.ASCII)
_MEDIA_TYPES = (*(format.media_types[0] for format in FORMATS.values()), "application/octet-stream")
assert {*FORMATS, PLAIN} == {"csv", "parquet", "arrow", "json", "xlsx", "file"}


type Published = Status[dict[str, Any]] | HttpResponse


class Sent(Schema):
    """What a publisher says of his file in the address."""

    format: Literal["csv", "parquet", "arrow", "json", "xlsx", "file"] | None = Field(
        None,
        description="What the file is; by default, its name or the media type tells. `file`: no table, kept as it is.",
    )
    filename: str = Field("", description="What the file is called.", examples=["march.csv"])
    note: str = Field("", description="What is new in it.", examples=["March"])
    create: bool = Field(True, description="Whether to make a data set that is not there.")


class Conditions(Schema):
    """When to publish, in headers."""

    if_match: str = Field(
        "",
        alias="If-Match",
        description="A version's number, in quotes: publish only if it is the newest. `*`: if the data set exists.",
        examples=['"3"'],
    )
    if_none_match: str = Field(
        "", alias="If-None-Match", description="`*`: publish only if there is no version yet.", examples=["*"]
    )
    key: str = Field(
        "",
        alias="Idempotency-Key",
        description="A text of your own. The same file with the same key is published once, however often it comes.",
        examples=["7a1c-march"],
    )

    def expected(self) -> int | None:
        """The number of the version to follow, 0 for none; None: any. Raises ``BadArguments``."""
        if_match, if_none_match = self.if_match.strip(), self.if_none_match.strip()
        if if_none_match and (if_none_match != "*" or if_match):
            raise BadArguments("If-None-Match may be * here, and not along with If-Match.")
        if if_none_match:
            return 0
        if not if_match or if_match == "*":
            return None
        number = _NUMBER.fullmatch(if_match)
        if number is None:
            raise BadArguments('If-Match takes the number of one version, like "3".')
        return int(number[1] or number[2])


_ABOUT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file itself.",
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in _MEDIA_TYPES},
    },
    "responses": {
        201: {
            "headers": {
                "ETag": {"description": "The number, for `If-Match`.", "schema": {"type": "string"}},
                "Location": {"description": "Where the version is.", "schema": {"type": "string"}},
            }
        }
    },
}
_ANSWERS: dict[Any, Any] = {201: Version, **problems(404, 412, 413, 422, 507)}


@router.put("/datasets/{name}", response=_ANSWERS, operation_id="publish", **PUBLISHING, openapi_extra=_ABOUT)
def publish(
    request: HttpRequest,
    response: HttpResponse,
    name: Name,
    sent: Query[Sent],
    conditions: Header[Conditions],
) -> Published:
    """Publish the body as the newest version, and make the data set if there is none of this name.

    It is published as a whole or not at all. What cannot be read is refused with the row, the column and the reason.
    """
    return _publish(request, response, name, sent, conditions, append=False)


@router.post(
    "/datasets/{name}/rows", response=_ANSWERS, operation_id="append_rows", **PUBLISHING, openapi_extra=_ABOUT
)
def append(
    request: HttpRequest,
    response: HttpResponse,
    name: Name,
    sent: Query[Sent],
    conditions: Header[Conditions],
) -> Published:
    """Publish a version that is the newest one with the rows of the body added at its end.

    Who watches the data set live gets the new rows alone.
    """
    return _publish(request, response, name, sent, conditions, append=True)


def _publish(
    request: HttpRequest,
    response: HttpResponse,
    name: str,
    sent: Sent,
    conditions: Conditions,
    *,
    append: bool,
) -> Published:
    if request.content_type == "multipart/form-data":
        raise BadData("Send the file itself as the body, not a form with the file in it.")
    user, media_type = caller_of(request).user, request.content_type or ""
    format = None if sent.format == PLAIN else sent.format
    # It comes in pieces, and is never in memory as a whole
    source = cast(BinaryIO, request)
    kind = kind_of(Upload(source, format or "", sent.filename, media_type))
    create = sent.create and conditions.if_match.strip() != "*"
    dataset = managing.to_publish(
        name, user=user, create=create, kind=Dataset.Kind.FILE if sent.format == PLAIN else kind
    )
    check_format(dataset, sent.format or "")
    expected = conditions.expected()
    if is_asking(request):
        return HttpResponse(status=204)
    version = publishing.publish(
        dataset,
        source,
        user=user,
        format=format,
        filename=sent.filename,
        media_type=media_type,
        note=sent.note,
        expected=expected,
        key=conditions.key,
        append=append,
    )
    response["ETag"] = f'"{version.number}"'
    response["Location"] = reverse("apps_registry:api:version", args=[name, version.number])
    return Status(201, version_out(version, name, with_names=True, with_digest=True))
