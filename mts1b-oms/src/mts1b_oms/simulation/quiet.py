"""Hours in which nothing happens, and nobody is to be told that something did."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import sqlalchemy as sa
from mts1b_foundation.nats import (
    OMS_FILLS_CREATED,
    OMS_NAV_UPDATED,
    OMS_ORDERS_ACCEPTED,
    OMS_ORDERS_CANCELED,
    OMS_ORDERS_CREATED,
    OMS_ORDERS_FILLED,
    OMS_ORDERS_SUBMITTED,
    base_subject,
)
from mts1b_platform.store.tables import outbox

from mts1b_oms.simulation.checks import Violation

if TYPE_CHECKING:
    from mts1b_oms.simulation.world import World

__all__ = ["check_quiet"]

_AT_WORK = (
    OMS_ORDERS_CREATED,
    OMS_ORDERS_SUBMITTED,
    OMS_ORDERS_ACCEPTED,
    OMS_ORDERS_FILLED,
    OMS_ORDERS_CANCELED,
    OMS_FILLS_CREATED,
)
"""What an algorithm tells that was begun while a clock was ahead: later it works on."""


async def check_quiet(world: World, seconds: float) -> None:
    """Let time pass in which nothing happens.

    :raises Violation: P8 where the OMS told anybody of anything but values.
    """
    oms = world.oms
    if oms is None:
        raise Violation("P8 the OMS is not up")
    store = oms.record.store
    async with store.read() as tx:
        known = (await tx.execute(sa.select(sa.func.max(outbox.c.position)))).scalar_one()
    await asyncio.sleep(seconds)
    async with store.read() as tx:
        told = sa.select(outbox.c.subject).where(outbox.c.position > known)
        alarms = {base_subject(subject) for subject in (await tx.execute(told)).scalars()}
    alarms -= {OMS_NAV_UPDATED, *(_AT_WORK if world.clocks_step else ())}
    if alarms:
        raise Violation(f"P8 nothing happened, and the OMS told {', '.join(sorted(alarms))}")
