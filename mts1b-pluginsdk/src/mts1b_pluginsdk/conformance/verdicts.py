"""How a card ends early, and what counts as a venue's refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from mts1b_foundation import Order, OrderStatus

__all__ = ["CardFailed", "CardSkipped", "outcome", "refusal", "require"]

T = TypeVar("T")

_REFUSAL = ("mts1b_brokers.errors", "BrokerRefused")
"""The one exception that the order path reads as evidence that an order was not taken."""


class CardFailed(Exception):
    """The subject did not do what it must; the text says what was seen."""


class CardSkipped(Exception):
    """The subject does not offer what the card is about."""


def require(condition: bool, message: str) -> None:
    """Fail the card unless ``condition`` holds.

    :raises CardFailed: with ``message``.
    """
    if not condition:
        raise CardFailed(message)


async def outcome(call: Awaitable[T]) -> T | BaseException:
    """Return what a call gives or raises, as a value."""
    (seen,) = await asyncio.gather(call, return_exceptions=True)
    return seen


def refusal(answer: object) -> str | None:
    """Return the code and reason of a refusal with evidence; None for every other answer.

    A venue refuses by an order that is rejected, or by ``BrokerRefused``. Anything else that it
    raises says nothing about the order.
    """
    if isinstance(answer, Order):
        if answer.status is not OrderStatus.REJECTED:
            return None
        return f"{answer.rejected_code or ''} {answer.rejected_reason or ''}".strip() or "rejected"
    names = {(kind.__module__, kind.__qualname__) for kind in type(answer).__mro__}
    if _REFUSAL not in names:
        return None
    return f"{getattr(answer, 'code', '')} {answer}".strip()
