"""Killed anywhere, the OMS ends where it would have ended."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import (
    ActiveHalt,
    HaltSeverity,
    OrderStatus,
    Position,
    Side,
    Symbol,
)
from mts1b_oms.errors import ReconciliationMismatch
from mts1b_oms.ledger import Ledger, SubBook
from mts1b_oms.outcomes import CouldNotLook
from mts1b_oms.reconcile import Break, TheirBooks, compare

SPX, NDX = Symbol("SPX"), Symbol("NDX")


async def live(desk: Any, order: Any) -> None:
    """Trade two strategies in one symbol over one session."""
    await desk.orders.submit(order("a", quantity=Decimal(100)))
    await desk.orders.submit(
        order("b", side=Side.SHORT, quantity=Decimal(40), fund_id="beta", strategy_id="parity")
    )
    await desk.tick(1, {SPX: ("100", "110"), NDX: ("50", "51")})


async def test_every_crash_point_leads_to_the_same_state_and_the_same_events(
    new_desk: Any, order: Any, crash: type[BaseException]
) -> None:
    await (await new_desk("template")).close()
    whole = await new_desk("whole", template="template")
    await live(whole, order)
    points = list(whole.fuse.passed)
    assert len(points) == 24
    digest, events = await whole.digest(), await whole.events()
    for number in range(1, len(points) + 1):
        desk = await new_desk(f"crash-{number}", blow_at=number, template="template")
        with pytest.raises(crash):
            await live(desk, order)
        desk = await desk.reopen()
        assert desk.gate.is_open, f"{points[number - 1]}: {desk.gate.reason}"
        await live(desk, order)
        where = f"crash {number}: {points[number - 1]}"
        assert await desk.digest() == digest, where
        assert sorted(await desk.events()) == sorted(events), where
        assert await desk.reconciler.reconcile() == (), where
        await desk.close()


@pytest.mark.parametrize("first", [7, 8, 22], ids=["unsent", "sent", "in the tick"])
async def test_a_crash_in_the_recovery_from_a_crash_changes_nothing(
    new_desk: Any, order: Any, crash: type[BaseException], first: int
) -> None:
    whole = await new_desk("whole")
    await live(whole, order)
    desk = await new_desk("twice", blow_at=first)
    with pytest.raises(crash):
        await live(desk, order)
    for number in range(1, 30):
        desk.lives[-1].fuse.blow_at = 0
        try:
            desk = await desk.lives[-1].reopen(type(desk.fuse)(number))
        except crash:
            continue
        break
    assert number > 1, "there was something to recover"
    desk.fuse.blow_at = 0
    await live(desk, order)
    assert await desk.digest() == await whole.digest()
    assert sorted(await desk.events()) == sorted(await whole.events())


async def test_an_order_that_arrived_before_the_crash_is_adopted_not_sent_again(
    new_desk: Any, order: Any, crash: type[BaseException]
) -> None:
    desk = await new_desk()
    desk.fuse.blow_at = len(desk.fuse.passed) + 8
    with pytest.raises(crash, match="after submit"):
        await desk.orders.submit(order())
    desk = await desk.reopen()
    assert desk.report.adopted == ("order-k-1",)
    assert desk.venue.submitted == []
    assert (await desk.record.order("order-k-1")).status is OrderStatus.ACCEPTED


async def test_an_order_that_never_arrived_is_sent_by_recovery(
    new_desk: Any, order: Any, crash: type[BaseException]
) -> None:
    desk = await new_desk()
    desk.fuse.blow_at = len(desk.fuse.passed) + 7
    with pytest.raises(crash, match="before submit"):
        await desk.orders.submit(order())
    desk = await desk.reopen()
    assert desk.report.continued == ("order-k-1",)
    assert [o.order_id for o in desk.venue.submitted] == ["order-k-1"]
    assert desk.risk.asked == 1, "the approval of the first try still holds"


async def test_a_halt_while_it_was_down_keeps_the_interrupted_order_home(
    new_desk: Any, order: Any, crash: type[BaseException]
) -> None:
    desk = await new_desk()
    desk.fuse.blow_at = len(desk.fuse.passed) + 7
    with pytest.raises(crash):
        await desk.orders.submit(order())
    desk.halts.apply(
        ActiveHalt(
            halt_id="h",
            scope="firm",
            severity=HaltSeverity.FIRM_HALT,
            reason="stop",
            requested_by="operator:ann",
            requested_at=desk.clock.now(),
            epoch=1,
        )
    )
    desk = await desk.reopen()
    done = await desk.record.order("order-k-1")
    assert (done.status, done.rejected_code) == (OrderStatus.REJECTED, "FIRM_HALTED")
    assert desk.venue.submitted == []


async def test_the_gate_stays_closed_on_a_difference_and_says_which(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(cash=Decimal(999_000))
    assert not desk.gate.is_open
    assert desk.report.breaks == (Break("cash", Decimal(1_000_000), Decimal(999_000)),)
    with pytest.raises(ReconciliationMismatch, match="cash: ledger 1000000, venue 999000"):
        await desk.orders.submit(order())


async def test_a_foreign_trade_at_the_venue_closes_the_gate(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    foreign = order("foreign", symbol=NDX, quantity=Decimal(7))
    await desk.venue.paper.submit(foreign)
    await desk.venue.paper.on_bars([])
    await desk.tick(1, {NDX: ("50", "51")})
    assert desk.record.unhalted == {("alpha", "trend")}, "an unexplained fill is odd"
    assert desk.record.ledger.quantities() == {NDX: 7}, "and booked all the same"


async def test_books_that_can_not_be_read_are_not_empty_books(new_desk: Any) -> None:
    desk = await new_desk()
    desk.venue.deaf = True
    assert isinstance(await desk.reconciler.reconcile(), CouldNotLook)
    assert "could not be read" in (desk.gate.reason or "")
    desk.venue.deaf = False
    assert await desk.reconciler.reconcile() == ()
    assert desk.gate.is_open


async def test_nothing_leaves_while_an_order_in_doubt_can_not_be_looked_up(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    desk.venue.script = [TimeoutError("late")]
    await desk.orders.submit(order())
    desk.venue.blind = True
    desk.gate.close("restarting")
    report = await desk.recover()
    assert report.not_visible == ("order-k-1",)
    assert not desk.gate.is_open
    assert (await desk.record.order("order-k-1")).status is OrderStatus.UNKNOWN


async def test_a_restart_keeps_books_peaks_and_prices(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    await live(desk, order)
    await desk.orders.submit(order("c", side=Side.SELL, quantity=Decimal(30)))
    await desk.tick(2, {SPX: ("120", "90"), NDX: ("52", "53")})
    before = desk.record
    desk = await desk.reopen()
    assert desk.record.ledger == before.ledger
    assert desk.record.navs == before.navs
    assert desk.record.cursor == before.cursor == "3"
    assert desk.record.navs["alpha", None].drawdown < 0


def test_a_long_and_a_short_of_one_size_do_not_match() -> None:
    books = Ledger.of([SubBook("f", "s", Decimal(10), Decimal(10))])
    short = Position(symbol=SPX, quantity=Decimal(-5))
    assert compare(books, TheirBooks.of([short], Decimal(10))) == (
        Break("SPX", Decimal(0), Decimal(-5)),
    )
    assert compare(books, TheirBooks.of([], Decimal("10.01"))) == ()
    assert [b.what for b in compare(books, TheirBooks.of([], Decimal("10.02")))] == ["cash"]
