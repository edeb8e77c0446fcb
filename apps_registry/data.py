"""What app code imports: published data, and the site's own models, as the user of the session sees them.

Modules of models import from here too, so that what needs pyarrow and Bokeh is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .datasets.permitted import PermittedQuerySet
from .exceptions import MayNotPublish, MayNotSee, NothingPublished

if TYPE_CHECKING:
    from .datasets.filling import NO_LONGER_VISIBLE
    from .datasets.listing import DatasetList, Listed, list_datasets
    from .datasets.named import publish, share
    from .datasets.opened import OpenDataset, Version, open_dataset
    from .datasets.querysets import QuerysetPages, queryset_pages, queryset_source
    from .model_changes import tell

__all__ = [
    "NO_LONGER_VISIBLE",
    "DatasetList",
    "Listed",
    "MayNotPublish",
    "MayNotSee",
    "NothingPublished",
    "OpenDataset",
    "PermittedQuerySet",
    "QuerysetPages",
    "Version",
    "list_datasets",
    "open_dataset",
    "publish",
    "queryset_pages",
    "queryset_source",
    "share",
    "tell",
]

_PLACES = {
    "NO_LONGER_VISIBLE": "datasets.filling",
    "DatasetList": "datasets.listing",
    "Listed": "datasets.listing",
    "OpenDataset": "datasets.opened",
    "QuerysetPages": "datasets.querysets",
    "Version": "datasets.opened",
    "list_datasets": "datasets.listing",
    "open_dataset": "datasets.opened",
    "publish": "datasets.named",
    "queryset_pages": "datasets.querysets",
    "queryset_source": "datasets.querysets",
    "share": "datasets.named",
    "tell": "model_changes",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __package__), name)
