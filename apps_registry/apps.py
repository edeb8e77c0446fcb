"""The Django app."""

from __future__ import annotations

from importlib.util import find_spec

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

FINDER = "apps_registry.finders.BokehFinder"
#: What a plain `pip install vizserver` leaves out, by the names of the modules.
_SERVER_MODULES = (
    "bokeh",
    "channels",
    "ninja",
    "openpyxl",
    "orjson",
    "pyarrow",
    "uvicorn",
    "websockets",
    "yaml",
)


class AppsRegistryConfig(AppConfig):
    """Bokeh applications in a Django site."""

    name = "apps_registry"
    verbose_name = "Bokeh apps"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Import the models, or say what is not installed before any of them misses it."""
        if missing := [name for name in _SERVER_MODULES if find_spec(name) is None]:
            raise ImproperlyConfigured(
                f"The server's part of Vizserver is not installed; {', '.join(missing)} cannot be found. "
                "Run: pip install 'vizserver[server]'"
            )
        super().import_models()

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
