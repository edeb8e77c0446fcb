"""The API as a whole: its operations, its description, its addresses."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings as site
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from .. import __version__
from ..exceptions import BadArguments
from ..models.keys import SCOPES

# The operations are those of the modules that are named here
from . import downloads, managing, publishing, reading, routes  # noqa: F401
from .callers import CallerMay
from .problems import MEDIA_TYPE, answer_problems, problem

_DESCRIPTION = """Publish data sets, and read those that you may see.

Send an API token as `Authorization: Bearer viz_...`. A page of this site may come with its login instead, and
sends the CSRF token as `X-CSRFToken` when it changes something. Without either, what is open to everybody can be read.

What is refused is answered with a sentence, as `application/problem+json`. A data set that you may not know of is
answered as one that does not exist."""


class Api(NinjaAPI):
    """A ``NinjaAPI`` that also describes what ninja does not know of: who may ask, and how it refuses."""

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """The OpenAPI description."""
        schema = super().get_openapi_schema(**kwargs)
        schema["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": _scopes()},
            "login": {"type": "apiKey", "in": "cookie", "name": site.SESSION_COOKIE_NAME},
        }
        for operations in schema["paths"].values():
            for operation in operations.values():
                _describe(operation, self._auth_of(operation["operationId"]))
        return schema

    def _auth_of(self, operation_id: str) -> CallerMay:
        operations = (
            operation
            for bound in self._get_bound_routers()
            for view in bound.path_operations.values()
            for operation in view.operations
        )
        found = next(one for one in operations if one.operation_id == operation_id)
        auth: Any = found.auth_callbacks[0]
        assert isinstance(auth, CallerMay)
        return auth


def _scopes() -> str:
    return "\n".join(
        ["An API token with one of these scopes:", *(f"- `{name}`: {SCOPES[name]}" for name in SCOPES)]
    )


def _describe(operation: dict[str, Any], auth: CallerMay) -> None:
    operation["security"] = [{"token": []}, {"login": []}, *([{}] if auth.visitors else [])]
    summary, _, more = operation["description"].partition("\n\n")
    operation["summary"] = summary.rstrip(".")
    operation["description"] = f"{more}\n\nScope of the token: `{auth.scope}`.".strip()
    for parameter in operation["parameters"]:
        # Ninja puts the list that its schema has there too, where OpenAPI has names for them
        parameter.pop("examples", None)
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}


api = Api(
    title="Vizserver",
    version=__version__,
    description=_DESCRIPTION,
    urls_namespace="apps_registry:api",
    # Its page would load scripts from elsewhere
    docs_url=None,
)
api.add_router("", routes.router)
answer_problems(api)


def api_urls() -> tuple[list[Any], str, str]:
    """What ``path("api/", ...)`` takes."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        assert isinstance(pattern, URLPattern)
        # Ninja has a name for where it begins, and nothing there
        pattern.callback = _nothing_here if pattern.name == "api-root" else _alike(pattern.callback)
    return [*patterns, re_path("", _nothing_here)], app_name, namespace


@csrf_exempt
def _nothing_here(request: HttpRequest) -> HttpResponse:
    """The answer at an address that is of the API, and of none of its operations: not a page for people."""
    return problem(BadArguments("There is nothing at this address."), 404)


def _alike(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view that answers HEAD as GET, and a method that it does not have as any other problem."""

    @functools.wraps(view)
    def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        is_head = request.method == "HEAD"
        if is_head:
            request.method = "GET"
        response = view(request, *args, **kwargs)
        if isinstance(response, HttpResponseNotAllowed):
            allowed = sorted(
                {*response["Allow"].split(", ")} | ({"HEAD"} if "GET" in response["Allow"] else set())
            )
            response = problem(BadArguments(f"This address takes {', '.join(allowed)}."), 405)
            response["Allow"] = ", ".join(allowed)
        # What one caller is told is not for the next one
        response.setdefault("Cache-Control", "no-store")
        response.setdefault("X-Content-Type-Options", "nosniff")
        return _head_of(response) if is_head else response

    return csrf_exempt(answering)


def _head_of(response: HttpResponseBase) -> HttpResponse:
    """The same answer without its body, which nobody makes then."""
    head = HttpResponse(status=response.status_code)
    for name, value in response.items():
        head[name] = value
    response.close()
    return head
