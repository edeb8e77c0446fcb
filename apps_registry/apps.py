"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class AppsRegistryConfig(AppConfig):
    """Bokeh applications in a Django site."""

    name = "apps_registry"
    verbose_name = "Apps"

    def ready(self) -> None:
        """Register the system checks."""
        from . import checks  # noqa: F401
