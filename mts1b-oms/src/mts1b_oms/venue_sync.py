"""Take over from the venue what happened there: fills first, then the orders that ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from mts1b_foundation.orders import Fill, FillCorrection, Order, OrderStatus
from mts1b_foundation.protocols import (
    BrokerProtocol,
    CorrectionHistory,
    FillHistory,
    OrderQuery,
)

from mts1b_oms.acknowledge import conclude
from mts1b_oms.corrections import take_corrections
from mts1b_oms.fills import book_fills
from mts1b_oms.gateway import Gateway
from mts1b_oms.ledger import ZERO
from mts1b_oms.outcomes import NO_EVIDENCE, CouldNotLook
from mts1b_oms.parents import settle_parent
from mts1b_oms.record import OmsRecord
from mts1b_oms.replaced import settle_replace, take_terms, terms_text
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.unit import Unit

__all__ = ["News", "VenueSync", "View"]


FOLLOWED = frozenset(
    {
        OrderStatus.SUBMITTED,
        OrderStatus.ACCEPTED,
        OrderStatus.PARTIALLY_FILLED,
        OrderStatus.PENDING_CANCEL,
    }
)
"""The states of an order that the venue has, and whose terms are what it shows."""


class View(NamedTuple):
    """How the venue sees an order, and the version that it had here when it was asked for."""

    theirs: Order
    version: int


@dataclass(frozen=True, slots=True)
class News:
    """What the venue told since the cursor, and how it sees orders that are still open here."""

    fills: Sequence[Fill] = ()
    cursor: str | None = None
    corrections: Sequence[FillCorrection] = ()
    corrections_cursor: str | None = None
    views: Sequence[View] = ()


class VenueSync:
    """Read the venue; the record's cursor says from where.

    :param gateway: knows what was sent; without it the terms of orders are never the venue's.
    """

    def __init__(
        self, record: OmsRecord, venue: BrokerProtocol, gateway: Gateway | None = None
    ) -> None:
        self._record = record
        self._gateway = gateway
        self._changed: dict[str, str] = {}
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

    async def _views(self, fills: Sequence[Fill], everything: bool) -> list[View]:
        """Return how the venue sees the orders there that the fills do not just complete."""
        if self._orders is None:
            return []
        filled: dict[str, Decimal] = {}
        for fill in fills:
            filled[fill.order_id] = filled.get(fill.order_id, ZERO) + fill.quantity
        found = []
        for order in list(self._record.open_orders.values()):
            if order.submitted_at is None or not (everything or order.order_id in filled):
                continue
            left = order.remaining_quantity - filled.get(order.order_id, ZERO)
            if left or order.version < self._record.first_version:
                theirs = await self._orders.get_order_by_key(order.idempotency_key)
                if theirs is not None:
                    found.append(View(theirs, order.version))
        return found

    async def take(self, unit: Unit, news: News) -> list[BookedFill]:
        """Record the news in ``unit``; return the fills that were new."""
        for view in news.views:  # first: a fill may be of terms that the record has not yet
            await self._follow(unit, view)
        booked = await book_fills(unit, news.fills)
        if news.corrections:
            await take_corrections(unit, news.corrections)
        for theirs, _ in news.views:
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

    async def _follow(self, unit: Unit, view: View) -> None:
        """Take over terms that the venue shows where none of our changes explains them.

        What it shows is believed once it must show whatever was sent. Larger ones count at once
        where a record was put back: what fills beyond those of the backup is not too much.
        """
        theirs, gateway = view.theirs, self._gateway
        ours = await unit.order(theirs.order_id)
        if gateway is None or ours is None or not _is_shown(ours, view):
            return
        if ours.order_id in self._record.replacing or unit.is_left_half(theirs):
            return
        first = self._record.first_version
        anew = ours.version < first
        other = (theirs.quantity, theirs.limit_price) != (ours.quantity, ours.limit_price)
        if not gateway.shows_all_of(ours.order_id):
            grown = anew and theirs.quantity > ours.quantity
            if not (grown and gateway.is_untouched(ours.order_id)):
                return
            first = 0
        if other:
            self._changed[ours.order_id] = terms_text(ours, theirs)
        if other or anew:
            await take_terms(unit, ours, theirs, first_version=first)

    def changed_there(self) -> tuple[str, ...]:
        """Return which orders turned out to be changed at the venue since the last call."""
        found, self._changed = self._changed, {}
        return tuple(f"{name}: changed at the venue: {what}" for name, what in found.items())

    async def collect(self, *, everything: bool = True) -> list[BookedFill] | CouldNotLook:
        """Read and record in one go."""
        async with self._turn:
            news = await self.read(everything=everything)
            if isinstance(news, CouldNotLook):
                return news
            async with self._record.unit() as unit:
                return await self.take(unit, news)


def _is_shown(ours: Order, view: View) -> bool:
    """Return whether a view is of an order at the venue that did not move on meanwhile."""
    theirs = view.theirs
    return (
        ours.status in FOLLOWED
        and ours.version == view.version
        and theirs.status is not OrderStatus.REJECTED
        and theirs.idempotency_key == ours.idempotency_key
        and theirs.symbol == ours.symbol
        and theirs.side is ours.side
    )
