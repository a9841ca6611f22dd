"""Let bars, fills, orders and NAVs reach the book, each once, in the order of the streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mts1b_foundation import Bar, Fill, NavSnapshot, Order, Quote
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.nats import (
    MARKETDATA_BARS,
    MARKETDATA_QUOTES,
    OMS_BOOKS_ADJUSTED,
    OMS_FILLS_CORRECTED,
    OMS_FILLS_CREATED,
    OMS_NAV_UPDATED,
    OMS_ORDERS_ACCEPTED,
    OMS_ORDERS_CANCELED,
    OMS_ORDERS_EXPIRED,
    OMS_ORDERS_FILLED,
    OMS_ORDERS_REJECTED,
    OMS_ORDERS_REPLACED,
    OMS_ORDERS_SUBMITTED,
    OMS_ORDERS_UNKNOWN,
)
from mts1b_foundation.orders import FillCorrection
from mts1b_platform.pump import Event
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine.engine import RiskEngine
from mts1b_riskengine.positions import UNASSIGNED

__all__ = ["FEED_STREAMS", "FEED_SUBJECTS", "RiskFeed", "feed_subjects"]

_Take = Callable[[AsyncConnection, Any], Awaitable[None]]
FEED_STREAMS = ("MARKETDATA", "OMS")
FEED_SUBJECTS = frozenset(
    {
        MARKETDATA_BARS,
        OMS_BOOKS_ADJUSTED,
        OMS_FILLS_CORRECTED,
        OMS_FILLS_CREATED,
        OMS_NAV_UPDATED,
        OMS_ORDERS_ACCEPTED,
        OMS_ORDERS_CANCELED,
        OMS_ORDERS_EXPIRED,
        OMS_ORDERS_FILLED,
        OMS_ORDERS_REJECTED,
        OMS_ORDERS_REPLACED,
        OMS_ORDERS_SUBMITTED,
        OMS_ORDERS_UNKNOWN,
    }
)


def feed_subjects(limits: RiskLimits) -> frozenset[str]:
    """Return what to read: quotes, which are many, only where a limit needs them."""
    needs = limits.require_quote or any(
        limit is not None
        for limit in (limits.max_spread_pct, limits.max_displayed_pct, limits.collar_period_pct)
    )
    return FEED_SUBJECTS | {MARKETDATA_QUOTES} if needs else FEED_SUBJECTS


class RiskFeed:
    """Apply events to the engine's book inside the pump's transaction."""

    def __init__(self, engine: RiskEngine) -> None:
        self._engine = engine
        self._takers: dict[type, _Take] = {
            Bar: self._on_bar,
            Quote: self._on_quote,
            Fill: self._book_fill,
            FillCorrection: self._correct,
            AdjustBooks: self._adjust,
            Order: engine.book.on_order,
            NavSnapshot: self._on_nav,
        }

    async def handle(self, tx: AsyncConnection, event: Event) -> None:
        """Apply one event; a payload of another kind changes nothing."""
        await self._engine.book.sync(tx)
        await self.take(tx, event.payload)

    async def take(self, tx: AsyncConnection, told: object) -> None:
        """Apply what one event says, inside a transaction whose book is in step."""
        kind = type(told)
        taker = self._takers[kind] if kind in self._takers else self._learn(kind)
        await taker(tx, told)

    def _learn(self, kind: type) -> _Take:
        """Return what takes a kind that is seen for the first time: as the kind that it extends."""
        known = self._takers.items()
        taker = next((taker for base, taker in known if issubclass(kind, base)), _ignore)
        self._takers[kind] = taker
        return taker

    async def _on_bar(self, tx: AsyncConnection, bar: Bar) -> None:
        book = self._engine.book
        await book.positions.set_mark(tx, bar)
        if book.market.watches_bars:
            await book.market.on_bar(tx, bar)

    async def _on_quote(self, tx: AsyncConnection, quote: Quote) -> None:
        self._engine.book.market.on_quote(quote)

    async def _on_nav(self, tx: AsyncConnection, nav: NavSnapshot) -> None:
        """Take a fund's NAV; that of one strategy changes nothing."""
        if nav.strategy_id is None:
            self._engine.book.cash.on_nav(nav)
            await self._engine.observe_nav(tx, nav)

    async def _book_fill(self, tx: AsyncConnection, fill: Fill) -> None:
        """Book an execution whatever state its order is in; an owner is found or marked absent."""
        book = self._engine.book
        owner = book.reservations.get(fill.order_id)
        if owner is None and (fill.fund_id is None or fill.strategy_id is None):
            owner = await book.reservations.find(tx, fill.order_id)
        fund = fill.fund_id or (owner.fund_id if owner else UNASSIGNED)
        strategy = fill.strategy_id or (owner.strategy_id if owner else UNASSIGNED)
        if await book.positions.add_fill(tx, fill, fund_id=fund, strategy_id=strategy):
            await book.reservations.settle_fill(tx, fill)
            book.on_fill(fund, fill)
        for correction in await book.positions.early(tx, fill.fill_id):
            await self._correct(tx, correction)

    async def _correct(self, tx: AsyncConnection, correction: FillCorrection) -> None:
        book = self._engine.book
        grown = await book.positions.correct(tx, correction)
        await book.reservations.correct(tx, correction.order_id, grown)

    async def _adjust(self, tx: AsyncConnection, one: AdjustBooks) -> None:
        """Follow what moved positions and capital without an order; the NAV after it tells cash."""
        book = self._engine.book
        await book.positions.adjust(tx, one)
        if one.fund_id is not None and one.capital_usd:
            await book.funds.take_capital(tx, one.fund_id, one.capital_usd)


async def _ignore(tx: AsyncConnection, told: object) -> None:
    """Change nothing."""
