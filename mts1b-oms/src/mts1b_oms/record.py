"""What the OMS knows: the store, and the open orders and ledger that it keeps at hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    OrdersQuery,
    ReconciliationReport,
    ReplaceOutcome,
)
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import RiskApproval
from mts1b_foundation.symbology import Symbol
from mts1b_platform.clock import Clock
from mts1b_platform.store import Prepared, Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.errors import WriterFenced
from mts1b_oms.ledger import Ledger, Owner, SubBook
from mts1b_oms.nav import NavKey
from mts1b_oms.tables import books, orders
from mts1b_oms.tables.corrections import early_fill_ids
from mts1b_oms.tables.orders import StoredOrder
from mts1b_oms.tables.replaces import Replace, open_replaces
from mts1b_oms.tables.reports import last_report
from mts1b_oms.tables.store import (
    corrections_of,
    order_events,
    quarantines,
    restores,
    store_identity,
    venue_cursor,
    writer,
)
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = ["OmsRecord"]

_VERSIONS_PER_FENCE = 10_000
"""More changes than an order has between two openings of a store."""

_FIRST_FENCE = Prepared(sa.insert(writer))
_RAISE_FENCE = Prepared(sa.update(writer).values(fence=sa.bindparam("raised")))
_IDENTITY = Prepared(sa.select(store_identity.c.store_id))
_NEW_IDENTITY = Prepared(sa.insert(store_identity))
_CURSORS = Prepared(sa.select(venue_cursor))
_CHANGES = Prepared(sa.select(sa.func.count()).select_from(order_events))
_RESTORES = Prepared(sa.select(restores).order_by(restores.c.fence))
_UNHALTED = Prepared(sa.select(quarantines).where(quarantines.c.halted == 0))
_FENCE = Prepared(sa.select(writer.c.fence).where(writer.c.id == 1))
_SENT_AT = Prepared(
    sa.select(order_events.c.at)
    .where(
        order_events.c.order_id == sa.bindparam("order_id"),
        order_events.c.event == OrderEvent.SENDING.value,
    )
    .order_by(order_events.c.version.desc())
    .limit(1)
)


class OmsRecord:
    """The committed state. It changes through :meth:`unit` alone, one unit at a time."""

    def __init__(self, store: Store, clock: Clock, *, venue: str) -> None:
        self.store = store
        self.clock = clock
        self.venue = venue
        self.open_orders: dict[str, Order] = {}
        self.in_doubt: dict[str, Order] = {}
        """Those of the open orders that nobody knows the fate of."""
        self.ledger = Ledger()
        self.navs: dict[NavKey, NavSnapshot] = {}
        self.nav_revisions: dict[NavKey, int] = {}
        self.peaks: dict[NavKey, Decimal] = {}
        """The highest NAV of every fund and strategy so far."""
        self.marked_at: dict[Symbol, datetime] = {}
        """Of when the last price of each symbol is."""
        self.cursor: str | None = None
        self.corrections_cursor: str | None = None
        self.early: set[str] = set()
        self.replacing: dict[str, Replace] = {}
        self.former_ids: dict[str, set[str | None]] = {}
        self.unhalted: set[Owner] = set()
        self.order_position = 0
        self.fill_position = 0
        self.fence = 0
        self.store_id = ""
        self.changes = 0
        """How many changes of orders there were, ever."""
        self.restored = ""
        self.restored_by = 0
        """The fence of the opening that found this record put back; 0 where it never was."""
        self.first_version = 0
        """Orders of a lower version have not been compared with the venue since a restore."""
        self.orders_lost = False
        self.reports_begun = 0
        self.report: ReconciliationReport | None = None
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        store: Store,
        clock: Clock,
        *,
        venue: str,
        capital: Mapping[Owner, Decimal],
        store_id: str = "store",
    ) -> OmsRecord:
        """Load the state; give every owner in ``capital`` that has no book yet its cash.

        :param capital: USD that each (fund, strategy) starts with.
        :param store_id: the name that a new store gets, for ever; no other store has it.
        """
        record = cls(store, clock, venue=venue)
        record.store_id = store_id
        await record._take_over()
        await record._load()
        new = [owner for owner in sorted(capital) if owner not in record.ledger.books]
        if new:
            async with record.unit() as unit:
                for fund_id, strategy_id in new:
                    amount = capital[(fund_id, strategy_id)]
                    unit.open_book(SubBook(fund_id, strategy_id, amount, amount))
        return record

    async def _take_over(self) -> None:
        """Raise the fence: whoever opened the store before can write no more."""
        async with self.store.transaction() as tx:
            last = (await _FENCE.run(tx)).scalar()
            self.fence = int(last or 0) + 1
            if last is None:
                await _FIRST_FENCE.run(tx, {"id": 1, "fence": self.fence})
            else:
                await _RAISE_FENCE.run(tx, {"raised": self.fence})
            known = (await _IDENTITY.run(tx)).scalar()
            if known is None:
                await _NEW_IDENTITY.run(tx, {"id": 1, "store_id": self.store_id})
            self.store_id = known or self.store_id

    async def _load(self) -> None:
        async with self.store.read() as tx:
            found = await orders.find_orders(tx, OrdersQuery(open_only=True))
            self.open_orders = {item.order.order_id: item.order for item in found}
            self.in_doubt = {
                order_id: order
                for order_id, order in self.open_orders.items()
                if order.status is OrderStatus.UNKNOWN
            }
            self.ledger = await books.read_ledger(tx)
            self.marked_at = await books.read_mark_times(tx)
            for revision, nav in await books.latest_navs(tx):
                key = (nav.fund_id, nav.strategy_id)
                self.navs[key], self.nav_revisions[key] = nav, revision
                self.peaks[key] = nav.peak_nav_usd
            self.order_position = await orders.last_position(tx)
            self.fill_position = await books.last_fill_position(tx)
            self.changes = int((await _CHANGES.run(tx)).scalar() or 0)
            cursors = {row.venue: row.cursor for row in await _CURSORS.run(tx)}
            self.cursor = cursors.get(self.venue)
            self.corrections_cursor = cursors.get(corrections_of(self.venue))
            changes = await open_replaces(tx)
            self.replacing = {one.order_id: one for one in changes if one.outcome is None}
            for one in changes:
                if one.outcome is ReplaceOutcome.CONFIRMED:
                    self.former_ids.setdefault(one.order_id, set()).add(one.old_broker_order_id)
            for row in await _RESTORES.run(tx):
                self.put_back(row.lost, row.fence, lost=not row.made_up)
            self.report = await last_report(tx)
            self.early = await early_fill_ids(tx)
            self.unhalted = {(q.fund_id, q.strategy_id) for q in await _UNHALTED.run(tx)}

    def put_back(self, what: str, fence: int, *, lost: bool = True) -> None:
        """Note that this record is a backup that was put back; ``fence`` opened it.

        Others may have heard of later versions of an order than it has, so what it says of one
        from now on has a version above all of those.

        :param lost: whether the venue may have orders open that the record lacks.
        """
        self.restored, self.orders_lost = what, lost
        self.restored_by = fence
        self.first_version = fence * _VERSIONS_PER_FENCE

    def unit(self) -> AbstractAsyncContextManager[Unit]:
        """Collect changes and commit them together; an exception leaves everything as it was."""
        return self._unit()

    @asynccontextmanager
    async def _unit(self) -> AsyncIterator[Unit]:
        async with self._turn:
            async with self.store.transaction() as tx:
                await self._require_fence(tx)
                unit = Unit(self, tx)
                yield unit
                await unit.flush()
            unit.adopt()

    async def raise_fence(self, *, beyond: int) -> None:
        """Take a number above one that an opening after this record's own had."""
        async with self.store.transaction() as tx:
            await self._require_fence(tx)
            await _RAISE_FENCE.run(tx, {"raised": beyond + 1})
        self.fence = beyond + 1

    async def _require_fence(self, tx: AsyncConnection) -> None:
        now = (await _FENCE.run(tx)).scalar()
        if now != self.fence:
            raise WriterFenced(
                f"this OMS opened the store as number {self.fence}, number {now} has it now; "
                "this one must end"
            )

    async def sent_at(self, order_id: str) -> datetime | None:
        """Return when the order was last written ahead of the wire; None when it never was."""
        async with self.store.read() as tx:
            found: datetime | None = (await _SENT_AT.run(tx, {"order_id": order_id})).scalar()
        return found

    async def order(self, order_id: str) -> Order | None:
        """Return the committed order, open or not."""
        found = self.open_orders.get(order_id)
        if found is not None:
            return found
        stored = await self.stored(order_id)
        return stored.order if stored else None

    async def stored(self, order_id: str) -> StoredOrder | None:
        """Return the committed order with what is kept beside it."""
        async with self.store.read() as tx:
            return await orders.read_order(tx, order_id)

    async def approval_of(self, order_id: str) -> RiskApproval | None:
        """Return the approval that was consumed last for an order."""
        async with self.store.read() as tx:
            return await orders.last_approval(tx, order_id)

    async def find(self, query: OrdersQuery) -> list[Order]:
        """Return the orders that a query asks for, oldest first; open ones without the store."""
        if query.open_only:
            return [order for order in self.open_orders.values() if _matches(order, query)]
        async with self.store.read() as tx:
            return [item.order for item in await orders.find_orders(tx, query)]

    async def children(self, parent_id: str) -> list[Order]:
        """Return the children of a parent order, oldest first."""
        async with self.store.read() as tx:
            return await orders.read_children(tx, parent_id)

    def book(self, query: BookQuery) -> BookReply:
        """Return positions and latest NAVs; funds first, then their strategies, sorted."""
        navs = [
            nav
            for (fund_id, strategy_id), nav in sorted(
                self.navs.items(), key=lambda item: (item[0][0], item[0][1] or "")
            )
            if query.fund_id in (None, fund_id) and query.strategy_id in (None, strategy_id)
        ]
        positions = self.ledger.positions(
            fund_id=query.fund_id, strategy_id=query.strategy_id, as_of=self.clock.now()
        )
        return BookReply(positions=positions, navs=tuple(navs))


def _matches(order: Order, query: OrdersQuery) -> bool:
    return (
        query.fund_id in (None, order.fund_id)
        and query.strategy_id in (None, order.strategy_id)
        and query.order_id in (None, order.order_id)
    )
