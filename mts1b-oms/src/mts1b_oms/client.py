"""The OMS as other services see it."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from mts1b_foundation.commands import (
    BookQuery,
    BookReply,
    CancelAll,
    CancelAllReply,
    CancelOrder,
    CancelReply,
    OrdersQuery,
    OrdersReply,
    ReplaceOrder,
    ReplaceReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import (
    CMD_OMS_BOOK,
    CMD_OMS_CANCEL,
    CMD_OMS_CANCEL_ALL,
    CMD_OMS_ORDERS,
    CMD_OMS_REPLACE,
    CMD_OMS_SUBMIT,
)
from mts1b_foundation.orders import Order
from mts1b_foundation.positions import Position
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.eventbus.port import EventBus, NoResponders, RequestTimeout
from mts1b_platform.service.base import ServiceContext

__all__ = ["OmsClient"]

Reply = TypeVar("Reply", bound=FrozenModel)

_RETRY_S = 0.05


class OmsClient:
    """Submit and cancel orders, read orders, positions and NAV.

    Every call is safe to repeat, so it is repeated while nobody answers, for up to
    ``patience_s``. What the OMS refuses raises ``mts1b_platform.eventbus.port.RemoteError`` with
    its code, e.g. ``UNKNOWN_SYMBOL``, ``KEY_REUSE_MISMATCH`` or ``NOT_RECONCILED``.

    :param fund_id: narrows :meth:`orders`, :meth:`get_positions` and :meth:`get_nav`.
    :param ctx: the service that asks; or give ``bus``.
    :param attempt_s: how long one attempt may take.
    :param clock: waits between attempts; the machine's by default, also in a replay.
    """

    def __init__(
        self,
        *,
        fund_id: str | None = None,
        ctx: ServiceContext | None = None,
        bus: EventBus | None = None,
        attempt_s: float = 5.0,
        patience_s: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        found = bus if bus is not None else (ctx.bus if ctx is not None else None)
        if found is None:
            raise TypeError("OmsClient needs ctx= or bus=")
        self._bus: EventBus = found
        self._fund_id = fund_id
        self._attempt_s = attempt_s
        self._patience_s = patience_s
        self._clock = clock or (ctx.system_clock if ctx is not None else SystemClock())

    async def submit(
        self, order: Order, *, algo: str | None = None, params: dict[str, object] | None = None
    ) -> Order:
        """Hand over an order, or with ``algo`` a parent order; return it as recorded."""
        request = SubmitOrder(order=order, algo=algo, params=params or {})
        return (await self._ask(CMD_OMS_SUBMIT, request, SubmitReply)).order

    async def cancel(self, order_id: str, *, actor: str, reason: str = "") -> CancelReply:
        """Cancel an order; the reply says confirmed, too late or unknown."""
        request = CancelOrder(order_id=order_id, actor=actor, reason=reason)
        return await self._ask(CMD_OMS_CANCEL, request, CancelReply)

    async def cancel_all(
        self, scope: str = "firm", *, actor: str, reason: str = ""
    ) -> CancelAllReply:
        """Cancel every open order of a scope; the reply lists what may still be open."""
        request = CancelAll(scope=scope, actor=actor, reason=reason)
        return await self._ask(CMD_OMS_CANCEL_ALL, request, CancelAllReply)

    async def replace(
        self,
        order_id: str,
        *,
        key: str,
        actor: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        reason: str = "",
    ) -> ReplaceReply:
        """Change an open order; the reply says confirmed, refused, too late or unknown.

        :param quantity: the new total, what is filled included; None leaves it.
        :param limit_price: the new limit; None leaves it.
        :param key: the same key is the same change, for ever.
        """
        request = ReplaceOrder(
            order_id=order_id,
            replace_key=key,
            quantity=quantity,
            limit_price=limit_price,
            actor=actor,
            reason=reason,
        )
        return await self._ask(CMD_OMS_REPLACE, request, ReplaceReply)

    async def orders(
        self,
        *,
        strategy_id: str | None = None,
        order_id: str | None = None,
        open_only: bool = False,
    ) -> tuple[Order, ...]:
        """Return orders, oldest first."""
        query = OrdersQuery(
            fund_id=self._fund_id, strategy_id=strategy_id, order_id=order_id, open_only=open_only
        )
        return (await self._ask(CMD_OMS_ORDERS, query, OrdersReply)).orders

    async def get_positions(self, strategy_id: str | None = None) -> tuple[Position, ...]:
        """Return the open positions, one per strategy and symbol."""
        return (await self._book(strategy_id)).positions

    async def get_nav(self, strategy_id: str | None = None) -> tuple[NavSnapshot, ...]:
        """Return the latest NAV of each fund (``strategy_id`` None) and strategy."""
        return (await self._book(strategy_id)).navs

    async def _book(self, strategy_id: str | None) -> BookReply:
        query = BookQuery(fund_id=self._fund_id, strategy_id=strategy_id)
        return await self._ask(CMD_OMS_BOOK, query, BookReply)

    async def _ask(self, subject: str, request: FrozenModel, reply: type[Reply]) -> Reply:
        data = request.model_dump_json().encode()
        deadline = self._clock.monotonic() + self._patience_s
        while True:
            try:
                answer = await self._bus.request(subject, data, timeout_s=self._attempt_s)
                return reply.model_validate_json(answer)
            except (NoResponders, RequestTimeout):
                if self._clock.monotonic() >= deadline:
                    raise
                await self._clock.sleep(_RETRY_S)
