"""The same portal for people with badges: without an admin, in a data directory of its own."""

from .settings import *  # noqa: F403
from .settings import INSTALLED_APPS

INSTALLED_APPS = [
    "badges",
    *(app for app in INSTALLED_APPS if app not in ("accounts", "django.contrib.admin")),
]
AUTH_USER_MODEL = "badges.Badge"
