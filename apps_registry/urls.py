"""The doors, under whatever prefix the site includes them."""

from __future__ import annotations

from django.urls import path
from django.views.generic import RedirectView

from . import api, views

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
    path("apps/<str:name>/session", views.session, name="session"),
    path("apps/<str:name>/thumbnail", views.thumbnail, name="thumbnail"),
    path("apps/<str:name>/static/<path:path>", views.app_static, name="static"),
    path("data/", views.data.datasets, name="datasets"),
    # No name of a data set begins with this
    path("data/-/new", views.data.new, name="dataset_new"),
    path("data/<str:name>", views.data.dataset, name="dataset"),
    path("data/<str:name>/versions", views.data.versions, name="dataset_versions"),
    path("data/<str:name>/upload", views.data.upload, name="dataset_upload"),
    path("data/<str:name>/sharing", views.data.sharing, name="dataset_sharing"),
    path("data/<str:name>/edit", views.data.edit, name="dataset_edit"),
    path("data/<str:name>/delete", views.data.delete, name="dataset_delete"),
    path("data/<str:name>/undelete", views.data.undelete, name="dataset_undelete"),
    path("tokens/", views.tokens, name="tokens"),
    path("tokens/<int:pk>/revoke", views.revoke, name="token_revoke"),
    path("api/", api.api_urls()),
]
