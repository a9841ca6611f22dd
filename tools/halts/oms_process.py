"""``python -m tools.halts.oms_process``: the real OMS service over a paper venue that notes when
each order reaches it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from mts1b_brokers.paper import FillPolicy, PaperClient, VenueProfile
from mts1b_foundation.orders import Order
from mts1b_oms.service import OmsService
from mts1b_platform.config import load_settings
from mts1b_platform.eventbus.port import EventBus
from mts1b_platform.service.base import Service
from mts1b_platform.service.run import ServiceHost

__all__ = ["WIRE_LOG", "WiredPaper"]

WIRE_LOG = "wire.log"


@dataclass
class WiredPaper(PaperClient):
    """The paper venue, with a line for each order at the moment it reaches the wire."""

    wire: Path | None = None

    async def submit(self, order: Order) -> Order:
        """Note the monotonic time, then submit. Nothing is awaited before the note."""
        if self.wire is not None:
            line = f"{time.monotonic():.6f} {order.strategy_id} {order.order_id}\n"
            handle = os.open(self.wire, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            os.write(handle, line.encode())
            os.close(handle)
        return await super().submit(order)


class _Host(ServiceHost):
    def _build(self, name: str, bus: EventBus) -> Service:
        built = super()._build(name, bus)
        capital = [entry.fund.target_nav_usd for entry in built.ctx.settings.funds]
        profile = VenueProfile(fill=FillPolicy.IMMEDIATE, initial_cash=sum(capital, Decimal(0)))
        venue = WiredPaper(
            profile=profile,
            home=built.ctx.home,
            clock=built.ctx.clock,
            wire=built.ctx.home / WIRE_LOG,
        )
        return OmsService(built.ctx, venue=venue)


async def _run(home: Path) -> None:
    host = _Host(["oms"], home, load_settings(home))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, host.stop)
    await host.run()


if __name__ == "__main__":
    asyncio.run(_run(Path(os.environ["MTS_HOME"])))
