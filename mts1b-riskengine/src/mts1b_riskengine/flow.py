"""How much a strategy, a venue and the firm have sent lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from mts1b_foundation import Order
from mts1b_foundation.limits import MessageLimits, RiskLimits

from mts1b_riskengine.economics import Economics, economic_terms
from mts1b_riskengine.windows import NEVER, Windows

__all__ = ["FlowBook", "Full", "is_amendment"]

_KEPT = 10_000


def is_amendment(order: Order) -> bool:
    """Tell whether an order changes one that a venue holds already."""
    return order.broker_order_id is not None or order.submitted_at is not None


@dataclass(frozen=True, slots=True)
class Full:
    """A message limit that is used up: whose, of which kind."""

    scope: str
    kind: str
    limit: int


class FlowBook:
    """Count approvals, amendments and cancels; each in windows of a fixed size.

    ``moment`` is the engine's monotonic clock in seconds. A decision that is rolled back after it
    was counted stays counted: it can only make limits tighter.
    """

    def __init__(self, limits: RiskLimits) -> None:
        sizes = limits.messages
        self._new = _windows(sizes, "new")
        self._amend = _windows(sizes, "amend")
        self._repeats = Windows(limits.repeat_max, limits.repeat_window_s)
        self._duplicates_s = limits.duplicate_window_s or 0.0
        self._recent: dict[Economics, tuple[str, float]] = {}
        self._days: dict[tuple[str, str], tuple[date, int]] = {}
        self.totals = {"new": 0, "amend": 0, "cancel": 0}

    def full(self, order: Order, moment: float) -> Full | None:
        """Return the first message limit that one more order would exceed, or None."""
        kind = "amend" if is_amendment(order) else "new"
        strategy, venue, firm = self._amend if kind == "amend" else self._new
        if strategy.is_full((order.fund_id, order.strategy_id), moment):
            return Full(f"strategy {order.strategy_id}", kind, strategy.limit or 0)
        if venue.is_full(order.broker, moment):
            return Full(f"venue {order.broker}", kind, venue.limit or 0)
        return Full("the firm", kind, firm.limit or 0) if firm.is_full("", moment) else None

    def repeats(self, order: Order, moment: float) -> bool:
        """Return whether one more such order would exceed the repeat limit."""
        return self._repeats.is_full(_repeat_key(order), moment)

    def forget_repeats(self, order: Order) -> None:
        """Begin anew to count such orders, once people have looked."""
        self._repeats.forget(_repeat_key(order))

    def twin(self, order: Order, moment: float) -> str | None:
        """Return the order with the same economics that was approved lately, or None."""
        order_id, at = self._recent.get(economic_terms(order), ("", NEVER))
        return order_id if order_id != order.order_id and moment - at < self._duplicates_s else None

    def orders_on(self, order: Order, day: date) -> int:
        """Return how many orders of the strategy were approved on a UTC day."""
        known, count = self._days.get((order.fund_id, order.strategy_id), (day, 0))
        return count if known == day else 0

    def approved(self, order: Order, moment: float, now: datetime) -> None:
        """Count an order that is about to be approved for the first time."""
        kind = "amend" if is_amendment(order) else "new"
        self.totals[kind] += 1
        strategy, venue, firm = self._amend if kind == "amend" else self._new
        if strategy.limit is not None:
            strategy.add((order.fund_id, order.strategy_id), moment)
        if venue.limit is not None:
            venue.add(order.broker, moment)
        if firm.limit is not None:
            firm.add("", moment)
        if self._repeats.limit is not None:
            self._repeats.add(_repeat_key(order), moment)
        day, owner = now.date(), (order.fund_id, order.strategy_id)
        known, count = self._days.get(owner, (day, 0))
        self._days[owner] = (day, count + 1 if known == day else 1)
        if self._duplicates_s:
            self._note(order, moment)

    def recalled(self, order: Order, moment: float, now: datetime) -> None:
        """Count an approval of before a restart, as a new order and as an amendment.

        The record does not say which of both it was; so both limits are as tight as they can be.
        """
        self.approved(order, moment, now)
        strategy, venue, firm = self._new if is_amendment(order) else self._amend
        strategy.add((order.fund_id, order.strategy_id), moment)
        venue.add(order.broker, moment)
        firm.add("", moment)

    def _note(self, order: Order, moment: float) -> None:
        recent = self._recent
        terms = economic_terms(order)
        recent.pop(terms, None)
        recent[terms] = (order.order_id, moment)
        while recent:
            oldest = next(iter(recent))
            if moment - recent[oldest][1] < self._duplicates_s and len(recent) <= _KEPT:
                return
            del recent[oldest]

    def canceled(self) -> None:
        """Count a cancel; nothing ever denies one."""
        self.totals["cancel"] += 1


def _windows(sizes: MessageLimits, kind: str) -> tuple[Windows, Windows, Windows]:
    limits = (
        (sizes.strategy_new, sizes.venue_new, sizes.firm_new)
        if kind == "new"
        else (sizes.strategy_amend, sizes.venue_amend, sizes.firm_amend)
    )
    strategy, venue, firm = (Windows(limit, sizes.window_s) for limit in limits)
    return strategy, venue, firm


def _repeat_key(order: Order) -> tuple[str, str, str, int]:
    return (order.fund_id, order.strategy_id, order.symbol, order.side.sign)
