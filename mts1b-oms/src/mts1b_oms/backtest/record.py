"""The record of a backtest: the same units of work, kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from mts1b_foundation.commands import BookQuery, BookReply
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.orders import Fill, FillCorrection, Order, OrderStatus
from mts1b_foundation.risk import RiskApproval
from mts1b_foundation.symbology import Symbol
from mts1b_platform.clock import Clock
from mts1b_platform.store import VolatileStore

from mts1b_oms.ledger import Owner, SubBook
from mts1b_oms.record import OmsRecord
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.tables.orders import StoredOrder
from mts1b_oms.told_states import SUBJECT_OF
from mts1b_oms.unit import Unit

__all__ = ["MemoryRecord", "News"]

News = Order | Fill | NavSnapshot
"""What a unit of work tells the rest of the system."""


class MemoryUnit(Unit):
    """Changes staged on top of the record; nothing is written, what is told is handed on."""

    _told_states = SUBJECT_OF.keys() - {OrderStatus.CREATED}
    """An intent is what the risk engine is asked about, not news to it."""
    _record: MemoryRecord

    _told: dict[str, News]

    async def __aenter__(self) -> Self:
        self._told = {}
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Make the changes the record's state, and keep what a store would give back."""
        if kind is not None:
            return
        self.adopt()
        record = self._record
        record.all_orders.update(self._orders)
        for _, new in self._created:
            record.by_key[new.order.idempotency_key] = new.order.order_id
        for _, approval in self._approvals:
            record.used.add(approval.nonce)
        for _, item in self._fills:
            record.fills.append(item)
            record.fill_ids.add(item.fill.fill_id)
            record.fills_by_order.setdefault(item.fill.order_id, []).append(item)
        record.news.extend(self._told.values())

    async def order(self, order_id: str) -> Order | None:
        """Return an order as this unit has it."""
        return self._orders.get(order_id) or self._record.all_orders.get(order_id)

    async def rivals(self, order: Order) -> list[Order]:
        """Return the orders on record that have the key or the id of ``order``."""
        record = self._record
        holder = record.by_key.get(order.idempotency_key)
        if holder is None and order.order_id not in record.all_orders:
            return []
        names = dict.fromkeys((holder or order.order_id, order.order_id))
        return [record.all_orders[name] for name in names if name in record.all_orders]

    async def is_used(self, approval: RiskApproval) -> bool:
        """Return whether an approval was consumed before."""
        return approval.nonce in self._record.used

    async def known_fills(self, fill_ids: Sequence[str]) -> set[str]:
        """Return which fills are booked already."""
        return self._record.fill_ids.intersection(fill_ids)

    async def fills_of(self, order_id: str) -> list[BookedFill]:
        """Return the fills of an order, those that this unit has booked last."""
        return [*self._record.fills_by_order.get(order_id, ()), *self.booked_of(order_id)]

    async def corrections_of(self, fill_ids: Iterable[str]) -> Mapping[str, list[FillCorrection]]:
        """Return nothing: the venue of a backtest corrects no execution."""
        return {}

    async def terms_before(self, order_id: str) -> set[tuple[Decimal, Decimal | None]]:
        """Return nothing: an order of a backtest is never changed."""
        return set()

    async def asked_at(self, order_id: str) -> datetime | None:
        """Return now: an intent of a backtest waits for nobody."""
        return self.now

    def _tell_of(self, order: Order) -> None:
        self._told[order.order_id] = order

    def _tell_of_fill(self, item: BookedFill) -> None:
        self._told[item.fill.fill_id] = item.owned

    def _tell_of_nav(self, nav: NavSnapshot, revision: int) -> None:
        if nav.strategy_id is None:  # loss limits are the fund's
            self._told[nav.fund_id] = nav

    def tell(self, event_id: str, subject: str, fund_id: str | None, model: FrozenModel) -> None:
        """Drop what only a bus would carry."""

    async def flush(self) -> None:
        """Write nothing."""


class MemoryRecord(OmsRecord):
    """The state of the OMS in memory alone; see :class:`OmsRecord`.

    :ivar all_orders: every order there was, as it stands.
    :ivar fills: every fill that was booked, in order.
    """

    store: VolatileStore

    def __init__(self, clock: Clock, *, venue: str, capital: Mapping[Owner, Decimal]) -> None:
        super().__init__(VolatileStore("oms"), clock, venue=venue)
        self.all_orders: dict[str, Order] = {}
        self.by_key: dict[str, str] = {}
        self.used: set[str] = set()
        self.fills: list[BookedFill] = []
        self.fill_ids: set[str] = set()
        self.fills_by_order: dict[str, list[BookedFill]] = {}
        self.news: list[News] = []
        self._struck_at: datetime | None = None
        self._held: tuple[object, frozenset[Symbol]] = (None, frozenset())
        books = (SubBook(*owner, capital[owner], capital[owner]) for owner in sorted(capital))
        self.ledger = type(self.ledger).of(books)

    def unit(self) -> AbstractAsyncContextManager[MemoryUnit]:
        """Collect changes and make them together; an exception leaves everything as it was."""
        return MemoryUnit(self, _NO_CONNECTION)

    @property
    def held(self) -> frozenset[Symbol]:
        """Return the symbols that any strategy holds."""
        books, held = self._held
        if books is not self.ledger.books:
            held = self.ledger.held()
            self._held = (self.ledger.books, held)
        return held

    def remark(self, prices: Mapping[Symbol, Decimal], as_of: datetime) -> None:
        """Take newer last prices of what nobody holds: every NAV stays, and is now of ``as_of``."""
        self.ledger = self.ledger.marked(prices)
        self._struck_at = as_of

    def book(self, query: BookQuery) -> BookReply:
        """Return positions and latest NAVs; see :meth:`OmsRecord.book`."""
        struck = self._struck_at
        if struck is not None:
            for key, nav in self.navs.items():
                if nav.as_of < struck:
                    self.navs[key] = nav.with_(as_of=struck)
        return super().book(query)

    async def sent_at(self, order_id: str) -> datetime | None:
        """Return nothing: a backtest knows no order in doubt."""
        return None

    async def stored(self, order_id: str) -> StoredOrder | None:
        """Return the order."""
        found = self.all_orders.get(order_id)
        return None if found is None else StoredOrder(found)


_NO_CONNECTION: Any = None
