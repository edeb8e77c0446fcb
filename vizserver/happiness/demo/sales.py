"""What the regions sell, each published by somebody else and for others."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

#: The group that may open the app ``sales``.
GROUP = "Sales"

_WEEKS = 52


@dataclass(frozen=True)
class Region:
    """A data set: who publishes it, who else may see it, and how much is sold."""

    name: str
    publisher: str
    viewers: tuple[str, ...]
    orders: int
    #: The week of the year in which most is sold
    best_week: int

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return f"sales_{self.name.lower()}"

    def csv(self, today: date) -> bytes:
        """A year of weeks up to ``today``."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["week", "orders", "revenue"])
        writer.writerows(self._weeks(today))
        return text.getvalue().encode()

    def _weeks(self, today: date) -> Iterator[tuple[date, int, float]]:
        monday = today - timedelta(days=today.weekday())
        for ago in range(_WEEKS, 0, -1):
            week = monday - timedelta(weeks=ago)
            chance = Random(f"{self.name} {week}")  # noqa: S311
            season = 1 + 0.35 * math.cos(2 * math.pi * (week.isocalendar().week - self.best_week) / 52)
            orders = round(self.orders * season * chance.gauss(1, 0.08))
            yield week, orders, round(orders * chance.gauss(84, 5), 2)


#: Zoe may open the app too, and sees none of them.
REGIONS = (
    Region("North", "nora", ("vera",), 210, best_week=50),
    Region("South", "saul", ("vera", "nora"), 260, best_week=28),
    Region("West", "wes", ("vera",), 150, best_week=18),
)
