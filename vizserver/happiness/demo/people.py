"""Forty-three people in six teams, and how they feel on a day: the same each time one asks."""

from __future__ import annotations

import math
from datetime import date, timedelta
from random import Random

from ..models import BEST, WORST

#: The first of each team leads it. Legal is too small for an average of its own.
TEAMS: dict[str, tuple[str, ...]] = {
    "Design": ("bruno", "clea", "dario", "edda", "frida", "gus"),
    "Engineering": (
        *("ana", "ben", "cara", "dana", "eli", "finn"),
        *("gita", "hugo", "ines", "jon", "kira", "luis"),
    ),
    "Finance": ("hana", "igor", "jula", "karl", "lena"),
    "Legal": ("leo", "mina", "noel"),
    "Sales": ("vera", "nora", "saul", "wes", "xena", "yuri", "zoe", "alba"),
    "Support": ("mara", "nils", "olga", "pia", "quin", "rosa", "sven", "tara", "uma"),
}
#: These have reported today already, so that one more of their team makes five.
EARLY = ("dana", "eli", "finn", "gita")

#: How long ago it began.
DAYS = 364
_TAKES_PART = 0.86
_WEEKDAYS = (-0.7, -0.2, 0.0, 0.2, 0.8)
_NOTES = {
    range(1, 4): ("The server was down all day.", "Too many meetings.", "I slept badly.", "Deadline!"),
    range(4, 8): ("A day like any other.", "Half a day off.", "Got through the pile.", ""),
    range(8, 11): ("We shipped it!", "Lunch with the team.", "A customer said thank you.", "Sun at last."),
}


def days(today: date) -> list[date]:
    """The working days of a year before ``today``."""
    year = (today - timedelta(days=ago) for ago in range(DAYS, 0, -1))
    return [day for day in year if day.weekday() < len(_WEEKDAYS)]


def takes_part(name: str, day: date) -> bool:
    """Whether somebody reports on a day."""
    return _chance(name, day, "takes part").random() < _TAKES_PART


def feeling(name: str, team: str, day: date) -> tuple[int, str]:
    """Somebody's score of a day, and a note or none."""
    chance = _chance(name, day, "feels")
    nature = _chance(name).uniform(5.2, 7.6)
    weekday = _WEEKDAYS[day.weekday()] if day.weekday() < len(_WEEKDAYS) else 0.0
    score = round(nature + weekday + _season(day) + _mood(team, day) + chance.gauss(0, 1.1))
    score = min(max(score, WORST), BEST)
    notes = next(notes for scores, notes in _NOTES.items() if score in scores)
    return score, chance.choice(notes) if chance.random() < 0.08 else ""


def _season(day: date) -> float:
    return -0.5 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 10) / 365)


def _mood(team: str, day: date) -> float:
    """What moves a whole team."""
    match team:
        case "Engineering":  # releases
            return -1.6 if day.month in (5, 10) and day.day <= 14 else 0.2
        case "Finance":  # the books of the year
            return -1.7 if day.month == 1 else 0.1
        case "Sales":  # the end of a quarter
            return -1.3 if day.month % 3 == 0 and day.day > 20 else 0.4
        case "Support":
            return 0.9 * math.sin(2 * math.pi * day.toordinal() / 260)
        case _:
            return 0.0


def _chance(*what: object) -> Random:
    return Random(" ".join(map(str, what)))  # noqa: S311
