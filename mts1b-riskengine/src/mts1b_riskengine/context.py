"""Gather the facts that gates read about one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mts1b_foundation import Order, RiskContext, RiskEnvelope

from mts1b_riskengine.book import RiskBook
from mts1b_riskengine.borrow import BorrowDesk
from mts1b_riskengine.decisions import Claim
from mts1b_riskengine.exposure import ExposureProbe
from mts1b_riskengine.halts import HaltReading
from mts1b_riskengine.policy import RiskPolicy

__all__ = ["FactSource", "build_context"]

FactSource = Callable[[Order, datetime], Mapping[str, Any]]
"""More facts for custom gates, from memory, e.g. ``{"market_open_today": ...}``."""


def build_context(
    order: Order,
    envelope: RiskEnvelope,
    book: RiskBook,
    *,
    now: datetime,
    policy: RiskPolicy,
    halts: HaltReading,
    claim: Claim | None = None,
    borrow: BorrowDesk | None = None,
    extra: Mapping[str, Any] | None = None,
) -> RiskContext:
    """Return the context of a check. ``exposure`` is there only when price and value are known.

    The NAV is the fund's latest; before the first, the envelope's.
    """
    symbol = order.symbol
    mark, instrument = book.positions.marks.get(symbol), book.instruments.facts(symbol)
    fund = book.funds.get(order.fund_id)
    context = RiskContext(extra or {})
    context.update(
        now=now,
        policy=policy,
        claim=claim,
        mark=mark,
        instrument=instrument,
        fund=fund,
        nav_usd=fund.marks.nav if fund.marks is not None else envelope.nav_usd,
        halts=halts,
        borrow=borrow.quote(symbol) if borrow is not None else None,
    )
    if mark is not None and instrument is not None:
        held = book.reservations.get(order.order_id)
        context["exposure"] = ExposureProbe(
            book.positions.of_fund(order.fund_id),
            order,
            value=mark.price * instrument.multiplier,
            facts=instrument,
            **({"reserved": held.remaining} if held is not None else {}),
        )
    return context
