"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

FINDER = "apps_registry.finders.BokehFinder"


class AppsRegistryConfig(AppConfig):
    """Bokeh applications in a Django site."""

    name = "apps_registry"
    verbose_name = "Apps"

    def ready(self) -> None:
        """Register the system checks, and let Django find BokehJS among the static files."""
        from . import checks  # noqa: F401

        if FINDER not in settings.STATICFILES_FINDERS:
            settings.STATICFILES_FINDERS = [*settings.STATICFILES_FINDERS, FINDER]
