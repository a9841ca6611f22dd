"""Take over from the venue what happened there: fills first, then the orders that ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation.orders import Fill, FillCorrection, Order
from mts1b_foundation.protocols import (
    BrokerProtocol,
    CorrectionHistory,
    FillHistory,
    OrderQuery,
)

from mts1b_oms.acknowledge import conclude
from mts1b_oms.corrections import take_corrections
from mts1b_oms.fills import book_fills
from mts1b_oms.ledger import ZERO
from mts1b_oms.outcomes import NO_EVIDENCE, CouldNotLook
from mts1b_oms.parents import settle_parent
from mts1b_oms.record import OmsRecord
from mts1b_oms.replaced import settle_replace
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.unit import Unit

__all__ = ["News", "VenueSync"]


@dataclass(frozen=True, slots=True)
class News:
    """What the venue told since the cursor, and how it sees orders that are still open here."""

    fills: Sequence[Fill] = ()
    cursor: str | None = None
    corrections: Sequence[FillCorrection] = ()
    corrections_cursor: str | None = None
    views: Sequence[Order] = ()


class VenueSync:
    """Read the venue; the record's cursor says from where."""

    def __init__(self, record: OmsRecord, venue: BrokerProtocol) -> None:
        self._record = record
        self._fills = venue if isinstance(venue, FillHistory) else None
        self._corrected = venue if isinstance(venue, CorrectionHistory) else None
        self._orders = venue if isinstance(venue, OrderQuery) else None
        self._turn = asyncio.Lock()

    async def read(self, *, everything: bool = True) -> News | CouldNotLook:
        """Return what is new, without recording anything.

        :param everything: also look at open orders that no new fill is of. Each is a question to
            the venue, so it is for now and then, not for every fill.
        """
        try:
            fills: list[Fill] = []
            cursor = self._record.cursor
            if self._fills is not None:
                fills, cursor = await self._fills.fills_since(cursor)
            corrections: list[FillCorrection] = []
            place = self._record.corrections_cursor
            if self._corrected is not None:
                corrections, place = await self._corrected.corrections_since(place)
            views = await self._views(fills, everything)
            return News(fills, cursor, corrections, place, views)
        except NO_EVIDENCE as error:
            return CouldNotLook(f"{type(error).__name__}: {error}")

    async def _views(self, fills: Sequence[Fill], everything: bool) -> list[Order]:
        """Return how the venue sees the orders there that the fills do not complete."""
        if self._orders is None:
            return []
        filled: dict[str, Decimal] = {}
        for fill in fills:
            filled[fill.order_id] = filled.get(fill.order_id, ZERO) + fill.quantity
        found = []
        for order in list(self._record.open_orders.values()):
            if order.submitted_at is None or not (everything or order.order_id in filled):
                continue
            if order.remaining_quantity > filled.get(order.order_id, ZERO):
                theirs = await self._orders.get_order_by_key(order.idempotency_key)
                if theirs is not None:
                    found.append(theirs)
        return found

    async def take(self, unit: Unit, news: News) -> list[BookedFill]:
        """Record the news in ``unit``; return the fills that were new."""
        booked = await book_fills(unit, news.fills)
        if news.corrections:
            await take_corrections(unit, news.corrections)
        for theirs in news.views:
            ours = await unit.order(theirs.order_id)
            if ours is None or ours.is_terminal:
                continue
            change = self._record.replacing.get(ours.order_id)
            if change is not None:
                ours = await settle_replace(unit, ours, change, theirs, None)
            ended = ours if ours.is_terminal else conclude(unit, ours, theirs)
            if ended.is_terminal and ended.parent_order_id is not None:
                await settle_parent(unit, ended.parent_order_id)
        unit.move_cursors(news.cursor, news.corrections_cursor)
        return booked

    async def collect(self, *, everything: bool = True) -> list[BookedFill] | CouldNotLook:
        """Read and record in one go."""
        async with self._turn:
            news = await self.read(everything=everything)
            if isinstance(news, CouldNotLook):
                return news
            async with self._record.unit() as unit:
                return await self.take(unit, news)
