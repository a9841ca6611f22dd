"""``isinstance`` is structural: the documented examples, as they stand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from mts1b_foundation import Order, RiskEnvelope, Side, Symbol, UniversePanel
from mts1b_foundation.protocols import (
    Allocator,
    BrokerProtocol,
    FactorFn,
    MarketDataProtocol,
    RiskGate,
    Sizer,
)


class MyBroker:
    name = "my-broker"

    async def submit(self, order): ...
    async def cancel(self, order_id): ...
    async def get_open_orders(self): ...
    async def get_positions(self): ...
    async def stream_fills(self): ...


class NoCancel:
    name = "no-cancel"

    async def submit(self, order): ...
    async def get_open_orders(self): ...
    async def get_positions(self): ...
    async def stream_fills(self): ...


@dataclass
class PolygonClient:
    name: str = "polygon"
    api_key: str = ""

    async def get_quote(self, symbol): ...
    async def get_bars(self, symbol, interval, start, end=None): ...
    async def get_trades(self, symbol, asof): ...
    async def stream_quotes(self, symbols): ...


@dataclass
class NoTradesNearOpenGate:
    name: str = "no_trades_near_open"

    async def check(self, order: Order, envelope: RiskEnvelope, context: dict[str, Any]) -> bool:
        market_open = context["market_open_today"]
        return not (order.created_at - market_open).total_seconds() < 300


class EqualWeightLS:
    def __call__(self, signal, /, *, n_long=5, n_short=5, gross=1.0):
        weights = np.zeros_like(signal)
        weights[np.argsort(signal)[-n_long:]] = gross / 2 / n_long
        weights[np.argsort(signal)[:n_short]] = -gross / 2 / n_short
        return weights


def f_momentum_12_1(panel: UniversePanel, /, h_long: int = 252, h_skip: int = 21) -> Any:
    return panel.close


def test_a_broker_needs_no_base_class() -> None:
    assert isinstance(MyBroker(), BrokerProtocol)
    assert not isinstance(NoCancel(), BrokerProtocol)
    assert not isinstance(PolygonClient(), BrokerProtocol)


def test_a_market_data_source_needs_no_base_class() -> None:
    assert isinstance(PolygonClient(), MarketDataProtocol)
    assert not isinstance(MyBroker(), MarketDataProtocol)


def test_sizers_allocators_and_factors_are_callables() -> None:
    sizer = EqualWeightLS()
    assert isinstance(sizer, Sizer)
    assert isinstance(sizer, Allocator)
    assert isinstance(f_momentum_12_1, FactorFn)
    signal = np.array([0.5, 1.2, -0.3, 2.1, -1.5, 0.8])
    weights = sizer(signal, n_long=2, n_short=2, gross=1.0)
    assert weights.tolist() == [0, 0.25, -0.25, 0.25, -0.25, 0]


async def test_the_documented_gate_denies_near_the_open() -> None:
    gate = NoTradesNearOpenGate()
    assert isinstance(gate, RiskGate)
    opened = datetime(2026, 5, 22, 13, 30, tzinfo=UTC)
    order = Order(
        order_id="o",
        idempotency_key="k",
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        quantity=Decimal(1),
        fund_id="f",
        strategy_id="s",
        created_at=opened + timedelta(seconds=299),
    )
    envelope = RiskEnvelope(envelope_id="e", fund_id="f", nav_usd=Decimal(1))
    context = {"market_open_today": opened}
    assert await gate.check(order, envelope, context) is False
    later = order.with_(created_at=opened + timedelta(seconds=300))
    assert await gate.check(later, envelope, context) is True
