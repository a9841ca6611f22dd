"""Taking a scope flat, against a desk that keeps its orders and fills them when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import nats
from mts1b_foundation.commands import (
    BookReply,
    CancelAllReply,
    OrdersQuery,
    OrdersReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.orders import Order, OrderStatus, Side
from mts1b_foundation.positions import Position
from mts1b_operations import commands
from mts1b_operations.audit import AuditReader
from mts1b_operations.errors import FlattenRefused
from mts1b_operations.go_flat import FlatDone, go_flat, open_positions
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import RemoteError
from mts1b_platform.eventbus.server import NatsServer
from mts1b_platform.halt import HaltStore
from operations_world import FUND, STRATEGY, World, day


@dataclass
class Desk:
    """An OMS that knows an order by its id, and does with a new one what ``next`` says."""

    held: dict[str, Decimal]
    orders: dict[str, Order] = field(default_factory=dict)
    next: OrderStatus = OrderStatus.FILLED
    refuses: str = ""
    fills_after: bool = False
    """Whether everything fills right after the book was read once more."""

    async def book(self, data: bytes) -> bytes:
        positions = tuple(
            Position(
                symbol=symbol,
                quantity=quantity,
                last_price=Decimal(100),
                fund_id=FUND,
                strategy_id=STRATEGY,
                as_of=day(0),
            )
            for symbol, quantity in self.held.items()
        )
        if self.fills_after:
            for order in self.orders.values():
                self.orders[order.order_id] = order.with_(status=OrderStatus.FILLED)
                self.held[order.symbol] += order.signed_quantity
            self.fills_after = False
        return BookReply(positions=positions).model_dump_json().encode()

    async def submit(self, data: bytes) -> bytes:
        order = SubmitOrder.model_validate_json(data).order
        if order.symbol == self.refuses:
            raise RemoteError("UNKNOWN_SYMBOL", "nobody knows it")
        if order.order_id not in self.orders:
            self.orders[order.order_id] = order.with_(status=self.next)
            if self.next is OrderStatus.FILLED:
                self.held[order.symbol] += order.signed_quantity
        return SubmitReply(order=self.orders[order.order_id]).model_dump_json().encode()

    async def found(self, data: bytes) -> bytes:
        asked = OrdersQuery.model_validate_json(data)
        known = self.orders.get(asked.order_id or "")
        return OrdersReply(orders=(known,) if known else ()).model_dump_json().encode()

    async def cancel_all(self, data: bytes) -> bytes:
        return CancelAllReply().model_dump_json().encode()


@dataclass
class Running:
    """A home with a bus, the operations service and a desk."""

    home: Path
    desk: Desk

    async def flatten(self, scope: str = "firm", patience_s: float = 0.6) -> FlatDone:
        return await go_flat(
            self.home, scope, reason="drill", operator="jane", patience_s=patience_s
        )


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    server = NatsServer(tmp_path)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    world = World(tmp_path, bus=bus)
    desk = Desk({"IXIC": Decimal(135), "SPX": Decimal(-7), "FLAT": Decimal(0)})
    await world.start()
    await bus.serve(nats.CMD_OMS_BOOK, desk.book)
    await bus.serve(nats.CMD_OMS_SUBMIT, desk.submit)
    await bus.serve(nats.CMD_OMS_ORDERS, desk.found)
    await bus.serve(nats.CMD_OMS_CANCEL_ALL, desk.cancel_all)
    commands.create_operator_key(tmp_path, "jane")
    yield Running(tmp_path, desk)
    await world.stop()
    await bus.close()
    await server.stop()


async def test_long_and_short_are_closed_by_reduce_only_orders(running: Running) -> None:
    assert await open_positions(running.home, "symbol:SPX") == {f"{FUND}/{STRATEGY} SPX": -7}
    done = await running.flatten()
    assert (done.left, done.unknown) == ([], "")
    sides = {order.symbol: (order.side, order.quantity) for order in done.orders}
    assert sides == {"IXIC": (Side.SELL, 135), "SPX": (Side.COVER, 7)}
    assert all(order.reduce_only for order in running.desk.orders.values())
    assert {order.actor for order in done.orders} == {"operator:jane"}
    (halt,) = HaltStore(running.home / "halt").state().active
    assert (halt.scope, halt.reduce_only_allowed) == ("firm", True)


async def test_an_order_that_works_is_not_sent_again_and_one_that_was_refused_is(
    running: Running,
) -> None:
    desk = running.desk
    desk.next = OrderStatus.ACCEPTED
    first = await running.flatten(f"strategy:{STRATEGY}")
    assert [left.why.rpartition(" ")[2] for left in first.left] == ["accepted", "accepted"]
    second = await running.flatten(f"strategy:{STRATEGY}")
    assert second.halt_id == first.halt_id
    assert len(desk.orders) == 2
    for key, order in desk.orders.items():
        refused = {"rejected_code": "STALE_PRICE", "rejected_reason": "old"}
        desk.orders[key] = order.with_(status=OrderStatus.REJECTED, **refused)
    third = await running.flatten(f"strategy:{STRATEGY}")
    assert len(desk.orders) == 4
    assert len(third.left) == 2
    desk.next = OrderStatus.FILLED
    for key, order in desk.orders.items():
        desk.orders[key] = order.with_(status=OrderStatus.CANCELED)
    assert (await running.flatten(f"strategy:{STRATEGY}")).left == []
    assert set(desk.held.values()) == {Decimal(0)}


async def test_two_at_once_close_each_position_once(running: Running) -> None:
    await running.flatten("symbol:FLAT")  # whose halt is not of this scope
    one, two = await asyncio.gather(*(running.flatten(f"fund:{FUND}") for _ in range(2)))
    assert one.halt_id == two.halt_id
    assert set(running.desk.held.values()) == {Decimal(0)}
    assert len(running.desk.orders) == 2


async def test_what_fills_after_the_book_was_read_is_not_closed_again(running: Running) -> None:
    desk = running.desk
    desk.next = OrderStatus.ACCEPTED
    await running.flatten()
    desk.next, desk.fills_after = OrderStatus.FILLED, True
    assert (await running.flatten()).left == []
    assert set(desk.held.values()) == {Decimal(0)}
    assert len(desk.orders) == 2


async def test_another_halt_keeps_its_positions_and_is_named(running: Running) -> None:
    await commands.halt(running.home, "symbol:SPX", reason="nothing", actor="operator:jane")
    done = await running.flatten()
    (left,) = done.left
    assert left.name.endswith("SPX")
    assert "symbol:SPX is halted, not even reduce-only orders leave" in left.why
    assert running.desk.held["IXIC"] == 0


async def test_a_position_that_can_not_be_closed_keeps_no_other_open(running: Running) -> None:
    running.desk.refuses = "IXIC"
    done = await running.flatten()
    assert [(left.name, left.why) for left in done.left] == [
        (
            f"{FUND}/{STRATEGY} IXIC",
            "the OMS takes no closing order: UNKNOWN_SYMBOL: nobody knows it",
        )
    ]
    assert running.desk.held["SPX"] == 0


async def test_nobody_without_a_key_closes_anything(running: Running) -> None:
    with pytest.raises(FlattenRefused, match="nothing was done: no key of operator:eve"):
        await go_flat(running.home, "firm", reason="x", operator="eve")
    assert not HaltStore(running.home / "halt").state().active
    assert not running.desk.orders


async def test_both_ends_are_in_the_log(running: Running) -> None:
    done = await running.flatten()
    with AuditReader(running.home) as reader:
        reader.verify()
        trail = [entry for entry in reader.trail("firm") if "flatten" in entry.action]
    assert [entry.action for entry in trail] == ["operator_flatten", "operator_flatten_done"]
    assert trail[0].data["signature"]
    assert trail[1].data["order_ids"] == [order.order_id for order in done.orders]
