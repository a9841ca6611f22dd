"""Strategies over a real store, with an OMS that can be told when to die."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from mts1b_foundation import Bar, Order, OrderStatus, Symbol, UniversePanel
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_foundation.signals import Signal
from mts1b_platform.config import StrategySettings
from mts1b_platform.store import Store
from mts1b_platform.store.tables import outbox
from mts1b_research import IntentPipeline, Mandate, MarketView, StrategyBook
from mts1b_research.history import BarHistory
from mts1b_research.registry import StrategyRegistry
from mts1b_research.runner import Sleeve, StrategyRunner
from mts1b_research.strategy import make_signal
from mts1b_research.tables import metadata, plans

START = datetime(2020, 1, 2, 21, tzinfo=UTC)
AAA, BBB = Symbol("AAA"), Symbol("BBB")


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def view_of(closes: Any, symbols: Sequence[Symbol]) -> MarketView:
    """Return a view of (T, A) closes, the last bar being now."""
    closes = np.asarray(closes, dtype=np.float64).reshape(-1, len(symbols))
    dates = [day(i) for i in range(len(closes))]
    panel = UniversePanel(
        open=closes,
        high=closes,
        low=closes,
        close=closes,
        volume=np.ones_like(closes),
        dates=dates,
        symbols=[str(symbol) for symbol in symbols],
    )
    return MarketView(as_of=dates[-1], panel=panel, bars_seen=len(closes))


def walk(seed: int, bars: int, drifts: Sequence[float], vols: Sequence[float]) -> Any:
    """Return (bars, A) prices of a random walk."""
    steps = np.random.default_rng(seed).normal(drifts, vols, size=(bars, len(drifts)))
    return 100.0 * np.exp(np.cumsum(steps, axis=0))


def bar(symbol: Symbol, number: int, close: float = 100.0) -> Bar:
    price = Decimal(repr(float(close)))
    return Bar(
        symbol=symbol,
        interval="1d",
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1000),
        timestamp=day(number),
    )


def signal(symbol: Symbol = AAA, weight: float = 0.5, price: float = 100.0) -> Signal:
    return make_signal(
        view_of([[price]], [symbol]),
        strategy_id="s1",
        symbol=symbol,
        weight=weight,
        thesis="because of the test",
        confidence=1.0,
        horizon_minutes=390,
    )


def book(
    nav: int | str = 100_000,
    positions: Mapping[Symbol, int] | None = None,
    working: Mapping[Symbol, int] | None = None,
) -> StrategyBook:
    return StrategyBook(
        nav_usd=Decimal(nav),
        positions={s: Decimal(q) for s, q in (positions or {}).items()},
        working={s: Decimal(q) for s, q in (working or {}).items()},
    )


def settings(**changes: Any) -> StrategySettings:
    return StrategySettings.model_validate(
        {
            "strategy_id": "s1",
            "fund_id": "f1",
            "kind": "trend_following",
            "symbols": ["AAA"],
            "params": {"lookback": 3, "window": 5, "rebalance_every": 2},
        }
        | changes
    )


def halt(*, reduce_only: bool) -> ActiveHalt:
    return ActiveHalt(
        halt_id="halt-1",
        scope="fund:f1",
        severity=HaltSeverity.FUND_HALT,
        reason="a drawdown",
        requested_by="risk",
        requested_at=START,
        epoch=1,
        reduce_only_allowed=reduce_only,
    )


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Oms:
    """Fill every order at once; deny instead while ``denies``; die before order ``dies_at``."""

    positions: dict[Symbol, Decimal] = field(default_factory=dict)
    nav_usd: Decimal = Decimal(100_000)
    denies: bool = False
    dies_at: int | None = None
    taken: dict[str, Order] = field(default_factory=dict)
    calls: list[Order] = field(default_factory=list)
    plans_at_first_call: int | None = None
    desk: Desk | None = None

    async def submit(self, order: Order) -> Order:
        if self.plans_at_first_call is None and self.desk is not None:
            self.plans_at_first_call = len(await self.desk.plans())
        if len(self.calls) + 1 == self.dies_at:
            raise Crash
        self.calls.append(order)
        if self.denies:
            return order.with_(status=OrderStatus.REJECTED, rejected_reason="halted")
        if order.idempotency_key not in self.taken:
            self.taken[order.idempotency_key] = order
            held = self.positions.get(order.symbol, Decimal(0))
            self.positions[order.symbol] = held + order.signed_quantity
        return order

    async def read_book(self, fund_id: str, strategy_id: str) -> StrategyBook:
        return StrategyBook(nav_usd=self.nav_usd, positions=dict(self.positions), working={})


@dataclass
class Desk:
    """One research process: a store, its history, and a runner over them."""

    store: Store
    history: BarHistory
    runner: StrategyRunner
    halts: list[ActiveHalt]

    @classmethod
    async def open(cls, path: Path, oms: Oms, *entries: StrategySettings) -> Desk:
        store = await Store.open(path, metadata=metadata, name="research")
        history, halts = BarHistory(), list[ActiveHalt]()
        async with store.read() as connection:
            await history.load(connection)
        registry = StrategyRegistry()
        runner = StrategyRunner(
            store,
            history,
            [
                Sleeve(registry.build(entry), IntentPipeline(Mandate.from_settings(entry)))
                for entry in entries
            ],
            submit=oms.submit,
            read_book=oms.read_book,
            halt_of=lambda fund, strategy: halts[-1] if halts else None,
        )
        desk = cls(store, history, runner, halts)
        oms.desk = desk
        return desk

    async def bars(self, *new: Bar) -> None:
        async with self.store.transaction() as tx:
            for one in new:
                await self.history.add(tx, one)

    async def plans(self) -> list[Any]:
        async with self.store.read() as connection:
            return list((await connection.execute(sa.select(plans).order_by(plans.c.as_of))).all())

    async def events(self) -> list[Any]:
        async with self.store.read() as connection:
            return list((await connection.execute(sa.select(outbox))).all())


OpenDesk = Callable[..., Awaitable[Desk]]
