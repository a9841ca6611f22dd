"""Intents that a restored record has lost, asked for again after the venue changed their orders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import DenyCode, OrderStatus
from mts1b_foundation.commands import ReplaceOutcome
from mts1b_oms.errors import OrderRefused
from test_oms_restored_terms import change, put_back, resting, terms


async def test_d7_a_lost_intent_whose_order_was_changed_is_the_order_as_it_stands(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """Who retries after a restore, or does not know of the change, was told of another order."""
    intent = resting(order)

    async def since(desk: Any) -> None:
        sent = await desk.orders.submit(intent)
        reply = await desk.replacer.replace(change(sent, "lost", 25, 45))
        assert reply.outcome is ReplaceOutcome.CONFIRMED

    desk = await put_back(await new_desk(), tmp_path, since)
    again = await desk.orders.submit(intent)

    assert (terms(again), again.status) == ((25, 45), OrderStatus.ACCEPTED)
    assert desk.venue.submitted == [], "this life sent nothing"


async def test_a7_d7_another_intent_with_the_key_of_a_lost_order_is_refused(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    async def since(desk: Any) -> None:
        await desk.orders.submit(resting(order))

    desk = await put_back(await new_desk(), tmp_path, since)
    for other in ({"side": "sell"}, {"strategy_id": "carry"}, {"reduce_only": True}):
        with pytest.raises(OrderRefused) as caught:
            await desk.orders.submit(resting(order, **other))
        assert caught.value.code == DenyCode.KEY_REUSE_MISMATCH
