"""The doors, under whatever prefix the site includes them."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from . import views

app_name = "apps_registry"

urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    # Where stock `bokeh.client` looks when it is given no path: the empty app
    path("ws", views.websocket_only, {"name": "blank"}, name="blank_ws"),
    path("apps/<str:name>", views.app_page, name="app"),
    # Where `session.show()` of stock `bokeh.client` leads
    path("apps/<str:name>/", RedirectView.as_view(pattern_name="apps_registry:app", query_string=True)),
    path("apps/<str:name>/ws", views.websocket_only, name="ws"),
    path("apps/<str:name>/metadata", views.metadata, name="metadata"),
    path("apps/<str:name>/errors/<str:reference>", views.failure, name="failure"),
    path("apps/<str:name>/autoload.js", views.autoload, name="autoload"),
    path("apps/<str:name>/static/<path:path>", views.app_static, name="static"),
]
