"""Column types that keep money exact and times in UTC on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

__all__ = ["DecimalText", "UtcText"]


class DecimalText(sa.types.TypeDecorator[Decimal]):
    """Keep a Decimal as its exact text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Return the text as it is stored, trailing zeros included."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """Return the number of a stored text."""
        return None if value is None else Decimal(value)


class UtcText(sa.types.TypeDecorator[datetime]):
    """Keep an aware time as ISO 8601 text in UTC, in an order that sorts by time."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text as it is stored: in UTC, with microseconds.

        :raises ValueError: for a time without a zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value.isoformat()} has no time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the aware time of a stored text."""
        return None if value is None else datetime.fromisoformat(value)
