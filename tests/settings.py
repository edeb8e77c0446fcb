"""The site's settings for tests, apart from the data and the environment of whoever runs them."""

import os

for _name in ("ALLOWED_HOSTS", "APP_DIRS", "CSRF_TRUSTED_ORIGINS", "LOG_LEVEL", "REDIS_URL"):
    os.environ[_name] = ""  # set, so that a .env file does not set it
# See tests.postgresql
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")
os.environ |= {
    "DATA_DIR": "var/tests",
    "DEBUG": "0",
    "SECRET_KEY": "only-for-tests-" * 4,
    "SESSION_COOKIE_SECURE": "0",
}

from vizserver.settings import *  # noqa: E402, F403
from vizserver.settings import DATA_DIR, DATABASES, INSTALLED_APPS, STORAGES  # noqa: E402

# Models that are followed, as sites have them.
INSTALLED_APPS = [*INSTALLED_APPS, "tests.datasets.logbook"]
# With SQLite a file, as in production: an in-memory database would be one connection that all threads share.
_FILE = DATA_DIR / f"test-{os.getpid()}.sqlite3"
DATABASES["default"]["TEST"] = {"NAME": f"test_{os.getpid()}" if os.environ["DATABASE_URL"] else _FILE}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Static files come from where they are, so that no test needs `collectstatic`.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
