"""The frozen base of every model, and the value types that they share."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = [
    "FiniteDecimal",
    "FrozenModel",
    "Identifier",
    "NonNegativeDecimal",
    "PositiveDecimal",
    "UtcDatetime",
    "canonical_text",
]


def _require_aware(value: datetime) -> datetime:
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(
            f"time {value.isoformat()} has no time zone; give an aware time, e.g. with tzinfo=UTC"
        )
    return value.astimezone(UTC)


UtcDatetime = Annotated[datetime, AfterValidator(_require_aware)]
"""An aware time, kept in UTC. A naive time is refused."""

FiniteDecimal = Annotated[Decimal, Field(allow_inf_nan=False)]
PositiveDecimal = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
NonNegativeDecimal = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class FrozenModel(BaseModel):
    """Be an immutable value that refuses unknown fields and round-trips through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def with_(self, **changes: Any) -> Self:
        """Return a validated copy with ``changes`` applied.

        Unlike ``model_copy``, every validator runs again, so a copy can not be less valid than
        the original.

        :raises pydantic.ValidationError: when a change breaks a rule or names no field.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate(values | changes)


def canonical_text(value: object) -> str:
    """Return the one text of a value that signatures cover: 100, 100.0 and 1E+2 are the same.

    None is the empty text; times are UTC with microseconds.
    """
    if type(value) is str:
        return value
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Decimal():
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case StrEnum():
            return value.value
        case _:
            return str(value)
