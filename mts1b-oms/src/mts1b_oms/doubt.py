"""Go after orders that nobody knows the fate of, and cancels without an answer, until there is
evidence."""

from __future__ import annotations

from typing import Any

from mts1b_foundation.orders import Order, OrderStatus
from mts1b_platform.clock import Clock

from mts1b_oms.cancels import Canceller
from mts1b_oms.errors import OmsError
from mts1b_oms.orders import IN_DOUBT, OrderService
from mts1b_oms.parents import is_parent
from mts1b_oms.replaces import Replacer

__all__ = ["ALARM_AFTER_S", "DoubtWork"]

ALARM_AFTER_S = 5.0
"""An order that is in doubt for longer is told of."""

_DOUBTFUL = IN_DOUBT | {OrderStatus.PENDING_REPLACE, OrderStatus.PENDING_RISK}
"""What waits for risk is here too: a restart behind a closed gate leaves it where it was."""
_FIRST_S = 0.5
_LONGEST_S = 30.0


class DoubtWork:
    """Ask the venue again and again, each time after twice the pause, at most every 30 s.

    A cancel that is on record was asked for by somebody, who may have gone: the venue is asked for
    it again as long as it gives no answer.
    An order that is being sent right now is not in doubt: it is looked at from the second round on.
    One that somebody works on, or that waits for risk, holds up no other.
    """

    def __init__(
        self,
        service: OrderService,
        replacer: Replacer,
        canceller: Canceller,
        *,
        clock: Clock,
        log: Any,
    ) -> None:
        self._service = service
        self._canceller = canceller
        self._replacer = replacer
        self._clock = clock
        self._log = log
        self._since: dict[str, float] = {}
        self._next: dict[str, tuple[float, float]] = {}
        self._told: set[str] = set()

    @property
    def waiting(self) -> tuple[str, ...]:
        """Return the orders that have been in doubt for too long."""
        return tuple(sorted(self._told))

    async def work(self) -> None:
        """Go once through the orders in doubt that are due."""
        now = self._clock.monotonic()
        doubtful = {
            order.order_id: order
            for order in self._service.record.open_orders.values()
            if order.status in _DOUBTFUL
            or order.order_id in self._service.record.replacing
            or _is_to_be_cancelled(order)
        }
        for gone in set(self._since) - set(doubtful):
            del self._since[gone]
            self._next.pop(gone, None)
            self._told.discard(gone)
        for order_id, order in sorted(doubtful.items()):
            since = self._since.setdefault(order_id, now)
            due, pause = self._next.setdefault(order_id, (now + _FIRST_S, _FIRST_S))
            if now - since >= ALARM_AFTER_S and order_id not in self._told:
                self._told.add(order_id)
                self._log.error("order in doubt", order_id=order_id, symbol=str(order.symbol))
            if order.idempotency_key in self._service.keys.held:
                continue
            if now >= due:
                await self._look(order)
                pause = min(2.0 * pause, _LONGEST_S)
                self._next[order_id] = (self._clock.monotonic() + pause, pause)

    async def _look(self, order: Order) -> None:
        try:
            if order.status is OrderStatus.PENDING_CANCEL:
                await self._canceller.cancel(order.order_id, actor="oms", reason="asked for before")
            elif order.order_id in self._service.record.replacing:
                await self._replacer.settle(order.order_id)
            else:
                await self._service.carry_on(order.order_id, waits=False)
        except OmsError as error:
            self._log.warning("order in doubt", order_id=order.order_id, error=str(error))


def _is_to_be_cancelled(order: Order) -> bool:
    """Return whether the venue has a cancel to answer; a parent's are those of its children."""
    return order.status is OrderStatus.PENDING_CANCEL and not is_parent(order)
