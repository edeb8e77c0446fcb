"""The portal's settings, as `startproject` wrote them and its people went on."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("PORTAL_DATA", BASE_DIR / "var"))

SECRET_KEY = os.environ.get("PORTAL_SECRET_KEY", "a-key-for-the-tests-of-another-project-only")
DEBUG = os.environ.get("PORTAL_DEBUG") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "accounts",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "foreign_site.urls"

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

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "portal.sqlite3"}}

AUTH_USER_MODEL = "accounts.Person"
PASSWORD_HASHERS = [
    f"django.contrib.auth.hashers.{os.environ.get('PORTAL_HASHER', 'PBKDF2PasswordHasher')}",
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
SESSION_COOKIE_NAME = "portal"

PATH = os.environ.get("PORTAL_PATH", "")
FORCE_SCRIPT_NAME = PATH or None
STATIC_URL = f"{PATH}/assets/"
STATIC_ROOT = DATA_DIR / "assets"
STATICFILES_DIRS = [BASE_DIR / "assets"]
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}

# The Bokeh apps

INSTALLED_APPS += ["channels", "apps_registry"]
APPS_REGISTRY = {"APP_DIRS": [BASE_DIR / "charts"], "BASE_TEMPLATE": "portal/charts.html"}
ASGI_APPLICATION = "foreign_site.asgi.application"
