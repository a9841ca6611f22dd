"""Recover before trading: settle what was in flight, reconcile, then continue what was begun."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_platform.clock import Clock, VirtualClock
from mts1b_platform.store import Store
from mts1b_platform.store.tables import lockstep

from mts1b_oms.errors import RiskUnavailable
from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.orders import IN_DOUBT, OrderService
from mts1b_oms.outcomes import CouldNotLook, NeverSeen
from mts1b_oms.reconcile import Break, Reconciler
from mts1b_oms.record import OmsRecord
from mts1b_oms.replaces import Replacer

__all__ = ["Recovery", "RecoveryReport", "restore_clock"]


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What a start-up found: orders adopted, to continue, not visible; and the breaks."""

    adopted: tuple[str, ...] = ()
    continued: tuple[str, ...] = ()
    not_visible: tuple[str, ...] = ()
    breaks: tuple[Break, ...] = ()


async def restore_clock(store: Store, clock: Clock) -> None:
    """Move a virtual clock to the last replay tick on record.

    What recovery does then carries the time of the tick that was interrupted, as it would have
    had nothing died.
    """
    if not isinstance(clock, VirtualClock):
        return
    async with store.read() as tx:
        as_of = (
            await tx.execute(sa.select(lockstep.c.as_of).where(lockstep.c.service == "oms"))
        ).scalar()
    if as_of is not None:
        clock.advance_to(as_of)


class Recovery:
    """Bring a restarted OMS to where it would be had it never stopped.

    :param waits_for_risk: whether what risk is to be asked for holds up the start while it is away.
    """

    def __init__(
        self,
        *,
        record: OmsRecord,
        service: OrderService,
        replacer: Replacer,
        reconciler: Reconciler,
        gate: ReconciliationGate,
        waits_for_risk: bool = True,
    ) -> None:
        self._waits_for_risk = waits_for_risk
        self._record = record
        self._service = service
        self._replacer = replacer
        self._reconciler = reconciler
        self._gate = gate

    async def run(self) -> RecoveryReport:
        """Recover; the gate is open afterwards only if everything was seen and agrees."""
        adopted, absent, unseen = await self._adopt()
        result = await self._reconciler.reconcile()
        if unseen:
            self._gate.close(f"the venue could not be asked about {', '.join(unseen)}")
        if not self._gate.is_open:
            breaks = result if isinstance(result, tuple) else ()
            return RecoveryReport(adopted, (), unseen, breaks)
        continued = await self._continue(absent)
        return RecoveryReport(adopted, continued, unseen)

    async def _adopt(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Return the ids in doubt that were found, never arrived, and could not be looked for."""
        found: dict[type[object], list[str]] = {Order: [], NeverSeen: [], CouldNotLook: []}
        for order in list(self._record.open_orders.values()):
            if order.status in IN_DOUBT:
                found[type(await self._service.adopt(order))].append(order.order_id)
            elif order.status is OrderStatus.PENDING_REPLACE:
                found[type(await self._replacer.settle(order.order_id))].append(order.order_id)
        return tuple(found[Order]), tuple(found[NeverSeen]), tuple(found[CouldNotLook])

    async def _continue(self, absent: tuple[str, ...]) -> tuple[str, ...]:
        """Send what never arrived, ask risk for what it never answered, in order of arrival."""
        begun = [
            order.order_id
            for order in list(self._record.open_orders.values())
            if order.status is OrderStatus.PENDING_RISK or order.order_id in absent
        ]
        for order_id in begun:
            with suppress(RiskUnavailable):  # whoever goes after orders in doubt asks it again
                await self._service.carry_on(order_id, waits=self._waits_for_risk)
        return tuple(begun)
