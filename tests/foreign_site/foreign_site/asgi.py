"""The portal as an ASGI application."""

import os

from django.core.asgi import get_asgi_application

from apps_registry.asgi import asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "foreign_site.settings")
application = asgi_application(get_asgi_application())
