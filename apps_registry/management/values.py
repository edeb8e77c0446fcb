"""What options take: times, and numbers that may be none. Each function is a ``type`` for argparse."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime, time, timedelta

from django.conf import settings as site
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

_AGE = re.compile(r"(\d+)([mhdw])")
#: Beyond it lies a slip of the hand, and in the end the end of the calendar.
_FARTHEST = timedelta(days=36500)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def past(text: str) -> datetime:
    """A time gone by: ``30m``, ``12h``, ``7d``, ``2w`` ago, a date (its beginning), or a date and time."""
    match = _AGE.fullmatch(text)
    if match is None:
        return _moment(text, time.min)
    try:
        return timezone.now() - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise ArgumentTypeError(f"{text} is too long ago.") from None


def in_days(text: str) -> datetime:
    """The time in so many days."""
    days = _number(text, "")
    if not 0 < days <= _FARTHEST.days:
        raise ArgumentTypeError(f"{text} is not between 1 and {_FARTHEST.days}.")
    return timezone.now() + timedelta(days=days)


def future(text: str) -> datetime:
    """A time to come: a date (its end), or a date and time."""
    moment = _moment(text, time(23, 59, 59))
    if moment <= timezone.now():
        raise ArgumentTypeError(f"{text} is over already.")
    if moment > timezone.now() + _FARTHEST:
        raise ArgumentTypeError(f"{text} is more than {_FARTHEST.days} days away.")
    return moment


def positive(text: str) -> int:
    """A number from 1 on."""
    number = _number(text, "")
    if number < 1:
        raise ArgumentTypeError(f"{text} is less than 1.")
    return number


def number(text: str) -> int:
    """A number from 0 on."""
    value = _number(text, "")
    if value < 0:
        raise ArgumentTypeError(f"{text} is less than 0.")
    return value


def number_or_none(text: str) -> int | None:
    """A whole number, or ``none``."""
    return None if text.lower() == "none" else _number(text, " and not 'none'")


def _number(text: str, nor: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no whole number{nor}.") from None


def _moment(text: str, time_of_day: time) -> datetime:
    try:
        day = parse_date(text)
        moment = datetime.combine(day, time_of_day) if day is not None else parse_datetime(text)
    except ValueError:
        # Of the right form, but no day of the calendar
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text} is no date: write it like 2026-12-24 or '2026-12-24 18:00'.")
    if site.USE_TZ and timezone.is_naive(moment):
        return timezone.make_aware(moment)
    if not site.USE_TZ and timezone.is_aware(moment):
        return timezone.make_naive(moment)
    return moment
