"""The example broker of the published protocol reference, as a subject that must not pass."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from mts1b_foundation import Fill, Order, Position

sys.path.insert(0, str(Path(__file__).parent))


@dataclass
class DocumentedPaper:
    """Fill every order at once; forget keys, positions and what was streamed."""

    name: str = "paper"
    fee_bps_per_side: float = 5.0
    _open_orders: dict[str, Order] = field(default_factory=dict)
    _positions: dict[str, Position] = field(default_factory=dict)
    _fill_queue: asyncio.Queue[Fill] = field(default_factory=asyncio.Queue)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def submit(self, order: Order) -> Order:
        """Take every order, a known key too."""
        now = datetime.now(UTC)
        broker_id = f"PAPER-{uuid4().hex[:8]}"
        accepted = order.model_copy(
            update={"submitted_at": now, "accepted_at": now, "broker_order_id": broker_id}
        )
        self._open_orders[broker_id] = accepted
        task = asyncio.create_task(self._fill(accepted, broker_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return accepted

    async def _fill(self, order: Order, broker_id: str) -> None:
        await asyncio.sleep(0.1)
        price = order.limit_price or Decimal(100)
        fill = Fill(
            fill_id=str(uuid4()),
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            price=price,
            fees=order.quantity * price * Decimal(str(self.fee_bps_per_side / 10_000)),
            venue=self.name,
            timestamp=datetime.now(UTC),
        )
        await self._fill_queue.put(fill)
        self._open_orders.pop(broker_id, None)

    async def cancel(self, order_id: str) -> bool:
        """Forget the order; its fill comes all the same."""
        return self._open_orders.pop(order_id, None) is not None

    async def get_open_orders(self) -> list[Order]:
        """List what is not filled yet."""
        return list(self._open_orders.values())

    async def get_positions(self) -> list[Position]:
        """List the positions, which no fill ever changes."""
        return list(self._positions.values())

    async def stream_fills(self) -> AsyncIterator[Fill]:
        """Hand out each fill to one reader, and then never again."""
        while True:
            yield await self._fill_queue.get()


@pytest.fixture
def documented() -> type[DocumentedPaper]:
    """The class of the documented example."""
    return DocumentedPaper
