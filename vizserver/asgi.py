"""The site as an ASGI application, for any ASGI server: pages, websockets and lifespan."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vizserver.settings")
django_asgi_app = get_asgi_application()

# Imported only now, because its models need the apps that the line above has set up.
from apps_registry.asgi import asgi_application  # noqa: E402

application = asgi_application(django_asgi_app)
