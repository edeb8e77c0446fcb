"""What programs ask of an app."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from .. import runtime
from ..access import enter
from ..answers import answers_errors


@require_safe
@answers_errors
async def metadata(request: HttpRequest, name: str) -> HttpResponse:
    """What an app says of itself, as ``bokeh serve`` gives it."""
    await enter(await runtime.get(), name, request, door="metadata")
    return JsonResponse({"url": reverse("apps_registry:app", args=[name]), "data": {}})


async def websocket_only(request: HttpRequest, name: str) -> HttpResponse:
    """What a plain request to the address of a socket gets."""
    return HttpResponse("This is the address of a websocket.", status=426, headers={"Upgrade": "websocket"})
