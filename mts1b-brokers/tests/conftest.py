"""Orders and bars for the tests of this package."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Bar, Order, Quote, Side

START = datetime(2008, 10, 6, 20, 0, tzinfo=UTC)


def _order(key: str = "k1", side: Side = Side.BUY, quantity: object = 10, **fields: Any) -> Order:
    values: dict[str, Any] = {
        "order_id": f"order-{key}",
        "idempotency_key": key,
        "symbol": "SPX",
        "side": side,
        "quantity": Decimal(str(quantity)),
        "fund_id": "fund-a",
        "strategy_id": "trend",
        "created_at": START,
    }
    return Order.model_validate(values | fields)


def _bar(day: float, *prices: object, symbol: str = "SPX", volume: object = 0, **f: Any) -> Bar:
    """Return the bar that ends ``day`` days after START; prices are open, high, low, close."""
    given = [Decimal(str(price)) for price in prices]
    if len(given) == 1:
        given *= 4
    names = ("open", "high", "low", "close")
    return Bar.model_validate(
        dict(zip(names, given, strict=True))
        | {
            "symbol": symbol,
            "interval": "1d",
            "volume": Decimal(str(volume)),
            "timestamp": START + timedelta(days=day),
        }
        | f
    )


def _quote(seconds: float, bid: object, ask: object, size: int = 0) -> Quote:
    return Quote(
        symbol="SPX",
        bid=Decimal(str(bid)),
        ask=Decimal(str(ask)),
        bid_size=size,
        ask_size=size,
        venue="test",
        timestamp=START + timedelta(seconds=seconds),
    )


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture(scope="session")
def make_order() -> Callable[..., Order]:
    return _order


@pytest.fixture(scope="session")
def make_bar() -> Callable[..., Bar]:
    return _bar


@pytest.fixture(scope="session")
def make_quote() -> Callable[..., Quote]:
    return _quote
