"""Gather the facts that gates read about one order, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from mts1b_foundation import Order, RiskContext, RiskEnvelope, Symbol

from mts1b_riskengine import firm
from mts1b_riskengine.book import RiskBook
from mts1b_riskengine.borrow import BorrowDesk
from mts1b_riskengine.decisions import Claim
from mts1b_riskengine.exposure import ExposureProbe
from mts1b_riskengine.halts import HaltReading
from mts1b_riskengine.lines import BASE_CURRENCY, FLAT
from mts1b_riskengine.policy import RiskPolicy
from mts1b_riskengine.reservations import Reservation

__all__ = ["CheckContext", "FactSource", "build_context"]

FactSource = Callable[[Order, datetime], Mapping[str, Any]]
"""More facts for custom gates, from memory, e.g. ``{"market_open_today": ...}``."""

ZERO = Decimal(0)


class CheckContext(RiskContext):
    """The facts of one check. What no gate asks for is never computed.

    A fact that can not be computed is missing: asking for it raises ``LookupError``, and
    ``get`` returns the default.
    """

    def __init__(
        self,
        facts: Mapping[str, Any],
        *,
        order: Order,
        book: RiskBook,
        envelope: RiskEnvelope,
        amended: Reservation | None = None,
        told_parent: Order | None = None,
    ) -> None:
        super().__init__(facts)
        self.amended = amended
        self.told_parent = told_parent
        self.order = order
        self.book = book
        self.envelope = envelope
        own = book.reservations.get(order.order_id)
        held = amended or own
        self.counted = own is not None
        """Whether this very order was approved before, so that windows count it already."""
        self.reserved = held.remaining if held is not None else ZERO
        """What this very order, or the one that it amends, holds already."""
        self.filled = amended.filled if amended is not None else ZERO

    def __missing__(self, name: str) -> Any:
        compute = _FACTS.get(name)
        if compute is None:
            raise KeyError(name)
        value = self[name] = compute(self)
        return value

    def __contains__(self, name: object) -> bool:
        """Return whether a fact is known, or can be computed."""
        if not isinstance(name, str):
            return False
        try:
            self[name]
        except LookupError:
            return False
        return True

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact, or the default where it is missing."""
        if name not in _FACTS and not super().__contains__(name):
            return default
        try:
            return self[name]
        except LookupError:
            return default


def _exposure(context: CheckContext) -> ExposureProbe:
    """Return the probe, once price and value are known."""
    mark, instrument = context["mark"], context["instrument"]
    if mark is None or instrument is None:
        raise LookupError("exposure takes a price and an instrument")
    order, book = context.order, context.book
    return ExposureProbe(
        book.positions.of_fund(order.fund_id),
        order,
        value=mark.price * instrument.multiplier,
        facts=instrument,
        reserved=context.reserved,
        filled=context.filled,
    )


def _reducing(context: CheckContext) -> bool:
    """Return whether the order can only shrink its strategy's position; it takes no price."""
    order, reserved, filled = context.order, context.reserved, context.filled
    sign = order.side.sign
    lines = context.book.positions.of_fund(order.fund_id).lines
    line = lines.get((order.strategy_id, order.symbol), FLAT)
    if reserved:
        line = line.with_order(sign, -reserved, line.value)
    return line.would_reduce(order.signed_quantity - filled * sign)


def _order_value(context: CheckContext) -> Decimal:
    """Return the value at the highest of the order's prices and the reference price."""
    order, mark, instrument = context.order, context["mark"], context["instrument"]
    if mark is None or instrument is None:
        raise LookupError("a value takes a price and an instrument")
    highest: Decimal = mark.price
    for price in (order.limit_price, order.stop_price):
        if price is not None and price > highest:
            highest = price
    multiplier: Decimal = instrument.multiplier
    return order.quantity * highest * multiplier


def _nav(context: CheckContext) -> Decimal:
    marks = context.book.funds.get(context.order.fund_id).marks
    return marks.nav if marks is not None else context.envelope.nav_usd


def _currency(context: CheckContext) -> firm.GroupExposure | None:
    known = context["instrument"].currency
    return firm.currency_exposure(
        context.book.positions, context.order, context["exposure"], known, BASE_CURRENCY
    )


def _session(context: CheckContext) -> Any:
    calendar = context["instrument"].session
    if calendar is None:
        return None
    return context.book.sessions.facts(context.order.symbol, calendar, context.now)


def _open_purchases(context: CheckContext) -> Decimal:
    probe = context["exposure"]
    return firm.open_purchases(
        context.book.positions, context.order, context.reserved, probe.unit_value
    )


def _parent(context: CheckContext) -> Any:
    amends = context.amended.order_id if context.amended is not None else ""
    return context.book.parents.facts(context.order, amends, context.told_parent)


def _disabled(context: CheckContext) -> Any:
    return context.book.blocks.disabled(context.order.fund_id, context.order.strategy_id)


def _orders_today(context: CheckContext) -> int:
    own: bool = context["counted"]
    return max(context.book.flow.orders_on(context.order, context.now.date()) - own, 0)


_FACTS: dict[str, Callable[[CheckContext], Any]] = {
    "mark": lambda c: c.book.positions.marks.get(c.order.symbol),
    "instrument": lambda c: c.book.instruments.facts(c.order.symbol),
    "fund": lambda c: c.book.funds.get(c.order.fund_id),
    "nav_usd": _nav,
    "exposure": _exposure,
    "reducing": _reducing,
    "order_value": _order_value,
    "mode": lambda c: c.book.mode,
    "mandate": lambda c: c.book.mandates.find(c.order.fund_id, c.order.strategy_id),
    "counted": lambda c: c.counted,
    "orders_today": _orders_today,
    "strategy_exposure": lambda c: firm.strategy_exposure(c.book.positions, c.order, c["exposure"]),
    "symbol_exposure": lambda c: firm.symbol_exposure(c.book.positions, c.order, c["exposure"]),
    "currency_exposure": _currency,
    "firm_exposure": lambda c: firm.firm_exposure(c.book.positions, c["exposure"]),
    "cash_usd": lambda c: c.book.cash.get(c.order.fund_id),
    "open_purchases": _open_purchases,
    "quote": lambda c: c.book.market.quotes.get(c.order.symbol),
    "trading_halt": lambda c: c.book.market.halted.get(c.order.symbol, ""),
    "reference_range": lambda c: c.book.market.reference_range(c.order.symbol, c.now),
    "mean_volume": lambda c: c.book.market.mean_volume(c.order.symbol, c.now.date()),
    "session": _session,
    "parent": _parent,
    "opposite_orders": lambda c: c.book.resting.opposite(c.order),
    "flow": lambda c: c.book.flow,
    "disabled": _disabled,
    "granted": lambda c: c.book.blocks.granted(c.order, c.now),
}
"""How each fact is found, by name."""


def build_context(
    order: Order,
    envelope: RiskEnvelope,
    book: RiskBook,
    *,
    now: datetime,
    moment: float = 0.0,
    policy: RiskPolicy,
    halts: HaltReading,
    claim: Claim | None = None,
    borrow: BorrowDesk | None = None,
    extra: Mapping[str, Any] | None = None,
    amended: Reservation | None = None,
    told_parent: Order | None = None,
) -> CheckContext:
    """Return the context of a check. ``exposure`` is there only when price and value are known.

    The NAV is the fund's latest; before the first, the envelope's.

    :param moment: seconds of the engine's monotonic clock.
    :param amended: the reservation of the order that this one takes the place of.
    :param told_parent: the parent of the order as the OMS has it on record.
    """
    facts: dict[str, Any] = {
        "fund": book.funds.get(order.fund_id),
        "mode": book.mode,
        "flow": book.flow,
        "now": now,
        "moment": moment,
        "policy": policy,
        "claim": claim,
        "halts": halts,
        "borrow": borrow.quote(order.symbol) if borrow is not None else None,
    }
    if isinstance(order.symbol, Symbol) and order.symbol in book.positions.marks:
        # Every chain of gates asks for these; of a symbol without a price they are found later.
        facts["mark"] = book.positions.marks[order.symbol]
        facts["instrument"] = book.instruments.facts(order.symbol)
        facts["quote"] = book.market.quotes.get(order.symbol)
        facts["trading_halt"] = book.market.halted.get(order.symbol, "")
    if extra:
        facts = {name: value for name, value in extra.items() if name not in _FACTS} | facts
    return CheckContext(
        facts,
        order=order,
        book=book,
        envelope=envelope,
        amended=amended,
        told_parent=told_parent,
    )
