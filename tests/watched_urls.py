"""The site's addresses, and doors for tests: code that runs in the process of a server, a slow answer."""

import time

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from .watched import execute


@csrf_exempt
def run(request: HttpRequest) -> JsonResponse:
    """What the code in the body gives as ``result``."""
    return JsonResponse({"result": execute(request.body.decode())})


def change_password_slowly(request: HttpRequest) -> HttpResponseBase:
    """The admin's page for one's own password, whose answer takes its time once the password is changed."""
    answer = admin.site.password_change(request)
    time.sleep(0.2)
    return answer


urlpatterns = [
    path("run", run),
    path("password/", change_password_slowly),
    path("", include("vizserver.urls")),
]
