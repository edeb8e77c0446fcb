"""Apps in pages: their own, pages of the site (``app``, ``root``, ``resources``), and those of other sites."""

from __future__ import annotations

from .context import ARGUMENT as CONTEXT_ARGUMENT, read as read_context
from .markup import EmbeddedApp, app, resources, root
from .own_template import render_own_template
from .page import Page, prepare
from .policy import allow_frames, nonce

__all__ = [
    "CONTEXT_ARGUMENT",
    "EmbeddedApp",
    "Page",
    "allow_frames",
    "app",
    "nonce",
    "prepare",
    "read_context",
    "render_own_template",
    "resources",
    "root",
]
