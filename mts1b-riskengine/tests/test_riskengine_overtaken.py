"""Events of orders that this store knows nothing of, the later ones first: a stream that was made
anew tells them again, and a restored store has forgotten them."""

from decimal import Decimal

import sqlalchemy as sa
from mts1b_foundation import Fill, OrderStatus, Side, Symbol
from mts1b_riskengine.tables import reservations
from riskengine_desk import AT, FUND, Desk, make_envelope, make_order

STRAY = make_order("stray", quantity=Decimal(10))
ACCEPTED = STRAY.with_(status=OrderStatus.ACCEPTED, version=5)


async def test_the_end_of_a_forgotten_order_outlives_what_is_told_after_it(desk: Desk) -> None:
    ended = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
    for number, status in enumerate(ended):
        name = f"o-stray-{number}"
        await desk.feed(ACCEPTED.with_(order_id=name, status=status, version=7))
        await desk.feed(ACCEPTED.with_(order_id=name))
        await desk.feed(ACCEPTED.with_(order_id=name, status=OrderStatus.SUBMITTED, version=4))
    assert desk.book.reservations.open_ids() == []


async def test_what_a_forgotten_order_filled_is_reserved_until_it_is_told(desk: Desk) -> None:
    filled = STRAY.with_(status=OrderStatus.CANCELED, version=7, filled_quantity=Decimal(4))
    await desk.feed(filled)
    held = desk.book.reservations.get("o-stray")
    assert held is not None
    assert held.remaining == 4
    await desk.feed(
        Fill(
            fill_id="f-1",
            order_id="o-stray",
            symbol=Symbol("AAPL"),
            side=Side.BUY,
            quantity=Decimal(4),
            price=Decimal(100),
            venue="paper",
            timestamp=AT,
            fund_id=FUND,
            strategy_id="trend",
        )
    )
    assert desk.book.reservations.open_ids() == []


async def test_an_older_event_of_a_forgotten_order_says_nothing_about_its_terms(
    desk: Desk,
) -> None:
    await desk.feed(ACCEPTED.with_(quantity=Decimal(6), version=8))
    await desk.feed(ACCEPTED)
    held = desk.book.reservations.get("o-stray")
    assert held is not None
    assert held.remaining == 6


async def test_of_what_risk_has_denied_nothing_is_kept(desk: Desk) -> None:
    await desk.engine.update_envelope(make_envelope(version=2, max_position_usd=Decimal(1)))
    denied = make_order("denied")
    assert not (await desk.engine.check(denied)).approved
    await desk.feed(denied.with_(status=OrderStatus.REJECTED, version=2))
    async with desk.store.read() as tx:
        rows = sa.select(sa.func.count()).select_from(reservations)
        assert await tx.scalar(rows) == 0
