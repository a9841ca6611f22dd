"""The settings of the system under proof, and the orders that are sent to it."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from mts1b_foundation import Bar, Symbol
from mts1b_foundation.orders import Order, OrderType, Side, TimeInForce

__all__ = [
    "FUND",
    "PRICE",
    "STRATEGIES",
    "SYMBOLS",
    "bar_of",
    "free_port",
    "order_of",
    "write_settings",
]

FUND = "alpha"
STRATEGIES = ("s1", "s2", "s3", "s4")
SYMBOLS = tuple(Symbol(name) for name in ("AAA", "BBB", "CCC"))
PRICE = Decimal(100)
_NAV = "1000000000"


def write_settings(
    home: Path, *, address: str | None, symbols: Sequence[str] = SYMBOLS, **sections: Any
) -> None:
    """Write ``mts.yaml``: paper mode, limits that do not bind, the venue at ``address``.

    :param sections: further sections of the settings.
    """
    fund = {
        "fund_id": FUND,
        "name": FUND,
        "target_nav_usd": _NAV,
        "strategies": list(STRATEGIES),
    }
    envelope = {
        "envelope_id": f"env-{FUND}",
        "fund_id": FUND,
        "nav_usd": _NAV,
        "max_position_pct": 1.0,
        "max_sector_pct": 1.0,
        "max_order_notional_usd": "1000000",
        "allowed_brokers": ["paper"],
    }
    settings = {
        "mode": "paper",
        "replay": {"enabled": False},
        "venue": {"fill": "immediate", "address": address},
        "funds": [{"fund": fund, "envelope": envelope}],
        "strategies": [
            {
                "strategy_id": name,
                "fund_id": FUND,
                "kind": "load",
                "symbols": [str(symbol) for symbol in symbols],
            }
            for name in STRATEGIES
        ],
        **sections,
    }
    home.mkdir(parents=True, exist_ok=True)
    (home / "mts.yaml").write_text(yaml.safe_dump(settings))


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


def order_of(
    rng: random.Random, key: str, now: datetime, *, resting: float = 0.4, selling: float = 0.3
) -> Order:
    """Return an order of some strategy; some of them rest away from the market, some sell."""
    rests = rng.random() < resting
    side = Side.SELL if rng.random() < selling else Side.BUY
    offset = Decimal(rng.randint(1, 12)) / 4
    return Order(
        order_id=f"ord-{key}",
        idempotency_key=key,
        symbol=rng.choice(SYMBOLS),
        side=side,
        quantity=Decimal(rng.randint(1, 99)),
        order_type=OrderType.LIMIT if rests else OrderType.MARKET,
        limit_price=PRICE - side.sign * offset if rests else None,
        tif=TimeInForce.GTC,
        fund_id=FUND,
        strategy_id=rng.choice(STRATEGIES),
        created_at=now,
        reference_price=PRICE,
    )


def bar_of(symbol: Symbol, price: Decimal, now: datetime) -> Bar:
    """Return a bar that ends now, at one price."""
    return Bar(
        symbol=symbol,
        interval="1m",
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1_000_000),
        timestamp=now,
    )
