"""The pages over data sets."""

from __future__ import annotations

from .catalogue import datasets
from .detail import dataset
from .managing import delete, edit, undelete
from .sharing import sharing
from .uploading import new, upload
from .versions import versions

__all__ = ["dataset", "datasets", "delete", "edit", "new", "sharing", "undelete", "upload", "versions"]
