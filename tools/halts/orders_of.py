"""The orders of the races, and settings under which most of them get as far as the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mts1b_foundation.orders import Order, OrderType, Side, TimeInForce
from mts1b_oms.simulation.desk import OWNERS, PRICE, SYMBOLS
from mts1b_platform.config import Settings
from mts1b_platform.ids import derive_id
from mts1b_platform.rng import Rng

__all__ = ["draw", "settings_of"]


def settings_of(base: Settings) -> Settings:
    """Return the simulation's settings with caps that do not bind: what is raced is the halt."""
    funds = [
        entry.model_copy(
            update={
                "envelope": entry.envelope.model_copy(
                    update={"max_position_usd": Decimal(100_000_000), "allow_short": True}
                )
            }
        )
        for entry in base.funds
    ]
    return base.model_copy(update={"funds": funds})


def draw(rng: Rng, key: str, now: datetime, *, quantity: int | None = None) -> Order:
    """Return an order of some strategy, small, often with a limit that rests."""
    fund, strategy = OWNERS[rng.integer(0, len(OWNERS) - 1)]
    limit = rng.random() < 0.7
    step = Decimal(rng.integer(-3, 1)) / 100
    return Order(
        order_id=derive_id("ord", key),
        idempotency_key=key,
        symbol=SYMBOLS[rng.integer(0, len(SYMBOLS) - 1)],
        side=Side.BUY,
        quantity=Decimal(rng.integer(1, 9) if quantity is None else quantity),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=PRICE + step if limit else None,
        tif=TimeInForce.GTC,
        fund_id=fund,
        strategy_id=strategy,
        created_at=now,
        reference_price=PRICE,
    )
