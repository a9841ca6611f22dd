"""Read the facts of a check: what is not sound is None, and None denies."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mts1b_foundation import DenyCode, RiskContext

__all__ = [
    "at_least_zero",
    "finite",
    "is_aware",
    "moment_of",
    "positive",
    "reduces",
    "soft_block",
]


_ZERO = Decimal(0)


def finite(value: object) -> Decimal | None:
    """Return a finite Decimal, None for anything else."""
    return value if isinstance(value, Decimal) and value.is_finite() else None


def positive(value: object) -> Decimal | None:
    """Return a finite Decimal above zero, None for anything else."""
    return value if isinstance(value, Decimal) and value.is_finite() and value > _ZERO else None


def at_least_zero(value: object) -> Decimal | None:
    """Return a finite Decimal of zero or more, None for anything else."""
    return value if isinstance(value, Decimal) and value.is_finite() and value >= _ZERO else None


def is_aware(value: object) -> bool:
    """Return whether a value is a time with a zone."""
    return isinstance(value, datetime) and value.tzinfo is not None


def moment_of(context: RiskContext) -> float | None:
    """Return the engine's monotonic time, None for what is no such number."""
    moment = context["moment"]
    return moment if type(moment) is float and 0.0 <= moment < float("inf") else None


def reduces(context: RiskContext) -> bool:
    """Return whether the order can only shrink its strategy's position: that stays possible."""
    try:
        return context["reducing"] is True
    except LookupError:
        return False


def soft_block(
    context: RiskContext, code: DenyCode, reason: str, *, limit: object, value: object
) -> bool:
    """Deny, unless two operators have let an order of these economics pass this very code."""
    granted = context.get("granted")
    block = granted.get(code.value) if isinstance(granted, dict) else None
    if block is not None:
        context.setdefault("used_blocks", []).append(block)
        return True
    context["soft_code"] = code.value
    return context.reject(code, reason, limit=limit, value=value)
