"""Numbers and times as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince


def ago(at: datetime) -> SafeString:
    """How long ago something was; the time itself is in the title."""
    passed = timezone.now() - at
    return _time(at, "now" if passed < timedelta(minutes=1) else f"{timesince(at, depth=1)} ago")


def day(at: datetime) -> SafeString:
    """The day of something that will be; the time itself is in the title."""
    return _time(at, date_format(timezone.localtime(at), "DATE_FORMAT"))


def count(number: int) -> str:
    """A number with commas between its thousands."""
    return f"{number:,}"


def _time(at: datetime, text: str) -> SafeString:
    exact = date_format(timezone.localtime(at), "DATETIME_FORMAT")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), exact, text)
