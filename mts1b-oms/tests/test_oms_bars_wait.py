"""Bars wait while the venue does not answer; the OMS goes on."""

from __future__ import annotations

from typing import Any

import pytest
from mts1b_foundation import Symbol
from mts1b_oms.tick import VenueSilent

SPX = Symbol("SPX")
PRICES = {SPX: ("100", "101")}


async def test_bars_that_the_venue_did_not_take_are_worked_through_later(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("k-1"))
    await desk.venue.paper.close()
    with pytest.raises(VenueSilent, match="took no bars"):
        await desk.tick(1, PRICES)
    assert await desk.bars.has_pending()
    desk = await desk.reopen()
    assert await desk.tick(1, PRICES) == 1
    assert not await desk.bars.has_pending()
