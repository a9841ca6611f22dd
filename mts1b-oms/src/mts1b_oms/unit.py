"""One unit of work: changes that are committed together with the events that tell of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind
from mts1b_foundation.commands import ReconciliationReport, ReplaceOutcome
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import (
    OMS_BOOKS_ADJUSTED,
    OMS_FILLS_CREATED,
    OMS_NAV_UPDATED,
    OMS_RECONCILIATION_CHANGED,
    with_fund,
)
from mts1b_foundation.orders import TERMINAL_STATUSES, FillCorrection, Order, OrderStatus
from mts1b_foundation.risk import RiskApproval
from mts1b_foundation.symbology import Symbol
from mts1b_platform.ids import derive_id
from mts1b_platform.store import Prepared
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.adjustments import adjusted, owner_of, touched
from mts1b_oms.ledger import Holding, Owner, SubBook
from mts1b_oms.tables import books, corrections, orders, replaces, reports
from mts1b_oms.tables.adjustments import insert_adjustment
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.tables.orders import StoredOrder
from mts1b_oms.tables.replaces import Replace
from mts1b_oms.tables.store import approvals_used, corrections_of, quarantines, venue_cursor
from mts1b_oms.told_states import SUBJECT_OF
from mts1b_oms.transitions import TRANSITIONS, OrderEvent, Transition, refusal

if TYPE_CHECKING:
    from mts1b_oms.record import OmsRecord

__all__ = ["Unit"]

_INSERT_APPROVALS = Prepared(sa.insert(approvals_used))


class Unit:
    """Changes staged on top of the committed record. Built by ``OmsRecord.unit`` alone.

    Most units change one order and nothing else: what a unit rarely has stands in the class, empty.
    """

    _told_states: Collection[OrderStatus] = SUBJECT_OF.keys()
    _opened: tuple[SubBook, ...] = ()
    _approvals: tuple[tuple[str, RiskApproval], ...] = ()
    _quarantined: tuple[tuple[Owner, str, str], ...] = ()
    _navs: tuple[tuple[int, NavSnapshot], ...] = ()
    _restated: frozenset[tuple[Owner, Symbol]] = frozenset()
    _adjusted: tuple[AdjustBooks, ...] = ()
    _marks: Mapping[Symbol, Decimal] = MappingProxyType({})
    _marked_at: Mapping[Symbol, datetime] = MappingProxyType({})
    _cursor: str | None = None
    _corrections_cursor: str | None = None
    _report: ReconciliationReport | None = None
    _awaited: frozenset[str] = frozenset()
    _left: tuple[tuple[str, str | None], ...] = ()
    _replacing: Mapping[str, Replace | None] = MappingProxyType({})

    def __init__(self, record: OmsRecord, tx: AsyncConnection) -> None:
        self.tx = tx
        self.now: datetime = record.clock.now()
        self.ledger = record.ledger
        self._record = record
        self._created: list[tuple[int, StoredOrder]] = []
        self.transitions: list[Transition] = []
        self._orders: dict[str, Order] = {}
        self._stored_versions: dict[str, int] = {}
        self._fills: list[tuple[int, BookedFill]] = []
        self._events: list[tuple[str, str, bytes]] = []

    async def order(self, order_id: str) -> Order | None:
        """Return an order as this unit has it."""
        found = self._orders.get(order_id) or self._record.open_orders.get(order_id)
        if found is not None:
            return found
        stored = await orders.read_order(self.tx, order_id)
        return stored.order if stored else None

    async def rivals(self, order: Order) -> list[Order]:
        """Return the orders on record that have the key or the id of ``order``."""
        return await orders.read_rivals(self.tx, order)

    async def is_used(self, approval: RiskApproval) -> bool:
        """Return whether an approval was consumed before."""
        return await orders.approval_is_used(self.tx, approval)

    async def known_fills(self, fill_ids: Sequence[str]) -> set[str]:
        """Return which fills are booked already."""
        return await books.known_fills(self.tx, fill_ids)

    async def fills_of(self, order_id: str) -> list[BookedFill]:
        """Return the fills of an order, those that this unit has booked last."""
        return [*await books.fills_of(self.tx, order_id), *self.booked_of(order_id)]

    async def corrections_of(self, fill_ids: Iterable[str]) -> Mapping[str, list[FillCorrection]]:
        """Return the corrections on record, by fill."""
        return await corrections.corrections_of(self.tx, fill_ids)

    def create(
        self, order: Order, *, algo: str | None = None, params: dict[str, Any] | None = None
    ) -> None:
        """Record a new intent and its event."""
        position = self._record.order_position + len(self._created) + 1
        self._created.append((position, StoredOrder(order, algo, params or {})))
        self._orders[order.order_id] = order
        if order.status in self._told_states:
            self._tell_of(order)

    def change(
        self,
        order: Order,
        *events: OrderEvent,
        detail: str = "",
        first_version: int = 0,
        **changes: object,
    ) -> Order:
        """Let events happen to ``order`` one after the other; return the order after the last.

        Every one is recorded. Nobody is told of a state in between, so it must be one that is
        told to nobody.

        :param detail: of the first event.
        :param first_version: the lowest that the order may have afterwards.
        :param changes: other fields of the order that the events set.
        :raises IllegalTransition: when the table forbids one.
        """
        state, version, moves = order.status, max(order.version, first_version - 1), []
        for event in events:
            after = TRANSITIONS.get((state, event))
            if after is None:
                raise refusal(order, state, event)
            version += 1
            moves.append(Transition(order.order_id, version, event, state, after, self.now, detail))
            state, detail = after, ""
        changed = order.with_(status=state, version=version, **changes)
        self._stored_versions.setdefault(order.order_id, order.version)
        self.transitions += moves
        self._orders[order.order_id] = changed
        if state in self._told_states:
            self._tell_of(changed)
        return changed

    def book(self, item: BookedFill) -> None:
        """Enter a fill in the ledger."""
        position = self._record.fill_position + len(self._fills) + 1
        self._fills.append((position, item))
        self.ledger = self.ledger.booked(item.counted, item.owner)
        self._tell_of_fill(item)

    def booked_of(self, order_id: str) -> list[BookedFill]:
        """Return the fills of an order that this unit has booked."""
        return [item for _, item in self._fills if item.fill.order_id == order_id]

    def booked(self, fill_id: str) -> BookedFill | None:
        """Return a fill that this unit has booked."""
        return next((item for _, item in self._fills if item.fill.fill_id == fill_id), None)

    def booked_in(self, owner: Owner, symbol: Symbol) -> list[BookedFill]:
        """Return the fills of one symbol and sub-book that this unit has booked."""
        return [i for _, i in self._fills if i.owner == owner and i.fill.symbol == symbol]

    def restate(self, owner: Owner, holding: Holding, cash_change: Decimal) -> None:
        """Put a holding in the place of another, and move cash with it."""
        self.ledger = self.ledger.restated(owner, holding, cash_change)
        self._restated |= {(owner, holding.symbol)}

    def adjust(self, one: AdjustBooks) -> None:
        """Enter in the ledger what an operator booked without an order, and its event."""
        self._restated |= touched(self.ledger, one)
        self.ledger = adjusted(self.ledger, one)
        self._adjusted += (one,)
        if one.kind is AdjustmentKind.SPLIT and one.symbol is not None and one.price is not None:
            self.mark({one.symbol: one.price}, {one.symbol: self.now})
        event_id = derive_id("evt", "adjustment", one.adjustment_id)
        self.tell(event_id, OMS_BOOKS_ADJUSTED, one.fund_id, one)

    def await_fill(self, fill_id: str) -> None:
        """Note that a correction came before its fill."""
        self._awaited |= {fill_id}

    def is_awaited(self, fill_id: str) -> bool:
        """Return whether a correction waits for this fill."""
        return fill_id in self._awaited or fill_id in self._record.early

    async def add_replace(self, change: Replace) -> None:
        """Record a change of an order."""
        await replaces.insert_replace(self.tx, change)
        if change.outcome is None:
            self._replacing = {**self._replacing, change.order_id: change}
        elif change.outcome is ReplaceOutcome.CONFIRMED:
            self._left += ((change.order_id, change.old_broker_order_id),)

    async def terms_before(self, order_id: str) -> set[tuple[Decimal, Decimal | None]]:
        """Return the quantity and limit that an order had before each change of it."""
        return await replaces.terms_before(self.tx, order_id)

    async def asked_at(self, order_id: str) -> datetime | None:
        """Return when an intent was recorded; None where there is just the venue's view of it."""
        return await orders.asked_at(self.tx, order_id)

    async def begin_replace(self, change: Replace) -> None:
        """Record that a change may leave from now on."""
        begun = await replaces.begin(self.tx, change)
        self._replacing = {**self._replacing, change.order_id: begun}

    async def end_replace(
        self, change: Replace, outcome: ReplaceOutcome, code: str = "", reason: str = ""
    ) -> None:
        """Record what became of a change."""
        await replaces.write_outcome(self.tx, change.replace_key, outcome, code, reason)
        self._replacing = {**self._replacing, change.order_id: None}
        if outcome is ReplaceOutcome.CONFIRMED:
            self._left += ((change.order_id, change.old_broker_order_id),)

    def is_left_half(self, theirs: Order) -> bool:
        """Return whether a venue's view is of an id that a confirmed change has left behind.

        What such a half shows, cancelled most of the time, is not the order's fate.
        """
        order = self._orders.get(theirs.order_id) or self._record.open_orders.get(theirs.order_id)
        if order is None or theirs.broker_order_id in (None, order.broker_order_id):
            return False
        former = self._record.former_ids.get(theirs.order_id, set())
        return theirs.broker_order_id in former

    def open_book(self, book: SubBook) -> None:
        """Start a sub-book with its capital."""
        self._opened += (book,)
        self.ledger = type(self.ledger).of([*self.ledger.books.values(), book], self.ledger.marks)

    def use(self, order_id: str, approval: RiskApproval) -> None:
        """Consume an approval, for good."""
        self._approvals += ((order_id, approval),)

    def quarantine(self, owner: Owner, fill_id: str, reason: str) -> None:
        """Record that a strategy got an odd execution and must be halted."""
        self._quarantined += ((owner, fill_id, reason),)

    def mark(
        self, prices: Mapping[Symbol, Decimal], at: Mapping[Symbol, datetime] = MappingProxyType({})
    ) -> None:
        """Take newer last prices.

        :param at: of when each of them is.
        """
        self._marks = {**self._marks, **prices}
        self._marked_at = {**self._marked_at, **at}
        self.ledger = self.ledger.marked(prices)

    def navs(self, snapshots: tuple[NavSnapshot, ...]) -> None:
        """Record the snapshots that say something new, and their events."""
        new = []
        for nav in snapshots:
            key = (nav.fund_id, nav.strategy_id)
            last = self._record.navs.get(key)
            again = last is not None and last.as_of == nav.as_of
            if again and last == nav:
                continue
            revision = self._record.nav_revisions[key] + 1 if again else 0
            new.append((revision, nav))
            self._tell_of_nav(nav, revision)
        self._navs += tuple(new)

    async def report(self, report: ReconciliationReport) -> None:
        """Record a report of reconciliation, and its event."""
        await reports.insert_report(self.tx, report)
        self._report = report
        self._record.reports_begun += 1
        number = f"{self._record.fence}/{self._record.reports_begun}"
        event_id = derive_id("evt", "reconciliation", report.venue, number)
        self.tell(event_id, OMS_RECONCILIATION_CHANGED, None, report)

    def move_cursors(self, fills: str | None, corrections: str | None) -> None:
        """Record up to where the venue's fills are booked and its corrections taken; None: stay."""
        if fills is not None:
            self._cursor = fills
        if corrections is not None:
            self._corrections_cursor = corrections

    def _tell_of(self, order: Order) -> None:
        event_id = derive_id("evt", order.order_id, order.status.value, str(order.version))
        self.tell(event_id, SUBJECT_OF[order.status], order.fund_id, order)

    def _tell_of_fill(self, item: BookedFill) -> None:
        event_id = derive_id("evt", "fill", item.fill.fill_id)
        self.tell(event_id, OMS_FILLS_CREATED, item.owner[0], item.owned)

    def _tell_of_nav(self, nav: NavSnapshot, revision: int) -> None:
        parts = (nav.fund_id, nav.strategy_id or "", nav.as_of.isoformat(), str(revision))
        self.tell(derive_id("evt", "nav", *parts), OMS_NAV_UPDATED, nav.fund_id, nav)

    def tell(self, event_id: str, subject: str, fund_id: str | None, model: FrozenModel) -> None:
        """Publish an event with the commit; ``event_id`` must follow from what it says.

        :param fund_id: whose event it is; None: that of all.
        """
        payload = model.model_dump_json().encode()
        where = subject if fund_id is None else with_fund(subject, fund_id)
        self._events.append((event_id, where, payload))

    async def flush(self) -> None:
        """Write everything that was staged, the events last."""
        await self._write_orders()
        await self._write_books()
        if self._navs:
            await books.write_navs(self.tx, self._navs)
        record = self._record
        if self._cursor is not None and self._cursor != record.cursor:
            await self._write_cursor(record.venue, self._cursor)
        corrections = self._corrections_cursor
        if corrections is not None and corrections != record.corrections_cursor:
            await self._write_cursor(corrections_of(record.venue), corrections)
        if self._quarantined:
            await self.tx.execute(sa.insert(quarantines), self._quarantine_rows())
        await self._record.store.outbox.add_many(self.tx, self._events)

    async def _write_orders(self) -> None:
        if self._created:
            final = [(n, self._latest(new)) for n, new in self._created]
            await orders.insert_orders(self.tx, final)
        fresh = {new.order.order_id for _, new in self._created}
        changed = [
            (version, self._orders[order_id])
            for order_id, version in self._stored_versions.items()
            if order_id not in fresh
        ]
        if await orders.write_orders(self.tx, changed) != len(changed):
            raise RuntimeError("an order changed under a unit of work: two writers on one store")
        if self.transitions:
            await orders.write_events(self.tx, self.transitions)
        if self._approvals:
            await _INSERT_APPROVALS.run_many(self.tx, self._approval_rows())

    def _latest(self, new: StoredOrder) -> StoredOrder:
        return StoredOrder(self._orders[new.order.order_id], new.algo, new.params)

    def _approval_rows(self) -> Sequence[dict[str, Any]]:
        return [
            {
                "approval_id": approval.approval_id,
                "nonce": approval.nonce,
                "order_id": order_id,
                "used_at": self.now,
                "payload": approval.model_dump_json(),
            }
            for order_id, approval in self._approvals
        ]

    async def _write_books(self) -> None:
        store = self._record.store
        if self._fills:
            await books.insert_fills(self.tx, self._fills)
        moved = self._restated.union((item.owner, item.fill.symbol) for _, item in self._fills)
        owners = sorted(
            {owner for owner, _ in moved}.union(book.owner for book in self._opened).union(
                owner for one in self._adjusted if (owner := owner_of(one)) is not None
            )
        )
        if owners:
            await books.write_books(store, self.tx, [self.ledger.books[owner] for owner in owners])
        held = [
            (self.ledger.books[owner], symbol, self._held_on_record(owner, symbol))
            for owner, symbol in sorted(moved)
        ]
        if held:
            await books.write_holdings(store, self.tx, held)
        for one in self._adjusted:
            await insert_adjustment(self.tx, one, self._record.fill_position + len(self._fills))
        if self._marks:
            at = {**dict.fromkeys(self._marks, self.now), **self._marked_at}
            await books.write_marks(store, self.tx, self._marks, at)

    def _held_on_record(self, owner: Owner, symbol: Symbol) -> Holding | None:
        book = self._record.ledger.books.get(owner)
        return book.holdings.get(symbol) if book is not None else None

    async def _write_cursor(self, name: str, cursor: str) -> None:
        row = {"venue": name, "cursor": cursor}
        await books.upsert(self._record.store, self.tx, venue_cursor, [row])

    def _quarantine_rows(self) -> Sequence[dict[str, Any]]:
        return [
            {
                "fund_id": owner[0],
                "strategy_id": owner[1],
                "fill_id": fill_id,
                "reason": reason,
                "at": self.now,
                "halted": 0,
            }
            for owner, fill_id, reason in self._quarantined
        ]

    def adopt(self) -> None:
        """Make the committed changes the record's state. Called once, after the commit."""
        record = self._record
        for order_id, order in self._orders.items():
            if order.status in TERMINAL_STATUSES:
                record.open_orders.pop(order_id, None)
                record.replacing.pop(order_id, None)
                record.former_ids.pop(order_id, None)
            else:
                record.open_orders[order_id] = order
            if order.status is OrderStatus.UNKNOWN:
                record.in_doubt[order_id] = order
            else:
                record.in_doubt.pop(order_id, None)
        record.ledger = self.ledger
        for revision, nav in self._navs:
            key = (nav.fund_id, nav.strategy_id)
            record.navs[key], record.nav_revisions[key] = nav, revision
            record.peaks[key] = nav.peak_nav_usd
        record.marked_at.update(self._marked_at)
        record.cursor = self._cursor or record.cursor
        record.corrections_cursor = self._corrections_cursor or record.corrections_cursor
        record.report = self._report or record.report
        record.order_position += len(self._created)
        record.fill_position += len(self._fills)
        record.changes += len(self.transitions)
        if self._replacing or self._left:
            self._adopt_replaces()
        if self._awaited or record.early:
            record.early |= self._awaited
            record.early -= {item.fill.fill_id for _, item in self._fills}
        if self._quarantined:
            record.unhalted.update(owner for owner, _, _ in self._quarantined)

    def _adopt_replaces(self) -> None:
        record = self._record
        for order_id, change in self._replacing.items():
            if change is None:
                record.replacing.pop(order_id, None)
            else:
                record.replacing[order_id] = change
        for order_id, broker_order_id in self._left:
            if order_id in record.open_orders:
                record.former_ids.setdefault(order_id, set()).add(broker_order_id)
