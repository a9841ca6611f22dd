"""Close every paper position by one order each."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from mts1b_foundation.commands import BookQuery, BookReply, SubmitOrder, SubmitReply
from mts1b_foundation.nats import CMD_OMS_BOOK, CMD_OMS_SUBMIT
from mts1b_foundation.orders import ExecutionMode, Order, OrderStatus, resolve_side
from mts1b_foundation.positions import Position
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.config import load_settings
from mts1b_platform.errors import RetryLater
from mts1b_platform.eventbus.port import BusError, RemoteError
from mts1b_platform.ids import derive_id

from mts1b_operations.asking import ask, command_bus, note
from mts1b_operations.errors import BadSelection, NothingRuns

__all__ = ["flatten_paper", "left_open"]


async def flatten_paper(home: Path, *, reason: str, actor: str) -> list[Order]:
    """Send one closing market order for every paper position; return the orders as recorded.

    :raises BadSelection: when the system does not trade on paper.
    :raises NothingRuns: when the OMS does not answer; what it was sent is in the audit log.
    """
    mode = load_settings(home).mode
    if mode is not ExecutionMode.PAPER:
        raise BadSelection(f"the mode is {mode.value}; flatten-paper closes paper positions only")
    sent: list[Order] = []
    failure: Exception | None = None
    try:
        await _send_closing(home, actor, sent)
    except (RetryLater, BusError) as error:
        failure = error
    if sent or failure is None:
        done = {"reason": reason, "order_ids": [order.order_id for order in sent]}
        await note(home, actor, "operator_flatten_paper", "firm", done)
    if isinstance(failure, RemoteError):
        raise failure
    if failure is not None:
        raise NothingRuns(
            f"the OMS does not answer ({failure}); is the system up? {len(sent)} closing orders "
            "were sent, one more may have been; run it again: the same position gives the same "
            "order"
        ) from failure
    return sent


async def _send_closing(home: Path, actor: str, sent: list[Order]) -> None:
    async with command_bus(home) as bus:
        book = await ask(bus, CMD_OMS_BOOK, BookQuery(), BookReply)
        for position in book.positions:
            if position.quantity != 0:
                order = _closing(position, actor, SystemClock())
                reply = await ask(bus, CMD_OMS_SUBMIT, SubmitOrder(order=order), SubmitReply)
                sent.append(reply.order)


def _closing(position: Position, actor: str, clock: Clock) -> Order:
    """Return the order that closes a position; the same position gives the same order."""
    moment = position.as_of or clock.now()
    who = (position.fund_id or "", position.strategy_id or "")
    what = (position.symbol, str(position.quantity), moment.isoformat())
    key = derive_id("flatten", *who, *what)
    way = "sell" if position.quantity > 0 else "buy"
    return Order(
        order_id=derive_id("ord", key),
        idempotency_key=key,
        symbol=position.symbol,
        side=resolve_side(way, position.quantity),
        quantity=abs(position.quantity),
        fund_id=who[0],
        strategy_id=who[1],
        actor=actor,
        created_at=moment,
        reference_price=position.last_price
        if position.last_price and position.last_price > Decimal(0)
        else None,
        reduce_only=True,
    )


def left_open(orders: list[Order]) -> list[Order]:
    """Return the orders that were refused, so that their position stays."""
    bad = (OrderStatus.REJECTED, OrderStatus.EXPIRED, OrderStatus.UNKNOWN)
    return [order for order in orders if order.status in bad]
