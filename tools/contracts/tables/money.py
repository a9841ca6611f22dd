"""Which names hold money, and where they must be exact."""

from __future__ import annotations

import re

__all__ = ["MONEY_PACKAGES", "holds_money"]

MONEY_PACKAGES = frozenset(
    {"mts1b_foundation", "mts1b_brokers", "mts1b_riskengine", "mts1b_oms_algos", "mts1b_oms"}
)
"""Orders, fills, positions, cash and NAV pass through these packages."""

_MONEY = re.compile(
    r"(^|_)(price|prices|quantity|quantities|qty|notional|cash|nav|fee|fees|commission|pnl"
    r"|equity|proceeds|market_value|balance)(_usd)?$"
)


def holds_money(name: str) -> bool:
    """Tell whether a variable, field or function of this name holds a price, size or amount.

    A ratio is not money: ``fee_bps``, ``price_pct`` and ``cash_fraction`` do not match.
    """
    return _MONEY.search(name.lower()) is not None
