"""What the site's database knows of apps: rows, grants, guest links, what was opened, what failed, what is live;
published data and who may see it."""

from __future__ import annotations

from .apps import Access, VizApp, VizAppQuerySet
from .data import Dataset, DatasetGrant, DatasetVersion, PendingFile
from .grants import Grant, GuestLink
from .hosts import Host, LiveSession, Notice
from .keys import ApiToken
from .records import Failure, Opening

__all__ = [
    "Access",
    "ApiToken",
    "Dataset",
    "DatasetGrant",
    "DatasetVersion",
    "Failure",
    "Grant",
    "GuestLink",
    "Host",
    "LiveSession",
    "Notice",
    "Opening",
    "PendingFile",
    "VizApp",
    "VizAppQuerySet",
]
