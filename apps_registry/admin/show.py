"""What cells of the lists look like."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from ..texts import ago

__all__ = ["NOTHING", "ago", "badge", "error", "lasted", "link", "moment", "size", "who"]

NOTHING = "-"


def moment(at: datetime) -> SafeString:
    """A time of which seconds matter."""
    local = timezone.localtime(at)
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), f"{local:%Y-%m-%d %H:%M:%S}")


def lasted(duration: timedelta | None) -> str:
    """A duration as ``1:02:03``."""
    return NOTHING if duration is None else str(timedelta(seconds=round(duration.total_seconds())))


def who(username: str) -> str | SafeString:
    """A user by the name that was written down."""
    return username or format_html('<span class="ar-quiet">{}</span>', "visitor")


def badge(kind: str, text: str) -> SafeString:
    """A word on a ground of its own; ``kind`` is good, bad, warning or quiet."""
    return format_html('<span class="ar-badge ar-{}">{}</span>', kind, text)


def error(address: str, summary: str, detail: str, more: object = "") -> SafeString:
    """What went wrong, as a link; where there is a traceback, its last line says it best."""
    last = detail.strip().rpartition("\n")[2].strip()
    return format_html(
        '<span class="ar-error">{}<small>{}</small></span>',
        link(address, Truncator(last or summary).chars(80)),
        more,
    )


def size(count: int | None) -> str:
    """Bytes for people."""
    return NOTHING if count is None else filesizeformat(count)


def link(address: str, text: object) -> SafeString:
    """A link."""
    return format_html('<a href="{}">{}</a>', address, text)
