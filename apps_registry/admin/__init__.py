"""The pages of Django's admin: apps, live sessions, last errors, the audit, data sets, and API tokens."""

from __future__ import annotations

from .apps import VizAppAdmin
from .data import DatasetAdmin
from .keys import ApiTokenAdmin
from .records import FailureAdmin, OpeningAdmin
from .sessions import LiveSessionAdmin

__all__ = ["ApiTokenAdmin", "DatasetAdmin", "FailureAdmin", "LiveSessionAdmin", "OpeningAdmin", "VizAppAdmin"]
