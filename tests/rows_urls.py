"""The site's addresses, and pages of the tests with apps in them."""

from csp.constants import NONCE, STRICT_DYNAMIC
from csp.decorators import csp, csp_exempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from vizserver.urls import urlpatterns as of_the_site

#: Scripts by nonce only, as ``docs/csp.md`` says.
POLICY = {
    **settings.CONTENT_SECURITY_POLICY["DIRECTIVES"],
    "script-src": [NONCE, STRICT_DYNAMIC],
}
_REPORT = engines["django"].from_string("""{% load apps_registry %}<!doctype html>
<html lang="en"><title>Report</title><link rel="icon" href="data:,">
{% bokeh_app "witness" region="EU" context=facts %}
{% bokeh_app "sliders" %}
{% bokeh_app "granted" %}
</html>""")


@csp(POLICY)
def report(request: HttpRequest) -> HttpResponse:
    """A page of the site with apps in it."""
    return HttpResponse(_REPORT.render({"facts": {"customer": 7}}, request))


@csp_exempt()
def frame(request: HttpRequest) -> HttpResponse:
    """A page of the site with the page of an app in a frame."""
    return HttpResponse('<!doctype html><iframe src="/apps/witness?bare"></iframe>')


urlpatterns = [path("report/", report), path("frame/", frame), *of_the_site]
