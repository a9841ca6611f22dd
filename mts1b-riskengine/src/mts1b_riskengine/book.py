"""Everything that the gates read, in memory, in step with the store."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_foundation import ExecutionMode, Fill, Order, OrderStatus
from mts1b_foundation.limits import RiskLimits
from mts1b_platform.clock import Clock
from mts1b_platform.config import Settings
from mts1b_platform.store import Prepared, Store
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.inline import transaction_of

from mts1b_riskengine.blocks import BlockBook
from mts1b_riskengine.cash import CashBook
from mts1b_riskengine.envelopes import EnvelopeBook
from mts1b_riskengine.flow import FlowBook
from mts1b_riskengine.funds import FundBook
from mts1b_riskengine.instruments import InstrumentTable, instruments_of
from mts1b_riskengine.mandates import MandateTable, mandates_of
from mts1b_riskengine.market import MarketBoard
from mts1b_riskengine.parents import ParentBook
from mts1b_riskengine.positions import PositionBook
from mts1b_riskengine.reservations import ReservationLedger
from mts1b_riskengine.resting import RestingBook
from mts1b_riskengine.scope import check_settings
from mts1b_riskengine.sessions import SessionDesk
from mts1b_riskengine.tables import book_version

__all__ = ["RiskBook"]

_NEXT_VERSION = Prepared(
    book_version.update()
    .where(book_version.c.id == 1, book_version.c.version == sa.bindparam("expected"))
    .values(version=sa.bindparam("following"))
)


class RiskBook:
    """Positions, reservations, funds, envelopes, and what the limits of the firm need.

    A part may be changed only inside a transaction that began with :meth:`sync`. Every such
    transaction raises one version number in the store and in memory; when one rolled back, the
    numbers differ at the next, and the memory is loaded again. So memory never runs ahead.

    :param limits: the pre-trade limits; all are off by default.
    :param mandates: who may trade what; without any, everybody within the envelopes.
    :param mode: what this system runs as, for orders that must say the same.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        instruments: InstrumentTable | None = None,
        limits: RiskLimits | None = None,
        mandates: MandateTable | None = None,
        mode: ExecutionMode | None = None,
    ) -> None:
        self.limits = limits or RiskLimits()
        self.mandates = mandates or MandateTable()
        self.mode = mode
        self.instruments = instruments or InstrumentTable()
        self.positions = PositionBook(store, self.instruments)
        self.reservations = ReservationLedger(store, self.positions)
        self.funds = FundBook(store)
        self.envelopes = EnvelopeBook(store, clock)
        self.market = MarketBoard(store, self.limits)
        self.flow = FlowBook(self.limits)
        self.cash = CashBook()
        self.parents = ParentBook(store, self.limits)
        self.resting = RestingBook(self.reservations, on=self.limits.self_match)
        self.blocks = BlockBook(store, ttl_s=self.limits.block_ttl_s)
        self.sessions = SessionDesk(on=self.limits.sessions_only)
        self._store_keeps = store.keeps
        self._version = -1
        self._transaction: object | None = None

    @classmethod
    def from_settings(cls, settings: Settings, store: Store, *, clock: Clock) -> RiskBook:
        """Return the book of a system: its instruments, limits, mandates and mode.

        :raises ConfigError: when a strategy is of symbols that its fund could never order.
        """
        check_settings(settings)
        return cls(
            store,
            clock=clock,
            instruments=instruments_of(settings),
            limits=settings.limits,
            mandates=mandates_of(settings),
            mode=settings.mode,
        )

    async def on_order(self, tx: AsyncConnection, order: Order) -> None:
        """Follow an order event."""
        await self.reservations.on_order(tx, order)
        if self.parents.on:
            await self.parents.on_order(tx, order)
        if self.resting.on:
            self.resting.note(order)
        if order.status is OrderStatus.CANCELED:
            self.flow.canceled()

    def on_fill(self, fund_id: str, fill: Fill) -> None:
        """Let the fund pay for an execution."""
        facts = self.instruments.facts(fill.symbol)
        if facts is not None:
            self.cash.on_fill(fund_id, fill, facts.multiplier)

    async def sync(self, tx: AsyncConnection) -> None:
        """Make the memory equal to the store, once per transaction.

        Where the store keeps nothing, the memory is all there is.
        """
        if not self._store_keeps:
            return
        current = transaction_of(tx)
        if current is not None and current is self._transaction:
            return
        changed = await _NEXT_VERSION.run(
            tx, {"expected": self._version, "following": self._version + 1}
        )
        if changed.rowcount == 1:
            self._version += 1
            self.cash.settle()
        else:
            await self._reload(tx)
        self._transaction = current

    async def _reload(self, tx: AsyncConnection) -> None:
        row = (await tx.execute(sa.select(book_version.c.version))).first()
        if row is None:
            await tx.execute(book_version.insert().values(id=1, version=0))
            self._version = 0
        else:
            self._version = int(row.version) + 1
            await tx.execute(book_version.update().values(version=self._version))
        await self.positions.load(tx)
        await self.reservations.load(tx)
        await self.funds.load(tx)
        await self.envelopes.load(tx)
        await self.market.load(tx)
        await self.parents.load(tx)
        await self.resting.load(tx)
        await self.blocks.load(tx)
        self.cash.undo()
