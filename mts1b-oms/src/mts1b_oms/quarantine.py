"""Halt a strategy that got an odd execution, through the one authority for halts."""

from __future__ import annotations

import sqlalchemy as sa
from mts1b_foundation.commands import HaltReply
from mts1b_foundation.nats import CMD_HALT_REQUEST
from mts1b_foundation.risk import HaltRequest, HaltSeverity
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.ids import derive_id
from mts1b_platform.service.base import ServiceContext

from mts1b_oms.ledger import Owner
from mts1b_oms.record import OmsRecord
from mts1b_oms.tables.store import quarantines

__all__ = ["Quarantine"]


class Quarantine:
    """Ask operations for the halts that the record says are due.

    Until operations has confirmed one, the order service refuses the strategy by itself.
    """

    def __init__(self, ctx: ServiceContext, record: OmsRecord) -> None:
        self._ctx = ctx
        self._record = record

    async def enforce(self) -> tuple[Owner, ...]:
        """Request every halt that is due; return the owners that are still without one."""
        for owner in sorted(self._record.unhalted):
            await self._halt(owner)
        return tuple(sorted(self._record.unhalted))

    async def _halt(self, owner: Owner) -> None:
        where = (quarantines.c.fund_id == owner[0]) & (quarantines.c.strategy_id == owner[1])
        due = where & (quarantines.c.halted == 0)
        async with self._record.store.read() as tx:
            rows = (
                await tx.execute(sa.select(quarantines).where(due).order_by(quarantines.c.fill_id))
            ).all()
        if not rows:
            return
        request = HaltRequest(
            halt_id=derive_id("halt", "quarantine", *owner, *(row.fill_id for row in rows)),
            severity=HaltSeverity.STRATEGY_HALT,
            fund_id=owner[0],
            strategy_id=owner[1],
            reason="; ".join(row.reason for row in rows),
            requested_by="oms",
            requested_at=max(row.at for row in rows),
        )
        try:
            await self._ctx.call(CMD_HALT_REQUEST, request, HaltReply)
        except BusError as error:
            self._ctx.log.warning("halt not confirmed", owner=owner, error=str(error))
            return
        asked = where & quarantines.c.fill_id.in_([row.fill_id for row in rows])
        async with self._record.unit() as unit:
            await unit.tx.execute(sa.update(quarantines).where(asked).values(halted=1))
            came_since = (await unit.tx.execute(sa.select(quarantines).where(due))).first()
        if came_since is None:
            self._record.unhalted.discard(owner)
