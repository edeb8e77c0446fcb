"""All that the engine needs of Bokeh's private names, so that a Bokeh upgrade breaks one place.

Measured on Bokeh 3.10.2: its own ``Serializer`` and ``Deserializer`` copy the references of every
model of a document for each message, and ``Document.to_json`` reads each property of each model.
The classes here look references up when they are asked for, and read only what is set.
"""

from .callbacks import SessionCallbacks, new_document, set_session_context
from .decoding import apply_patch, replace_document
from .encoding import Models, document_json, encode_event
from .sharing import is_shared, share, stream_shared
from .text import dumps, loads
from .upkeep import bundle_extensions, forget_models, prepare, release_document

__all__ = [
    "Models",
    "SessionCallbacks",
    "apply_patch",
    "bundle_extensions",
    "document_json",
    "dumps",
    "encode_event",
    "forget_models",
    "is_shared",
    "loads",
    "new_document",
    "prepare",
    "release_document",
    "replace_document",
    "set_session_context",
    "share",
    "stream_shared",
]
