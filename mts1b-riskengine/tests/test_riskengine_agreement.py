"""What risk holds for orders that the OMS does not have is given back, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from mts1b_foundation import Order, OrderStatus
from mts1b_foundation.commands import OrdersQuery, OrdersReply
from mts1b_platform.eventbus.port import NoResponders
from mts1b_platform.logging import get_logger
from mts1b_riskengine.agreement import OrderAgreement
from riskengine_desk import AT, Desk, make_order


class Oms:
    """What an OMS answers: its orders by id, or silence."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.complete = True
        self.partial: set[bool] = set()
        """Which questions are answered in part: that for what is open, that for one order."""
        self.silent = False

    async def answer(self, query: OrdersQuery) -> OrdersReply:
        if self.silent:
            raise NoResponders("nobody serves it")
        found = [
            order
            for order in self.orders.values()
            if query.order_id in (None, order.order_id)
            and not (query.open_only and order.is_terminal)
        ]
        complete = self.complete and query.open_only not in self.partial
        return OrdersReply(orders=tuple(found), complete=complete)


class Comparison:
    """A desk with one working order, compared every twenty seconds."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.oms = desk, Oms()
        self.agreement = OrderAgreement(
            desk.engine, self.oms.answer, clock=desk.clock, log=get_logger("test")
        )
        self.order = make_order(quantity=Decimal(300))

    async def begin(self) -> None:
        assert (await self.desk.engine.check(self.order)).approved
        working = self.order.with_(
            status=OrderStatus.ACCEPTED, submitted_at=AT, accepted_at=AT, version=4
        )
        await self.desk.feed(working)
        self.oms.orders[working.order_id] = working

    async def look(self, times: int = 1) -> list[str]:
        given_back: list[str] = []
        for _ in range(times):
            given_back += await self.agreement.look()
            self.desk.clock.advance_to(self.desk.clock.now() + timedelta(seconds=20))
        return given_back

    @property
    def held(self) -> list[str]:
        return self.desk.book.reservations.open_ids()


async def compared(desk: Desk) -> Comparison:
    found = Comparison(desk)
    await found.begin()
    return found


async def test_what_the_oms_has_is_kept(desk: Desk) -> None:
    it = await compared(desk)
    assert await it.look(10) == []
    assert it.held == [it.order.order_id]


async def test_what_is_over_at_an_older_version_is_given_back(desk: Desk) -> None:
    """The event was taken for old: the record that it came from had been put back."""
    it = await compared(desk)
    ended = it.order.with_(status=OrderStatus.CANCELED, filled_quantity=Decimal(20), version=3)
    await desk.feed(ended)
    assert it.held == [it.order.order_id]
    it.oms.orders[it.order.order_id] = ended
    assert await it.look(5) == [it.order.order_id]
    assert desk.book.reservations.get(it.order.order_id).remaining == 20, "fills on their way"
    await desk.fill(it.order, "20")
    assert it.held == []


async def test_an_open_order_at_an_older_version_follows_its_events_again(desk: Desk) -> None:
    it = await compared(desk)
    older = it.oms.orders[it.order.order_id].with_(version=2, quantity=Decimal(100))
    it.oms.orders[it.order.order_id] = older
    assert await it.look(5) == [it.order.order_id]
    assert desk.book.reservations.get(it.order.order_id).remaining == 300, "the larger counts"
    await desk.feed(older.with_(version=3, status=OrderStatus.CANCELED))
    assert it.held == []
    assert await it.look(10) == []


async def test_what_the_oms_has_lost_is_given_back_and_stays_so(desk: Desk) -> None:
    it = await compared(desk)
    it.oms.orders.clear()
    assert await it.look(4) == [], "one answer is not enough, nor is a young reservation"
    assert await it.look() == [it.order.order_id]
    assert it.held == []
    line = desk.book.positions.of_fund("alpha").lines["trend", it.order.symbol]
    assert line.open_buy == 0


async def test_a_record_that_is_not_made_up_says_nothing(desk: Desk) -> None:
    it = await compared(desk)
    it.oms.orders.clear()
    it.oms.complete = False
    assert await it.look(10) == []
    it.oms.complete, it.oms.silent = True, True
    assert await it.look(10) == []


async def test_a_list_that_is_not_complete_says_nothing(desk: Desk) -> None:
    it = await compared(desk)
    it.oms.orders[it.order.order_id] = it.oms.orders[it.order.order_id].with_(version=2)
    it.oms.partial = {True}
    assert await it.look(10) == []


async def test_an_answer_on_one_order_that_is_not_complete_says_nothing(desk: Desk) -> None:
    it = await compared(desk)
    it.oms.orders.clear()
    it.oms.partial = {False}
    assert await it.look(10) == []


async def test_two_answers_that_differ_are_no_agreement(desk: Desk) -> None:
    it = await compared(desk)
    working = it.oms.orders.pop(it.order.order_id)
    assert await it.look(4) == []
    it.oms.orders[it.order.order_id] = working.with_(version=3, status=OrderStatus.CANCELED)
    assert await it.look() == []
    assert await it.look() == [it.order.order_id]


async def test_an_order_that_is_asked_for_meanwhile_is_kept(desk: Desk) -> None:
    it = await compared(desk)
    it.oms.orders.clear()
    await it.look(4)
    answer = it.oms.answer

    async def asked_again(query: OrdersQuery) -> OrdersReply:
        found = await answer(query)
        desk.clock.advance_to(desk.clock.now() + timedelta(seconds=1))
        await desk.engine.check(it.order)
        return found

    it.agreement._ask = asked_again
    assert await it.look() == []
    assert it.held == [it.order.order_id]


async def test_an_event_takes_the_reservation_up_again(desk: Desk) -> None:
    it = await compared(desk)
    working = it.oms.orders.pop(it.order.order_id)
    await it.look(5)
    assert it.held == []
    await desk.feed(working.with_(version=0))
    assert it.held == [it.order.order_id]


async def test_an_order_that_comes_again_is_judged_anew(desk: Desk) -> None:
    it = await compared(desk)
    it.oms.orders.clear()
    await it.look(5)
    decision = await desk.engine.check(it.order)
    assert decision.approved
    assert it.held == [it.order.order_id]
