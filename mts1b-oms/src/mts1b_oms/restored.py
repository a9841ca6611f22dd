"""A record that is older than the truth: notice it, take over what it lost, send nothing twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.orders import Order, OrderStatus

from mts1b_oms.corrections import average_price, counted_of
from mts1b_oms.fills import EXTERNAL
from mts1b_oms.gateway import Gateway
from mts1b_oms.outcomes import CouldNotLook
from mts1b_oms.parents import WORKING, is_parent
from mts1b_oms.record import OmsRecord
from mts1b_oms.tables.store import restores
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit
from mts1b_oms.witness import Extent, Witness

__all__ = ["Restoration"]

_PUT_BACK = "the record was put back from a backup: submit it again where it is still wanted"


class Restoration:
    """Compare the record with its witness, once at each start.

    A restored record has forgotten keys. From then on every key that is new to it is looked for at
    the venue before anything is sent: an order that had been sent already is taken over.
    """

    def __init__(self, record: OmsRecord, gateway: Gateway, witness: Witness, *, log: Any) -> None:
        self._record = record
        self._gateway = gateway
        self._witness = witness
        self._log = log
        self._looked = False

    @property
    def is_made_up(self) -> bool:
        """Return whether the venue was looked at, and has nothing open that the record lacks."""
        return self._looked and not self._record.orders_lost

    async def detect(self) -> bool:
        """Note whether the store went back since the witness was written; return whether.

        To be called once, at the start. The fence rises beyond every one that was ever seen: who
        grants leases knows them all, and gives none to an older sender.
        """
        seen, now = self._witness.seen(), self._extent()
        if seen is None or not now.is_behind(seen):
            self._witness.parents.begin(self._record.fence)
            self.note()
            return False
        if now.fence <= seen.fence:
            await self._record.raise_fence(beyond=seen.fence)
        # Before the loss is on record: a start that dies in between must not leave the marks good.
        # Nor does a fence tell how old the backup is once such a start has raised it.
        is_first = now.fence <= seen.fence + 1
        if not is_first or not self._witness.parents.reach_back(before=now.fence):
            self.distrust()
        await self._went_back(
            f"it had {seen.orders} orders and {seen.fills} fills, now {now.orders}/{now.fills}"
        )
        return True

    def distrust(self) -> None:
        """Let no mark of a parent count so far: the witness may lack what the record lacks."""
        self._witness.parents.distrust(self._record.fence)

    def note_parent(self, key: str) -> None:
        """Note durably, outside of the record, that a parent is asked for."""
        self._witness.parents.note(key, self._record.fence)

    def may_have_lost(self, key: str) -> bool:
        """Return whether children of a parent may have left that this record has forgotten."""
        record = self._record
        return bool(record.restored) and not self._witness.parents.is_from(key, record.restored_by)

    async def _went_back(self, lost: str) -> None:
        """Tell of it, and keep it on record: from now on no key is taken for new.

        Algorithms are cancelled: nobody knows whether somebody has done it since.
        """
        self._log.error("the record went back in time, as after restoring a backup", lost=lost)
        async with self._record.unit() as unit:
            row = {"fence": self._record.fence, "at": unit.now, "lost": lost, "made_up": 0}
            await unit.tx.execute(sa.insert(restores), row)
            for parent in self._record.open_orders.values():
                if is_parent(parent) and parent.status in WORKING:
                    unit.change(parent, OrderEvent.CANCEL_ASKED, detail=_PUT_BACK)
        self._record.put_back(lost, self._record.fence)
        self.note()

    def note(self) -> None:
        """Let the witness know how far the record is."""
        self._witness.note(self._extent())

    def note_ahead(self) -> None:
        """Let the witness know at once, as something is about to leave for the venue.

        A backup of a moment ago lacks that, and a venue that shows orders late does not tell.
        """
        self._witness.note_ahead(self._extent())

    def _extent(self) -> Extent:
        record = self._record
        return Extent(
            record.store_id,
            record.fence,
            record.order_position,
            record.fill_position,
            record.changes,
        )

    async def catch_up(self) -> tuple[str, ...] | CouldNotLook:
        """Take over the open orders of our funds that the venue shows and the record lost.

        Their executions are booked afterwards, as those of every order; those that were told
        before, when no order of ours explained them, count as its own. It is done until the venue
        must have shown whatever left before this process began, and then never again. The first
        look of each process is a witness too: the other one may be a second behind.
        """
        known = self._record.orders_lost
        if self._looked and not known:
            return ()
        shown = await self._gateway.open_orders()
        if isinstance(shown, CouldNotLook):
            return shown
        self._looked = True
        whole = self._gateway.shows_all_from_before
        lost = [theirs for theirs in shown if await self._is_lost(theirs)]
        if not known and not lost:
            return ()
        if not known:
            names = ", ".join(sorted(theirs.order_id for theirs in lost)[:5])
            await self._went_back(f"the venue has {len(lost)} of our orders open: {names}")
            self.distrust()
        async with self._record.unit() as unit:
            for theirs in lost:
                await _take(unit, theirs)
            if whole:
                await unit.tx.execute(sa.update(restores).values(made_up=1))
        self._record.orders_lost = not whole
        return tuple(theirs.order_id for theirs in lost)

    async def _is_lost(self, theirs: Order) -> bool:
        owner = (theirs.fund_id, theirs.strategy_id)
        ours = theirs.fund_id != EXTERNAL and owner in self._record.ledger.books
        return ours and await self._record.order(theirs.order_id) is None


async def _take(unit: Unit, theirs: Order) -> None:
    """Record an order as the venue has it, filled by the executions that are booked here."""
    parts = await counted_of(unit, theirs.order_id)
    filled = sum((part.quantity for part in parts), Decimal(0))
    unit.create(
        theirs.with_(
            status=OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.ACCEPTED,
            submitted_at=theirs.submitted_at or theirs.accepted_at or unit.now,
            filled_quantity=filled,
            average_fill_price=average_price(parts),
            version=0,
        )
    )
