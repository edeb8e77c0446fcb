"""The operations of the API as tests go through them: how each is asked for, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps_registry.api.service import api

from .world import CSV, LETTER


@dataclass(frozen=True)
class Operation:
    """One operation; ``{name}`` in its path is the data set."""

    method: str
    path: str
    scope: str
    #: What is needed with the data set; empty: there is none, and whoever asks is told what is his.
    role: str
    status: int = 200
    options: dict[str, Any] = field(default_factory=dict)
    #: For plain files, where it is something else.
    options_for_files: dict[str, Any] | None = None

    def options_for(self, dataset: str) -> dict[str, Any]:
        """What comes with the request."""
        other = self.options_for_files
        return other if other is not None and dataset == "letter" else self.options


_TABLE = {"content": CSV, "params": {"format": "csv"}}
_FILE = {"content": LETTER, "params": {"format": "file"}}
_ZOE = {"json": {"user": "zoe", "role": "viewer"}}

#: By their names in the description.
OPERATIONS = {
    "list_datasets": Operation("GET", "datasets", "read", ""),
    "get_dataset": Operation("GET", "datasets/{name}", "read", "viewer"),
    "list_versions": Operation("GET", "datasets/{name}/versions", "read", "viewer"),
    "get_version": Operation("GET", "datasets/{name}/versions/1", "read", "viewer"),
    "download_data": Operation("GET", "datasets/{name}/data", "read", "viewer"),
    "download_file": Operation("GET", "datasets/{name}/file", "read", "viewer"),
    "publish": Operation("PUT", "datasets/{name}", "publish", "publisher", 201, _TABLE, _FILE),
    "append_rows": Operation("POST", "datasets/{name}/rows", "publish", "publisher", 201, _TABLE),
    "change_dataset": Operation(
        "PATCH", "datasets/{name}", "manage", "owner", options={"json": {"description": "New."}}
    ),
    "delete_dataset": Operation("DELETE", "datasets/{name}", "manage", "owner", 204),
    "undelete_dataset": Operation("POST", "datasets/{name}/undelete", "manage", "owner"),
    "list_grants": Operation("GET", "datasets/{name}/grants", "manage", "owner"),
    "put_grant": Operation("PUT", "datasets/{name}/grants", "manage", "owner", options=_ZOE),
    "delete_grant": Operation(
        "DELETE", "datasets/{name}/grants", "manage", "owner", 204, {"params": {"user": "zoe"}}
    ),
}
#: Those that do to a data set what the other one takes back.
TURNING = {"delete_dataset", "undelete_dataset"}


def described() -> dict[str, dict[str, Any]]:
    """The operations as the OpenAPI description has them."""
    paths = api.get_openapi_schema()["paths"]
    return {one["operationId"]: one for operations in paths.values() for one in operations.values()}
