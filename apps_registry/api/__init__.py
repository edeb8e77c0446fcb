"""The HTTP API for data sets, described by OpenAPI, for ``path("api/", api_urls())``."""

from __future__ import annotations

from .service import api_urls

__all__ = ["api_urls"]
