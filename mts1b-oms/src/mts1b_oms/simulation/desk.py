"""Who trades what in every simulated run, and within which limits."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from mts1b_foundation import RiskEnvelope, Symbol
from mts1b_foundation.funds import FundConfig
from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.orders import OrderType
from mts1b_platform.config import (
    FundSettings,
    ReplaySettings,
    RiskSettings,
    Settings,
    StrategySettings,
    VenueSettings,
)

__all__ = [
    "CAP_UNITS",
    "HIGHEST",
    "LOWEST",
    "OPERATOR",
    "OWNERS",
    "PRICE",
    "PROBE",
    "SHORTS",
    "STOCK",
    "SYMBOLS",
    "settings",
]

OPERATOR = "operator:sim"
PRICE, LOWEST, HIGHEST = Decimal(100), Decimal(96), Decimal(104)
"""Where the market begins, and between what it moves."""
CAP_UNITS = Decimal(40)
SYMBOLS = (Symbol("AAA"), Symbol("BBB"))
PROBE = Symbol("ZZZ")
"""What is ordered at the end alone, to see whether the path is open again."""
STOCK = Symbol("SSS")
"""What comes, goes and is split without an order: nobody trades it."""
OWNERS = (("alpha", "trend"), ("alpha", "carry"), ("beta", "parity"))
SHORTS = "beta"
"""The fund that may sell what it does not hold."""


@lru_cache(maxsize=8)
def settings(*, dead_man_s: float | None = None, self_match: bool = False) -> Settings:
    """Return the configuration of every run: two funds, three strategies, a cap that binds.

    :param dead_man_s: what the OMS sets the venue's timer to; None: nothing.
    :param self_match: whether orders of ours must not trade with one another.
    """
    funds = [
        FundSettings(
            fund=FundConfig(
                fund_id=name,
                name=name,
                target_nav_usd=Decimal(1_500_000),
                strategies=[s for f, s in OWNERS if f == name],
            ),
            envelope=RiskEnvelope(
                envelope_id=f"env-{name}",
                fund_id=name,
                nav_usd=Decimal(1_500_000),
                max_position_usd=CAP_UNITS * PRICE,
                max_position_pct=1.0,
                max_order_notional_usd=Decimal(10_000),
                allowed_brokers=["paper"],
                enable_shorting=name == SHORTS,
                allowed_order_types=list(OrderType),
            ),
        )
        for name in ("alpha", "beta")
    ]
    strategies = [
        StrategySettings(
            strategy_id=strategy,
            fund_id=fund,
            kind="sim",
            symbols=[str(s) for s in (*SYMBOLS, PROBE, STOCK)],
        )
        for fund, strategy in OWNERS
    ]
    return Settings(
        funds=funds,
        strategies=strategies,
        replay=ReplaySettings(enabled=False),
        risk=RiskSettings(algorithm="hmac", timeout_s=1.0),
        venue=VenueSettings(dead_man_s=dead_man_s),
        limits=RiskLimits(self_match=self_match),
    )
