"""Strategies on the order path in memory: the event-driven backtest without bus and disk.

Research code decides, portfolio code sizes, and the OMS, the risk engine and the simulated venue
take the orders as direct calls. The path is found by entry point: mts1b-oms must be installed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from mts1b_foundation.commands import BookReply
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.market_data import Bar, UniversePanel
from mts1b_foundation.orders import Fill, Order, OrderStatus
from mts1b_foundation.risk import ActiveHalt
from mts1b_platform.config import Settings
from mts1b_platform.plugins import load_plugin
from mts1b_platform.rng import SystemRng
from mts1b_platform.store import VolatileStore

from mts1b_research.event_backtest import EventRun, tape_of
from mts1b_research.history import BarHistory
from mts1b_research.registry import StrategyRegistry
from mts1b_research.runner import StrategyRunner
from mts1b_research.sleeves import sleeves_of
from mts1b_research.strategy import StrategyBook

__all__ = ["ORDER_PATHS", "OrderPath", "run_memory_backtest"]

ORDER_PATHS = "mts1b.order_paths"
"""Entry points of order paths in this process, by name."""


class OrderPath(Protocol):
    """Take orders as the live system does, driven by bars."""

    async def start(self) -> None:
        """Get ready."""
        ...

    async def on_bars(self, bars: Sequence[Bar]) -> list[Fill]:
        """Take the bars of one moment; return the new fills."""
        ...

    async def submit(self, order: Order) -> Order:
        """Take an order; return it as recorded."""
        ...

    def book(self, fund_id: str | None = None, strategy_id: str | None = None) -> BookReply:
        """Return positions and latest NAVs."""
        ...

    def open_orders(self, fund_id: str, strategy_id: str) -> list[Order]:
        """Return what is working for a strategy."""
        ...

    def halt_of(self, fund_id: str, strategy_id: str) -> ActiveHalt | None:
        """Return the halt that covers a strategy, or None."""
        ...


def run_memory_backtest(
    panel: UniversePanel,
    settings: Mapping[str, Any],
    *,
    registry: StrategyRegistry | None = None,
    interval: str = "1d",
) -> EventRun:
    """Run strategies over the bars of a panel; return what happened, as the services record it.

    Equal to :func:`mts1b_research.event_backtest.run_event_backtest` in orders, fills and NAVs,
    and many times faster. Watchdogs, alerts and the audit log are not here.

    :param panel: prices without gaps; ``dates`` are aware ends of bars.
    :param settings: what ``mts.yaml`` says: funds, strategies, venue, limits; mode is set here.
    :param registry: knows the kinds of strategies; by default those of entry points.
    :raises PluginMissing: without an order path.
    """
    used = Settings(**{**settings, "mode": "backtest"})
    return asyncio.run(_Run(panel, used, registry or StrategyRegistry(), interval).run())


class _Run:
    """One backtest."""

    def __init__(
        self, panel: UniversePanel, settings: Settings, registry: StrategyRegistry, interval: str
    ) -> None:
        self._feed = tape_of(panel, interval)
        start = panel.dates[0] - timedelta(days=1)
        make = load_plugin(ORDER_PATHS, "memory")
        self._path: OrderPath = make(settings, start=start, rng=SystemRng())
        self._store = VolatileStore("research")
        self._history = BarHistory()
        self._runner = StrategyRunner(
            self._store,
            self._history,
            sleeves_of(settings, registry),
            submit=self._submit,
            read_book=self._read_book,
            halt_of=self._path.halt_of,
        )
        self._orders: list[Order] = []
        self._rejected: list[Order] = []
        self._fills: list[Fill] = []
        self._navs: list[NavSnapshot] = []

    async def run(self) -> EventRun:
        """Play the tape."""
        await self._path.start()
        for tick in self._feed.ticks():
            self._fills += await self._path.on_bars(tick.bars)
            self._navs += self._path.book().navs
            async with self._store.transaction() as tx:
                for bar in tick.bars:
                    await self._history.add(tx, bar)
            await self._runner.on_bar(tick.as_of)
        return EventRun(
            orders=tuple(self._orders),
            rejected=tuple(self._rejected),
            fills=tuple(self._fills),
            navs=tuple(self._navs),
        )

    async def _submit(self, order: Order) -> Order:
        self._orders.append(order)
        taken = await self._path.submit(order)
        if taken.status is OrderStatus.REJECTED:
            self._rejected.append(taken)
        return taken

    async def _read_book(self, fund_id: str, strategy_id: str) -> StrategyBook:
        book = self._path.book(fund_id, strategy_id)
        return StrategyBook.of(strategy_id, book, self._path.open_orders(fund_id, strategy_id))
