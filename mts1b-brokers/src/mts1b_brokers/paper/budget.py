"""The venue's limit on messages, with a part that only cancels may use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.paper.profile import VenueProfile

__all__ = ["MessageBudget", "spend"]

_KEPT_FOR_CANCELS = 0.2


@dataclass(frozen=True, slots=True)
class MessageBudget:
    """How many messages were left at a moment."""

    left: float
    at: datetime


def spend(
    budget: MessageBudget | None, now: datetime, *, profile: VenueProfile, cancels: bool
) -> MessageBudget | None:
    """Take one message out of the budget; None where there is no limit.

    An order leaves at least a fifth of the burst, and not less than one message, to the cancels:
    when messages run short, new orders starve first. What is refused costs nothing.

    :raises BrokerRefused: ``RATE_LIMITED``; the venue has not taken the message.
    """
    rate, burst = profile.orders_per_s, profile.burst
    if rate is None or burst is None:
        return None
    left = float(burst)
    if budget is not None:
        passed = max((now - budget.at).total_seconds(), 0.0)
        left = min(left, budget.left + passed * rate)
    floor = 0.0 if cancels else max(_KEPT_FOR_CANCELS * burst, 1.0)
    if left - 1.0 < floor:
        raise BrokerRefused(
            f"more than {rate:g} messages a second (burst {burst}, a fifth of it for cancels "
            f"alone); try again in {(floor + 1.0 - left) / rate:.3f} s",
            code="RATE_LIMITED",
        )
    return MessageBudget(left - 1.0, now)
