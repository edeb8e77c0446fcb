"""Downloads: rows in several formats, and plain files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.crypto import salted_hmac
from django.utils.http import content_disposition_header
from ninja import P, QueryEx

from ..datasets import finding, rules, store
from ..datasets.formats import FORMATS
from ..datasets.rules import RowFilter
from ..datasets.selection import Wanted, select
from ..exceptions import BadArguments, Conflict, DataLost, MayNotSee, quoted
from ..models import Dataset, DatasetVersion
from .callers import caller_of
from .encoding import ENCODERS, encode
from .problems import problems
from .reading import find_version
from .routes import READING, router
from .schemas import MAX_INT, Name

FormatName = Literal["csv", "parquet", "arrow", "json"]
assert set(ENCODERS) == {"csv", "parquet", "arrow", "json"}
Format = QueryEx[FormatName, P(description="What to make of the rows.")]
VersionNumber = QueryEx[
    int | None, P(ge=1, le=MAX_INT, description="Another version than the newest.", example=3)
]
Columns = QueryEx[
    list[str],
    P(
        description="Only these columns, in this order; once for each, and as many as the site takes arguments.",
        example=["day", "price"],
    ),
]

_CHUNK = 2**18
_JSON = FORMATS["json"].media_types[0]
_FILE = {"type": "string", "format": "binary"}
_RECORDS = {"type": "array", "items": {"type": "object"}}
_UNCHANGED = {
    304: {"description": "What `If-None-Match` names is still right."},
}
_HEADERS = {
    200: {
        "description": "The file.",
        "headers": {"ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}}},
    }
}


def _about(*media_types: str) -> dict[str, Any]:
    content = {name: {"schema": _RECORDS if name == _JSON else _FILE} for name in media_types}
    return {"responses": {**_UNCHANGED, 200: _HEADERS[200] | {"content": content}}}


@router.get(
    "/datasets/{name}/data",
    response={200: None, **problems(400, 404, 412, 422)},
    operation_id="download_data",
    **READING,
    openapi_extra=_about(*(FORMATS[name].media_types[0] for name in ENCODERS)),
)
def data(
    request: HttpRequest,
    name: Name,
    format: Format = "csv",
    version: VersionNumber = None,
    columns: Columns = [],  # noqa: B006
) -> HttpResponseBase:
    """Download the rows that you may see.

    The values are exact, whatever a spreadsheet may make of them: a text that begins with `=` stays so.
    """
    dataset, found = _find(request, name, version, Dataset.Kind.TABLE)
    filter = rules.row_filter(caller_of(request).user, dataset)
    etag = _etag(found, format, columns, filter)
    if (unchanged := _unchanged(request, etag)) is not None:
        return _guarded(unchanged, etag)
    kind = FORMATS[format]
    if format == "parquet" and filter is None and not columns:
        # It is what is stored
        answer = _stored(request, found, kind.media_types[0])
    else:
        wanted = Wanted(tuple(columns) or None)
        table = select(store.opened(found), wanted, [] if filter is None else [filter])
        answer = _streamed(request, encode(table, format), kind.media_types[0])
    answer["Content-Disposition"] = (
        content_disposition_header(True, f"{name}-{found.number}{kind.suffixes[0]}") or ""
    )
    return _guarded(answer, etag)


@router.get(
    "/datasets/{name}/file",
    response={200: None, **problems(404, 412, 422)},
    operation_id="download_file",
    **READING,
    openapi_extra=_about("*/*"),
)
def file(request: HttpRequest, name: Name, version: VersionNumber = None) -> HttpResponseBase:
    """Download a plain file as it was published."""
    dataset, found = _find(request, name, version, Dataset.Kind.FILE)
    if rules.row_filter(caller_of(request).user, dataset) is not None:
        # Nobody knows which part of it he may see
        raise MayNotSee(name)
    etag = _etag(found)
    if (unchanged := _unchanged(request, etag)) is not None:
        return _guarded(unchanged, etag)
    answer = _stored(request, found, found.media_type)
    answer["Content-Disposition"] = content_disposition_header(True, found.filename or name) or ""
    return _guarded(answer, etag)


def _find(request: HttpRequest, name: str, number: int | None, kind: str) -> tuple[Dataset, DatasetVersion]:
    dataset = finding.find(name, caller_of(request).user)
    version = find_version(dataset, number)
    if dataset.kind != kind:
        what = ("a plain file", "file") if dataset.kind == Dataset.Kind.FILE else ("a table", "data")
        raise BadArguments(f"{quoted(name)} is {what[0]}: get it at datasets/{name}/{what[1]}.")
    return dataset, version


def _etag(version: DatasetVersion, *of: Any) -> str:
    """The same for the same bytes, and other ones for who sees other rows.

    Nobody can try out against it what the rows may be that he does not see.
    """
    parts = [[*sorted(part.values), part.column] if isinstance(part, RowFilter) else part for part in of]
    digest = salted_hmac("apps_registry.api.etag", repr((version.sha256, parts)), algorithm="sha256")
    return f'"{version.number}-{digest.hexdigest()[:16]}"'


def _unchanged(request: HttpRequest, etag: str) -> HttpResponseBase | None:
    """The answer to who has it already. Raises ``Conflict`` for who wants something else than is there."""
    answer = get_conditional_response(request, etag)
    if answer is not None and answer.status_code == 412:
        raise Conflict("What is there now is not what the condition of the request asks for.")
    return answer


def _guarded(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    """An answer that no browser takes for a page of this site, and no cache gives to others."""
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["Vary"] = "Authorization, Cookie"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _stored(request: HttpRequest, version: DatasetVersion, media_type: str) -> StreamingHttpResponse:
    try:
        file = version.file.storage.open(str(version.file.name))
    except FileNotFoundError:
        raise DataLost(detail=f"The file of {version} is not in its storage.") from None
    answer = _streamed(request, _pieces(file), media_type)
    answer["Content-Length"] = str(version.size)
    return answer


def _pieces(file: Any) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _streamed(request: HttpRequest, pieces: Iterator[bytes], media_type: str) -> StreamingHttpResponse:
    # Django would make a list of what comes in the other way
    content: Any = _from_thread(pieces) if isinstance(request, ASGIRequest) else pieces
    return StreamingHttpResponse(content, content_type=media_type)


async def _from_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=False)
    while (piece := await following()) is not None:
        yield piece
