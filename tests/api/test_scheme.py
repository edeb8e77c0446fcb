"""The API does as its OpenAPI description says, whatever is sent to it, and whoever sends it."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, settings, strategies as st
from openpyxl import Workbook

from apps_registry.api.service import api
from apps_registry.datasets.formats import FORMATS

from .world import CSV, World

#: Of each operation and caller, besides those that the description names and those at the edges of what it allows.
EXAMPLES = 5
#: What a description cannot say: that a table is one, that a version is the newest, that there is a user.
SAID_BY_NO_SCHEMA = [
    "publish",
    "append_rows",
    "download_data",
    "download_file",
    "change_dataset",
    "put_grant",
    "delete_grant",
]
#: The data sets that random names are turned into now and then: else everything is refused as not there.
NAMES = ("scheme-a", "scheme-b")


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"who": ["bob"], "price": [1.5]}), file)
    return file.getvalue()


def _arrow() -> bytes:
    file, table = io.BytesIO(), pa.table({"who": ["bob"], "price": [1.5]})
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def _xlsx() -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in (("who", "price"), ("bob", 1.5)):
        book.active.append(row)
    book.save(file)
    return file.getvalue()


_FILES = {
    "csv": CSV.encode(),
    "parquet": _parquet(),
    "arrow": _arrow(),
    "xlsx": _xlsx(),
}


def _bodies(file: bytes) -> st.SearchStrategy[bytes]:
    """Good files, files that are cut off, and anything."""
    return st.one_of(st.just(file), st.integers(0, len(file)).map(lambda size: file[:size]), st.binary())


for _name, _file in _FILES.items():
    schemathesis.openapi.media_type(FORMATS[_name].media_types[0], _bodies(_file))
schemathesis.openapi.media_type("application/octet-stream", st.binary())

_CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"max-examples": EXAMPLES, "deterministic": True},
        "operations": [
            {
                "include-operation-id": SAID_BY_NO_SCHEMA,
                "checks": {
                    "positive_data_acceptance": {
                        "expected-statuses": ["2xx", 304, 401, 403, 404, 412, 413, 422]
                    }
                },
            }
        ],
    }
)
schema = schemathesis.openapi.from_dict(api.get_openapi_schema(), config=_CONFIG)


@schema.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    name = str((path_parameters or {}).get("name", ""))
    if path_parameters is None or len(name) % 4 == 0:
        return path_parameters
    return path_parameters | {"name": NAMES[len(name) % 2]}


@schema.hook
def map_headers(context: Any, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    # Which site is meant is asked before the API is
    return headers and {name: value for name, value in headers.items() if name.lower() != "host"}


@pytest.fixture(scope="module")
def furnished(world: World) -> World:
    for name in NAMES:
        assert world.put(name, "alice").status_code == 201
        grant = {"user": "bob", "role": "viewer"}
        assert world.ask("PUT", f"datasets/{name}/grants", "alice", json=grant).status_code == 200
    return world


@pytest.mark.parametrize("user", ["", "bob", "alice"])
@schema.parametrize()
@settings(deadline=None, database=None, suppress_health_check=[*HealthCheck])
def test_what_is_described_is_done(case: schemathesis.Case, furnished: World, user: str):
    headers = {"Authorization": f"Bearer {furnished.tokens[f'{user}/all']}"} if user else {}
    case.call_and_validate(base_url=furnished.server.url, headers=headers)
