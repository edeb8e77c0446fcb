"""The Django app's name."""

from django.apps import AppConfig


class HappinessConfig(AppConfig):
    """Happiness at work."""

    name = "vizserver.happiness"
    verbose_name = "Happiness"
