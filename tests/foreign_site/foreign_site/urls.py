"""The addresses of the portal."""

from django.apps import apps
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.views.generic import TemplateView

quay = TemplateView.as_view(template_name="portal/quay.html", extra_context={"shift": {"shift": "night"}})

urlpatterns = [
    path("", TemplateView.as_view(template_name="portal/home.html"), name="home"),
    path("quay/", quay, name="quay"),
    path("people/sign-in/", auth.LoginView.as_view(), name="sign-in"),
    path("people/sign-out/", auth.LogoutView.as_view(), name="sign-out"),
    path("tools/viz/", include("apps_registry.urls")),
]
if apps.is_installed("django.contrib.admin"):
    urlpatterns.append(path("office/", admin.site.urls))
