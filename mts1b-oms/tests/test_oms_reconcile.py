"""Orders, positions and cash against the venue, for ever; a restored backup; what is not ours."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mts1b_brokers.paper import VenueProfile
from mts1b_foundation import Fill, Order, OrderStatus, OrderType, Symbol, TimeInForce
from mts1b_foundation.commands import CancelOutcome
from mts1b_foundation.protocols import AccountSnapshot
from mts1b_oms.fills import book_fills
from mts1b_oms.last_acts import LastActs
from mts1b_oms.reconcile import TheirBooks, compare
from mts1b_oms.tables.store import reconciliations
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.witness import Extent, Witness

SPX, NDX = Symbol("SPX"), Symbol("NDX")


def resting(order: Any, key: str, limit: int = 50, **changes: Any) -> Order:
    return order(
        key,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(limit),
        tif=TimeInForce.GTC,
        **changes,
    )


async def test_only_a_report_that_says_something_new_is_told(new_desk: Any) -> None:
    desk = await new_desk()
    await desk.reconciler.reconcile()
    desk.venue.deaf = True
    await desk.reconciler.reconcile()
    await desk.reconciler.reconcile()
    desk.venue.deaf = False
    await desk.reconciler.reconcile()
    desk = await desk.reopen()

    reports = await desk.reports()
    assert [report.agrees for report in reports] == [True, False, True]
    assert "TimeoutError" in reports[1].reason
    query = sa.select(reconciliations.c.payload).order_by(reconciliations.c.position)
    async with desk.store.read() as tx:
        kept = (await tx.execute(query)).scalars().all()
    assert kept == [report.model_dump_json() for report in reports]


async def test_d4_equal_books_give_equal_reports(new_desk: Any, order: Any) -> None:
    told = []
    for name in ("one", "two"):
        desk = await new_desk(name)
        await desk.orders.submit(order("k-1"))
        await desk.tick(1, {SPX: ("100", "101")})
        desk.venue.late = [foreign(desk, order)]
        await desk.reconciler.reconcile()
        told.append([report.model_dump_json() for report in await desk.reports()])
    assert told[0] == told[1]
    assert len(told[0]) == 2


def foreign(desk: Any, order: Any) -> Fill:
    """Return an execution that the stream tells and the venue's position does not have."""
    return Fill(
        fill_id="f-foreign",
        order_id="somebody-else",
        symbol=NDX,
        side="buy",
        quantity=Decimal(3),
        price=Decimal(200),
        venue="paper",
        timestamp=desk.clock.now(),
    )


async def test_d5_a_failing_query_is_no_report_of_a_flat_book(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("k-1"))
    await desk.tick(1, {SPX: ("100", "101")})
    desk.venue.deaf = True

    await desk.reconciler.reconcile()

    assert not desk.gate.is_open
    assert desk.record.ledger.quantities() == {SPX: 10}
    assert (await desk.reports())[-1].breaks == ()


async def test_d6_rows_that_come_twice_are_not_added_up(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("k-1"))
    await desk.tick(1, {SPX: ("100", "101")})
    account = await desk.venue.account_snapshot()
    with pytest.raises(ValueError, match="SPX more than once"):
        compare(desk.record.ledger, TheirBooks.of(account.positions * 2))

    async def twice() -> AccountSnapshot:
        return account.with_(positions=account.positions * 2)

    desk.venue.account_snapshot = twice
    await desk.reconciler.reconcile()

    assert "SPX more than once" in desk.gate.reason


async def test_d6_an_incomplete_list_of_open_orders_ends_none(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order, "k-1"))

    async def nothing() -> list[Order]:
        return []

    desk.venue.get_open_orders = nothing
    await desk.reconciler.reconcile()

    assert (await desk.record.order(sent.order_id)).status is OrderStatus.ACCEPTED
    assert desk.gate.is_open


async def test_b12_an_order_by_hand_is_told_and_its_fill_belongs_to_nobody_here(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    stranger = resting(order, "by-hand", order_id="by-hand", fund_id="x", strategy_id="y")
    await desk.venue.paper.external(stranger)

    await desk.reconciler.reconcile()
    report = (await desk.reports())[-1]
    assert report.breaks == ("order by-hand: open at the venue, not ours",)
    assert (report.agrees, desk.gate.is_open) == (False, True)

    await desk.tick(1, {SPX: ("49", "49")})
    assert desk.record.ledger.quantities() == {SPX: 10}
    assert desk.record.ledger.book("alpha", "trend").holdings == {}
    assert len(desk.record.unhalted) == 1
    await desk.reconciler.reconcile()
    assert desk.gate.is_open


async def test_b2_an_execution_under_two_ids_converges_to_the_venue(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(order("k-1"))
    await desk.tick(1, {SPX: ("100", "101")})
    (fill,) = (await desk.venue.paper.fills_since(None))[0]
    async with desk.record.unit() as unit:
        await book_fills(unit, [fill.with_(fill_id="the-same-again")])
    assert desk.record.ledger.quantities() == {SPX: 20}

    await desk.reconciler.reconcile()
    await desk.reconciler.reconcile()

    assert desk.record.ledger.quantities() == {SPX: 10}
    assert desk.gate.is_open
    assert desk.record.unhalted == {("alpha", "trend")}
    done = await desk.record.order(sent.order_id)
    assert (done.status, done.filled_quantity) == (OrderStatus.FILLED, 10)
    assert (await desk.verbs()).count("fills.corrected") == 1


async def test_b2_a_sale_that_is_not_told_yet_takes_no_twin_back(new_desk: Any, order: Any) -> None:
    """Seed 31: two equal executions, and a position that was short by just one of them."""
    desk = await new_desk(profile=VenueProfile(max_fill_quantity=Decimal(5)))
    sent = await desk.orders.submit(resting(order, "k-1"))
    for _ in range(2):
        await desk.venue.paper.overfill(sent.order_id, quantity=Decimal(5), price=Decimal(49))
    await desk.sync.collect()
    sale = await desk.orders.submit(resting(order, "k-2", limit=5_000, side="sell"))
    desk.venue.withheld = True
    await desk.venue.paper.overfill(sale.order_id, quantity=Decimal(5), price=Decimal(49))

    await desk.reconciler.reconcile()
    assert not desk.gate.is_open
    desk.venue.withheld = False
    await desk.reconciler.reconcile()

    assert desk.gate.is_open
    assert desk.record.ledger.quantities() == {SPX: 5}
    assert desk.record.unhalted == set()


async def test_two_equal_parts_are_left_alone_where_the_venue_has_both(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk(profile=VenueProfile(max_fill_quantity=Decimal(5)))
    await desk.orders.submit(resting(order, "k-1"))
    await desk.tick(1, {SPX: ("49", "49"), NDX: ("1", "1")})
    await desk.tick(2, {SPX: ("49", "49"), NDX: ("1", "1")})
    await desk.reconciler.reconcile()

    assert desk.record.ledger.quantities() == {SPX: 10}
    assert desk.gate.is_open


async def test_what_is_over_here_and_open_at_the_venue_is_cancelled_and_told(
    new_desk: Any, order: Any
) -> None:
    """Seed 75101: a venue opened an order again when it took executions of it back."""
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order, "k-1"))
    async with desk.record.unit() as unit:
        unit.change(sent, OrderEvent.EXPIRY)
    await desk.reconciler.reconcile()

    assert await desk.venue.paper.get_open_orders() == []
    assert "order-k-1: open at the venue, over here; cancelled" in " ".join(
        (await desk.reports())[-1].breaks
    )


# D7: a backup that is an hour old.


async def backup_then_trade(
    desk: Any, order: Any, tmp_path: Path, *, noted: bool = True, **options: Any
) -> Any:
    """Trade, copy the store, trade on, put the copy back, and open it.

    :param noted: whether the witness was written since the copy.
    """
    await desk.orders.submit(order("before"))
    await desk.tick(1, {SPX: ("100", "101")})
    desk.restoration.note()
    await desk.close()
    shutil.copytree(desk.home / "db", tmp_path / "backup")
    shutil.copytree(desk.home / "witness", tmp_path / "witness-then")

    desk = await desk.reopen()
    await desk.orders.submit(order("lost-and-filled"))
    await desk.orders.submit(resting(order, "lost-and-open"))
    await desk.tick(2, {SPX: ("102", "103")})
    desk.restoration.note()
    await desk.close()

    if not noted:
        shutil.copytree(tmp_path / "witness-then", desk.home / "witness", dirs_exist_ok=True)
    for kept in (tmp_path / "backup").glob("oms.*"):
        shutil.copy(kept, desk.home / "db" / kept.name)
    for log in (desk.home / "db").glob("oms.sqlite-*"):
        if not (tmp_path / "backup" / log.name).exists():
            log.unlink()
    return await desk.reopen(**options)


async def test_d7_a_restored_backup_is_told_and_takes_over_what_the_venue_has(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await backup_then_trade(await new_desk(), order, tmp_path)

    report = (await desk.reports())[-1]
    assert report.rolled_back
    assert desk.record.restored
    assert desk.record.fence == 3, "above every opening since the backup: leases go to the newest"
    assert desk.record.ledger.quantities() == {SPX: 20}
    assert desk.gate.is_open
    assert sorted(desk.record.open_orders) == ["order-lost-and-open"]
    assert desk.record.unhalted == {("alpha", "trend")}


async def test_d7_what_the_venue_has_open_tells_of_a_loss_that_the_witness_never_saw(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """A store that fails over to a late replica loses the last second; seed 15 of 60 orders."""
    desk = await backup_then_trade(await new_desk(), order, tmp_path, noted=False)

    assert "1 of our orders open" in desk.record.restored
    assert sorted(desk.record.open_orders) == ["order-lost-and-open"]


async def test_d7_a_forgotten_key_is_looked_for_before_it_is_sent(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await backup_then_trade(await new_desk(), order, tmp_path)
    desk.record.unhalted.clear()

    again = await desk.orders.submit(order("lost-and-filled"))
    new = await desk.orders.submit(resting(order, "new"))

    assert [sent.idempotency_key for sent in desk.venue.submitted] == ["new"]
    assert new.status is OrderStatus.ACCEPTED
    assert again.idempotency_key == "lost-and-filled"
    assert again.submitted_at is not None


async def test_d7_while_the_venue_is_silent_a_restored_record_sends_nothing(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await backup_then_trade(await new_desk(), order, tmp_path)
    desk.record.unhalted.clear()
    desk.venue.blind = True

    sent = await desk.orders.submit(resting(order, "new"))

    assert sent.status is OrderStatus.UNKNOWN
    assert desk.venue.submitted == []


async def test_d7_what_was_lost_is_taken_over_once_the_venue_shows_it(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await backup_then_trade(await new_desk(), order, tmp_path)
    assert desk.record.orders_lost is False
    desk = await desk.reopen()
    assert (bool(desk.record.restored), desk.record.orders_lost) == (True, False)
    assert sorted(desk.record.open_orders) == ["order-lost-and-open"]


async def test_d7_algorithms_are_cancelled_for_somebody_may_have_done_it_since(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await new_desk()
    parent = await desk.orders.take_parent(order("parent"), algo="twap", params={})
    desk = await backup_then_trade(desk, order, tmp_path)
    assert (await desk.record.order(parent.order_id)).status is OrderStatus.PENDING_CANCEL


async def test_d7_what_was_told_before_the_order_was_found_again_is_its_own(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """Seed 420133: it stayed open here for ever, filled by the rest alone."""
    desk = await backup_then_trade(await new_desk(), order, tmp_path, recover=False)
    (shown,) = await desk.venue.paper.get_open_orders()
    await desk.venue.paper.overfill(shown.order_id, quantity=Decimal(4), price=Decimal(50))
    await desk.sync.collect()
    assert await desk.record.order(shown.order_id) is None
    await desk.recover()
    assert (await desk.record.order(shown.order_id)).filled_quantity == 4

    rest = shown.quantity - 4
    await desk.venue.paper.overfill(shown.order_id, quantity=rest, price=Decimal(51))
    await desk.sync.collect()

    found = await desk.record.order(shown.order_id)
    assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, shown.quantity)
    assert found.average_fill_price == (4 * 50 + rest * 51) / shown.quantity


async def just_restored(desk: Any, order: Any, tmp_path: Path) -> Any:
    """Restore at once, where the venue shows everything half a minute late; not recovered yet."""
    desk = await backup_then_trade(desk, order, tmp_path, lag_s=30.0, recover=False)
    desk.gateway._acts = LastActs(desk.clock, lag_s=30.0)  # as the clock stands after the start
    return desk


async def test_d7_what_the_venue_may_show_late_is_neither_given_up_nor_sent_again(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await just_restored(await new_desk(), order, tmp_path)

    async def nothing(*key: str) -> None:
        return None

    async def none() -> list[Order]:
        return []

    with monkeypatch.context() as hidden:
        hidden.setattr(desk.venue.paper, "get_order_by_key", nothing)
        hidden.setattr(desk.venue.paper, "get_open_orders", none)
        await desk.recover()
        desk.record.unhalted.clear()
        again = await desk.orders.submit(resting(order, "lost-and-open"))
    assert (again.status, desk.venue.submitted) == (OrderStatus.UNKNOWN, [])
    desk.clock.advance(31.0)
    assert (await desk.orders.carry_on(again.order_id)).status is OrderStatus.ACCEPTED
    assert desk.venue.submitted == []


async def test_d7_what_was_lost_is_looked_for_until_the_venue_must_have_shown_it(
    new_desk: Any, order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await just_restored(await new_desk(), order, tmp_path)

    async def none() -> list[Order]:
        return []

    with monkeypatch.context() as hidden:
        hidden.setattr(desk.venue.paper, "get_open_orders", none)
        await desk.recover()
    assert list(desk.record.open_orders) == []
    await desk.reconciler.reconcile()
    assert list(desk.record.open_orders) == ["order-lost-and-open"]
    assert desk.record.orders_lost, "another may be shown yet"
    desk.clock.advance(31.0)
    await desk.reconciler.reconcile()
    assert not desk.record.orders_lost


async def test_d7_an_order_taken_over_without_a_time_is_cancelled_at_the_venue(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """It looked like one that is worked here, whose cancel needs no venue."""
    desk = await backup_then_trade(await new_desk(), order, tmp_path, recover=False)
    shown = desk.venue.get_open_orders

    async def without_times() -> list[Order]:
        return [theirs.with_(submitted_at=None) for theirs in await shown()]

    desk.venue.get_open_orders = without_times
    await desk.recover()
    reply = await desk.canceller.cancel("order-lost-and-open", actor="operator:ann")
    assert reply.outcome is CancelOutcome.CONFIRMED
    assert await shown() == []


async def test_a_restart_is_no_restoration(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    await desk.orders.submit(order("k-1"))
    for _ in range(3):
        desk = await desk.reopen()
        desk.restoration.note()
    assert desk.record.restored == ""
    assert not (await desk.reports())[-1].rolled_back


def test_the_witness_outlives_a_torn_write_and_knows_its_store(tmp_path: Path) -> None:
    witness = Witness(tmp_path)
    assert witness.seen() is None
    witness.note(Extent("a", 3, 10, 5))
    seen = Witness(tmp_path).seen()
    assert seen == Extent("a", 3, 10, 5)
    assert not Extent("a", 4, 10, 5).is_behind(seen)
    assert Extent("a", 4, 9, 5).is_behind(seen)
    assert Extent("a", 4, 10, 4).is_behind(seen)
    assert Extent("a", 3, 10, 5).is_behind(seen)
    assert not Extent("b", 1, 0, 0).is_behind(seen)
    assert Extent("a", 4, 10, 5, 6).is_behind(Extent("a", 3, 10, 5, 7)), "a change alone"
    (tmp_path / "oms.json").write_text("{")
    assert Witness(tmp_path).seen() is None
