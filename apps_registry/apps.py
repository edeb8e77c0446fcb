"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

FINDER = "apps_registry.finders.BokehFinder"


class AppsRegistryConfig(AppConfig):
    """Bokeh applications in a Django site."""

    name = "apps_registry"
    verbose_name = "Bokeh apps"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, follow what is changed, let Django find BokehJS among the static files."""
        from . import changes, checks, model_changes, records  # noqa: F401
        from .datasets import storing

        changes.connect()
        model_changes.connect()
        records.connect()
        storing.connect()

        if FINDER not in settings.STATICFILES_FINDERS:
            settings.STATICFILES_FINDERS = [*settings.STATICFILES_FINDERS, FINDER]
