"""The site's addresses: the apps at the root, the admin, logging in and out, and pages with apps in them."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path
from django.views.generic import TemplateView

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("showcase/", TemplateView.as_view(template_name="showcase.html"), name="showcase"),
    path("happiness/", include("vizserver.happiness.urls")),
    path("", include("apps_registry.urls")),
]
