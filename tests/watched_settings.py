"""The settings of servers in which tests run code of their own; see ``tests.watched``."""

from .serving_settings import *  # noqa: F403

ROOT_URLCONF = "tests.watched_urls"
