"""An order reaches a venue through the gateway or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.contracts.checks.venue_door import VENUE_DOOR

Plant = Callable[..., Any]
SENDS = [
    "async def f(self, order):\n    await self._venue.submit(order)  # <-",
    "async def f(broker, order):\n    await broker.replace(order)  # <-",
    "async def f(brokers, name, order):\n    await brokers[name].submit(order)  # <-",
    "async def f(self, order):\n    await self.venue_for(order).submit(order)  # <-",
    "async def f(v: BrokerProtocol, order):\n    await v.submit(order)  # <-",
    "async def f(v: 'BrokerProtocol | None', order):\n    await v.submit(order)  # <-",
    "async def f(order):\n    v = create_venue(1)\n    await v.submit(order)  # <-",
    "async def f(order):\n    await create_venue(1).submit(order)  # <-",
    "from mts1b_brokers.kraken import KrakenClient\n"
    "async def f(order):\n    k = KrakenClient()\n    await k.submit(order)  # <-",
    "class A:\n    def __init__(self, v: BrokerProtocol):\n        self._v = v\n"
    "    async def f(self, order):\n        await self._v.submit(order)  # <-",
    "async def f(venue, order):\n    send = venue.submit  # <-\n    await send(order)",
    "async def f(venue, order):\n    await getattr(venue, 'submit')(order)  # <-",
    "from mts1b_brokers.registry import create_venue\n"
    "async def f(thing, order):\n    await thing.submit(order)  # <-",
]


@pytest.mark.parametrize("text", SENDS)
def test_a_send_outside_the_gateway_is_caught(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_oms/reconcile.py": text + "\n"})
    (violation,) = planted.found_by(VENUE_DOOR)
    assert violation.rule == "venue-door"
    assert "mts1b_oms.gateway" in violation.remedy


@pytest.mark.parametrize("text", SENDS)
def test_the_gateway_may_send(plant: Plant, text: str) -> None:
    planted = plant({"mts1b_oms/gateway.py": text.replace("  # <-", "") + "\n"})
    assert planted.found_by(VENUE_DOOR) == []


@pytest.mark.parametrize(
    "text",
    [
        "async def f(oms, order):\n    await oms.submit(order)",
        "async def f(order):\n    await OmsClient(fund_id='a').submit(order)",
        "def f(pool, work):\n    return pool.submit(work)",
        "def f(text, moment, path):\n"
        "    return text.replace('a', 'b'), moment.replace(hour=1), path.replace(path)",
        "from mts1b_brokers.registry import create_venue\n"
        "async def f(self, order):\n    await self.orders.submit(order)\n    'a'.replace('a', 'b')",
        "async def f(venue, order):\n    await venue.cancel(order)\n    await venue.positions()",
    ],
)
def test_other_submits_and_replaces_pass(plant: Plant, text: str) -> None:
    assert plant({"mts1b_research/runner.py": text + "\n"}).found_by(VENUE_DOOR) == []
