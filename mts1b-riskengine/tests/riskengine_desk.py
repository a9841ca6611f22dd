"""A desk: a risk engine on a real store, with a virtual clock and a real halt record."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation import (
    ActiveHalt,
    Bar,
    Fill,
    HaltSeverity,
    NavSnapshot,
    Order,
    OrderStatus,
    RiskDecision,
    RiskEnvelope,
    Side,
    Symbol,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.pump import Event
from mts1b_platform.signing import Verifier
from mts1b_platform.store import Store
from mts1b_riskengine import RiskBook, RiskEngine
from mts1b_riskengine.feed import RiskFeed

AT = datetime(2026, 1, 7, 21, tzinfo=UTC)
FUND = "alpha"
PASSED = ("", "")


def make_order(number: int | str = 1, **changes: Any) -> Order:
    values: dict[str, Any] = {
        "order_id": f"o-{number}",
        "idempotency_key": f"k-{number}",
        "symbol": Symbol("AAPL"),
        "side": Side.BUY,
        "quantity": Decimal(10),
        "fund_id": FUND,
        "strategy_id": "trend",
        "created_at": AT,
    }
    return Order(**values | changes)


def make_envelope(**changes: Any) -> RiskEnvelope:
    values: dict[str, Any] = {
        "envelope_id": "env-alpha",
        "fund_id": FUND,
        "nav_usd": Decimal(100_000),
        "max_position_pct": 0.5,
        "max_sector_pct": 1.0,
        "allowed_brokers": ["paper"],
    }
    return RiskEnvelope(**values | changes)


def make_bar(symbol: str = "AAPL", close: str = "100", at: datetime = AT) -> Bar:
    price = Decimal(close)
    return Bar(
        symbol=symbol, interval="1d", open=price, high=price, low=price, close=price, timestamp=at
    )


def make_nav(nav: str, at: datetime = AT, **changes: Any) -> NavSnapshot:
    values: dict[str, Any] = {"fund_id": FUND, "as_of": at, "cash_usd": Decimal(0)}
    return NavSnapshot(nav_usd=Decimal(nav), **values | changes)


def make_halt(scope: str = "fund:alpha", *, reduce_only: bool = False) -> ActiveHalt:
    severity = {
        "firm": HaltSeverity.FIRM_HALT,
        "fund": HaltSeverity.FUND_HALT,
        "strategy": HaltSeverity.STRATEGY_HALT,
    }[scope.split(":")[0]]
    return ActiveHalt(
        halt_id=f"halt-{scope}",
        scope=scope,
        severity=severity,
        reason="a test",
        requested_by="operator:ann",
        requested_at=AT,
        epoch=1,
        reduce_only_allowed=reduce_only,
    )


@dataclass
class Desk:
    """Everything that a test of the engine touches."""

    home: Path
    clock: VirtualClock
    store: Store
    halts: HaltStore
    engine: RiskEngine
    verifier: Verifier

    @property
    def book(self) -> RiskBook:
        return self.engine.book

    async def feed(self, *payloads: Any) -> None:
        """Apply events as the pump does, all in one transaction."""
        feed = RiskFeed(self.engine)
        async with self.store.transaction() as tx:
            for payload in payloads:
                await feed.handle(tx, Event("s", "s", None, payload, "m", "OMS", 1))

    async def fill(self, order: Order, quantity: str | None = None, price: str = "100") -> None:
        amount = order.quantity if quantity is None else Decimal(quantity)
        fill = Fill(
            fill_id=f"f-{order.order_id}-{quantity}",
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=amount,
            price=Decimal(price),
            venue="paper",
            timestamp=AT,
            fund_id=order.fund_id,
            strategy_id=order.strategy_id,
        )
        await self.feed(fill)

    async def hold(self, quantity: str, symbol: str = "AAPL", strategy: str = "trend") -> None:
        """Give the fund a position, as if by an old execution."""
        amount = Decimal(quantity)
        side = Side.BUY if amount > 0 else Side.SHORT
        order = make_order(
            f"old-{symbol}-{strategy}-{quantity}",
            symbol=Symbol(symbol),
            side=side,
            quantity=abs(amount),
            strategy_id=strategy,
        )
        await self.fill(order)

    async def end(self, order: Order, status: OrderStatus, filled: str = "0") -> None:
        """Report an order as the OMS does."""
        ended = order.with_(status=status, filled_quantity=Decimal(filled))
        await self.feed(ended.with_(version=order.version + 1))


MakeDesk = Callable[..., Awaitable[Desk]]


def outcome(decision: RiskDecision) -> tuple[str, str]:
    """Return the gate that denied and its code; PASSED where none did."""
    return decision.rejecting_gate, decision.code


async def judged(desk: Desk, **changes: Any) -> tuple[str, str]:
    """Return the outcome of one order that differs by ``changes`` from the plain one."""
    return outcome(await desk.engine.check(make_order(**changes)))
