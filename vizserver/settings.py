"""The site's settings. What differs between machines comes from the environment, or from a file `.env`.

docs/settings.md lists the variables.
"""

from __future__ import annotations

import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.files import locks
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")

DEBUG: bool = env.bool("DEBUG", default=False)
DATA_DIR = BASE_DIR / (env.str("DATA_DIR", default="") or "var")


def _secret_key_of_this_machine() -> str:
    """A key for development, made once so that logins outlive a restart."""
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(DATA_DIR / "secret_key", "a+", opener=lambda p, f: os.open(p, f, 0o600)) as file:
        locks.lock(file, locks.LOCK_EX)  # two processes may start together
        file.seek(0)
        key = file.read().strip()
        if not key:
            key = get_random_secret_key()
            file.write(key)
    return key


SECRET_KEY: str = env.str("SECRET_KEY", default="")
if not SECRET_KEY and DEBUG:
    SECRET_KEY = _secret_key_of_this_machine()
elif not SECRET_KEY:
    raise ImproperlyConfigured(
        "Set SECRET_KEY to a long random text that stays the same, in the environment or in .env. "
        "To try things out on your own machine, set DEBUG=1 instead."
    )

ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=[]) or ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    # Before daphne, whose `runserver` would otherwise serve static files in its own, synchronous way.
    "whitenoise.runserver_nostatic",
    "daphne",
    "channels",
    "apps_registry",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "vizserver.happiness",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "vizserver.staticfiles.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "vizserver.urls"
ASGI_APPLICATION = "vizserver.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# The apps

APPS_REGISTRY = {
    "BASE_TEMPLATE": "base.html",
    "INDEX": "catalogue.html",
    "APP_DIRS": [BASE_DIR / path for path in env.list("APP_DIRS", default=[]) or ["bokeh_apps"]],
}

# Data

if env.str("DATABASE_URL", default=""):
    DATABASES = {"default": env.db_url("DATABASE_URL")}
else:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "db.sqlite3"}}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Readers do not wait for a writer, and writers wait for one another in place of failing.
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = env.str("REDIS_URL", default="")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # It waits 5 seconds at a time, which redis-py by default does not allow.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 15}]},
        },
    }

# Users

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "apps_registry.backends.GrantBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "apps_registry:catalogue"

# Security. These cookies are for https only, unless this is development or a network without it.

SESSION_COOKIE_SECURE: bool = env.bool("SESSION_COOKIE_SECURE", default=not DEBUG)
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
SECURE_HSTS_SECONDS: int = env.int("SECURE_HSTS_SECONDS", default=0)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Static files

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "vizserver" / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "apps_registry.finders.BokehFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "vizserver.staticfiles.StaticFilesStorage"
    },
}

# What people upload. It is served by views that ask for permission, never by its address.

MEDIA_ROOT = DATA_DIR / "media"

# Servers. Daphne's own limit of 1 MiB is less than what a document or a table may take.

DAPHNE_WEBSOCKET_MAX_MESSAGE_SIZE = DAPHNE_WEBSOCKET_MAX_FRAME_SIZE = 20 * 1024 * 1024

# Language and time

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Logs: one line on stderr for each record, with the app, session and user that it is about.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "format": "{asctime} {levelname:<7} {name} [{viz_app} {viz_session} {viz_user}] {message}",
            "style": "{",
            "defaults": {"viz_app": "-", "viz_session": "-", "viz_user": "-"},
        },
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="").upper() or "INFO"},
    # Django gives this logger handlers of its own in DEBUG; the root's one is enough.
    "loggers": {"django": {"handlers": [], "level": "INFO", "propagate": True}},
}
