"""Pages of lists."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from ninja import P, QueryEx

Limit = QueryEx[int, P(ge=1, le=500, description="How many at most.")]
Offset = QueryEx[int, P(ge=0, le=10**9, description="How many to skip.")]


def some(items: QuerySet[Any], limit: int, offset: int) -> tuple[list[Any], int]:
    """One page, and how many there are in all."""
    return list(items[offset : offset + limit]), items.count()
