"""The site's settings for the servers that tests start; see ``tests.serving``."""

import json
import os

from vizserver.settings import *  # noqa: F403
from vizserver.settings import APPS_REGISTRY, STORAGES

APPS_REGISTRY |= json.loads(os.environ.get("TEST_APPS_REGISTRY", "{}"))
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files come from where they are, so that no test needs `collectstatic`.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
