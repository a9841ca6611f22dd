"""When the last fill of an order was: the time of the order's own ``filled`` event."""

from __future__ import annotations

from datetime import datetime

from mts1b_foundation.nats import OMS_ORDERS_FILLED
from mts1b_foundation.orders import Fill, Order
from mts1b_platform.pump import Event

from mts1b_operations.audit.chain import AuditChain

__all__ = ["FillTimes"]


class FillTimes:
    """Remember fill times until the order is filled; after a restart, ask the log."""

    def __init__(self, audit: AuditChain) -> None:
        self._audit = audit
        self._last: dict[str, datetime] = {}

    async def of(self, event: Event) -> datetime | None:
        """Return the last fill's time for a filled order, None for every other event."""
        payload = event.payload
        if isinstance(payload, Fill):
            known = self._last.get(payload.order_id, payload.timestamp)
            self._last[payload.order_id] = max(known, payload.timestamp)
        if not isinstance(payload, Order) or event.base_subject != OMS_ORDERS_FILLED:
            if isinstance(payload, Order) and payload.is_terminal:
                self._last.pop(payload.order_id, None)  # filled in part, and never to be filled
            return None
        if payload.order_id not in self._last:
            trail = await self._audit.get_trail(subject_id=payload.order_id)
            times = [entry.timestamp for entry in trail if entry.action == "fill_created"]
            return max(times, default=None)
        return self._last.pop(payload.order_id)
