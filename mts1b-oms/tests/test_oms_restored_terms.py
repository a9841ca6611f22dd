"""Orders that were changed at the venue after the backup was made that has been put back."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_brokers.paper import VenueProfile
from mts1b_foundation import Order, OrderStatus, OrderType, Symbol, TimeInForce
from mts1b_foundation.commands import ReplaceOrder, ReplaceOutcome
from mts1b_foundation.nats import OMS_ORDERS_REPLACED
from mts1b_oms.last_acts import LastActs
from mts1b_oms.tables.orders import history
from mts1b_platform.store.tables import outbox
from sqlalchemy import select

SPX = Symbol("SPX")


def resting(order: Any, key: str = "k-1", **changes: Any) -> Order:
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    return order(key, **(terms | changes))


def change(sent: Order, key: str, quantity: int, limit: int) -> ReplaceOrder:
    return ReplaceOrder(
        order_id=sent.order_id,
        replace_key=key,
        quantity=Decimal(quantity),
        limit_price=Decimal(limit),
        actor="operator:ann",
    )


async def put_back(
    desk: Any, tmp_path: Path, since: Callable[[Any], Awaitable[Any]], **options: Any
) -> Any:
    """Back the store up, let something happen, and put the backup back.

    :param since: what happens; it may return a later life of the desk.
    """
    desk.restoration.note()
    await desk.close()
    shutil.copytree(desk.home / "db", tmp_path / "backup")
    desk = await desk.reopen()
    desk = await since(desk) or desk
    desk.restoration.note()
    await desk.close()
    for log in (desk.home / "db").glob("oms.sqlite*"):
        log.unlink()
    for kept in (tmp_path / "backup").glob("oms.*"):
        shutil.copy(kept, desk.home / "db" / kept.name)
    return await desk.reopen(**options)


def terms(order: Order) -> tuple[Decimal, Decimal | None]:
    return (order.quantity, order.limit_price)


async def told(desk: Any) -> list[Order]:
    """Return what was told of changed orders, in order."""
    query = select(outbox).order_by(outbox.c.position)
    async with desk.store.read() as tx:
        rows = [row for row in await tx.execute(query) if OMS_ORDERS_REPLACED in row.subject]
    return [Order.model_validate_json(row.payload) for row in rows]


async def test_d7_a_change_since_the_backup_is_taken_over_and_told(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    wanted = change(sent, "lost", 25, 45)

    async def since(desk: Any) -> None:
        assert (await desk.replacer.replace(wanted)).outcome is ReplaceOutcome.CONFIRMED

    desk = await put_back(desk, tmp_path, since)

    ours = await desk.record.order(sent.order_id)
    assert terms(ours) == (25, 45)
    assert (ours.status, desk.gate.is_open) == (OrderStatus.ACCEPTED, True)
    (event,) = await told(desk)
    assert (terms(event), event.version) == ((25, 45), ours.version)
    assert ours.version > 1_000, "risk heard of later versions than the backup has"
    assert "changed at the venue" in " ".join((await desk.reports())[-1].breaks)


async def test_d7_the_lost_change_asked_again_is_confirmed_and_the_intent_is_known(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await new_desk()
    intent = resting(order)
    sent = await desk.orders.submit(intent)
    wanted = change(sent, "lost", 25, 45)

    async def since(desk: Any) -> None:
        await desk.replacer.replace(wanted)

    desk = await put_back(desk, tmp_path, since)
    asked = len(desk.risk.amended)

    assert (await desk.replacer.replace(wanted)).outcome is ReplaceOutcome.CONFIRMED
    assert (await desk.replacer.replace(wanted)).outcome is ReplaceOutcome.CONFIRMED
    assert len(desk.risk.amended) == asked, "nothing leaves that is there already"
    assert (await desk.orders.submit(intent)).order_id == sent.order_id


async def test_d7_what_filled_beyond_the_terms_of_the_backup_is_no_overfill(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await new_desk(profile=VenueProfile(max_fill_quantity=Decimal(20)))
    sent = await desk.orders.submit(resting(order))

    async def since(desk: Any) -> None:
        await desk.replacer.replace(change(sent, "lost", 25, 45))
        await desk.venue.paper.overfill(sent.order_id, quantity=Decimal(20), price=Decimal(44))

    desk = await put_back(desk, tmp_path, since)

    ours = await desk.record.order(sent.order_id)
    assert (ours.status, ours.filled_quantity, ours.quantity) == (
        OrderStatus.PARTIALLY_FILLED,
        20,
        25,
    )
    assert desk.record.unhalted == set()
    assert [one.order_id for one in await desk.venue.paper.get_open_orders()] == [sent.order_id]


async def test_d7_an_order_made_smaller_and_filled_since_has_ended(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """It stayed open here for ever: 4 of 10, while the venue was done with 4 of 4."""
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))

    async def since(desk: Any) -> None:
        await desk.replacer.replace(change(sent, "lost", 4, 50))
        await desk.venue.paper.overfill(sent.order_id, quantity=Decimal(4), price=Decimal(49))

    desk = await put_back(desk, tmp_path, since)

    ours = await desk.record.order(sent.order_id)
    assert (ours.status, ours.filled_quantity, ours.quantity) == (OrderStatus.FILLED, 4, 4)
    assert sent.order_id not in desk.record.open_orders


async def test_d7_risk_is_told_anew_of_an_order_that_nobody_changed(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """Risk had approved a change that never left: it held the larger quantity for ever."""
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))

    async def since(desk: Any) -> None:
        desk.venue.script = [ConnectionError("cut before it left")]
        await desk.replacer.replace(change(sent, "lost", 25, 45))

    desk = await put_back(desk, tmp_path, since)

    ours = await desk.record.order(sent.order_id)
    assert terms(ours) == (10, 50)
    assert ours.version > 1_000
    assert (await desk.reports())[-1].agrees
    before = await desk.digest()
    await desk.reconciler.reconcile()
    assert await desk.digest() == before, "once"


async def test_d7_what_the_venue_shows_late_is_believed_once_it_must_be_shown(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))

    async def since(desk: Any) -> None:
        await desk.replacer.replace(change(sent, "lost", 4, 45))

    desk = await put_back(desk, tmp_path, since, lag_s=30.0, recover=False)
    desk.gateway._acts = LastActs(desk.clock, lag_s=30.0)
    await desk.recover()
    assert terms(await desk.record.order(sent.order_id)) == (10, 50)
    desk.clock.advance(31.0)
    await desk.reconciler.reconcile()
    assert terms(await desk.record.order(sent.order_id)) == (4, 45)


async def test_a_change_by_hand_at_the_venue_is_taken_over_and_told(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    await desk.venue.paper.replace(sent.order_id, quantity=Decimal(30), limit_price=Decimal(40))

    await desk.reconciler.reconcile()

    ours = await desk.record.order(sent.order_id)
    assert terms(ours) == (30, 40)
    assert [terms(one) for one in await told(desk)] == [(30, 40)]
    async with desk.store.read() as tx:
        events = [one["event"] for one in await history(tx, sent.order_id)]
    assert events[-1] == "terms_shown"
    assert "10 @ 50 -> 30 @ 40" in " ".join((await desk.reports())[-1].breaks)
    await desk.reconciler.reconcile()
    assert (await desk.reports())[-1].agrees


async def test_a_view_from_before_a_change_of_ours_changes_nothing(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(resting(order))
    news = await desk.sync.read()
    await desk.replacer.replace(change(sent, "r-1", 25, 45))
    async with desk.record.unit() as unit:
        await desk.sync.take(unit, news)
    assert terms(await desk.record.order(sent.order_id)) == (25, 45)
    assert len(await told(desk)) == 1


async def test_d7_a_new_order_waits_for_nothing_once_all_that_was_lost_must_be_shown(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """Simulated seed 620039: each later start made every order UNKNOWN for half a minute."""

    async def since(desk: Any) -> None:
        await desk.orders.submit(order("lost"))

    desk = await put_back(await new_desk(), tmp_path, since)
    assert not desk.record.orders_lost
    desk = await desk.reopen(lag_s=30.0, recover=False)
    desk.gateway._acts = LastActs(desk.clock, lag_s=30.0)  # as the clock stands after the start
    await desk.recover()
    desk.record.unhalted.clear()
    assert (await desk.orders.submit(resting(order, "new"))).status is OrderStatus.ACCEPTED


async def test_d7_what_left_a_moment_before_its_backup_came_back_is_missed_by_the_witness(
    new_desk: Any, order: Any, tmp_path: Path
) -> None:
    """Simulated seed 740044: nobody had noted it yet, and the venue shows it late: sent twice."""
    desk = await new_desk()
    desk.restoration.note()
    async with desk.store.read() as tx:  # as a snapshot of the disk, while it runs
        await tx.execute(select(outbox))
        shutil.copytree(desk.home / "db", tmp_path / "backup")
    await desk.orders.submit(resting(order, "lost"))
    await desk.close()
    for log in (desk.home / "db").glob("oms.sqlite*"):
        log.unlink()
    for kept in (tmp_path / "backup").glob("oms.*"):
        shutil.copy(kept, desk.home / "db" / kept.name)
    desk = await desk.reopen(lag_s=30.0, recover=False)
    assert desk.record.restored
