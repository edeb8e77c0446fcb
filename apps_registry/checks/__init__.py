"""System checks: what can be set up wrong. Importing this package registers them with Django."""

from __future__ import annotations

from . import processes, values, website
from .faults import FAULTS

__all__ = ["FAULTS", "processes", "values", "website"]
