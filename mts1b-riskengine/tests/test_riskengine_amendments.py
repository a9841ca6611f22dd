"""Changes of open orders, and executions that a venue takes back or restates."""

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from mts1b_foundation import DenyCode, Order, OrderStatus
from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_platform.store import Store
from mts1b_riskengine import metadata
from mts1b_riskengine.tables import SCHEMA_VERSION
from riskengine_desk import AT, Desk, MakeDesk, make_envelope, make_order

CAP = 500
"""How many units the desk's envelope lets one position have at its price of 100."""


async def _open(desk: Desk, quantity: int, **changes: object) -> Order:
    order = make_order(quantity=Decimal(quantity), **changes)
    assert (await desk.engine.check(order)).approved
    working = order.with_(status=OrderStatus.ACCEPTED, submitted_at=AT, accepted_at=AT, version=4)
    await desk.feed(working)
    return working


def _changed(order: Order, quantity: int, number: int = 1) -> Order:
    return order.with_(
        order_id=f"{order.order_id}-r{number}",
        idempotency_key=f"{order.idempotency_key}-r{number}",
        quantity=Decimal(quantity),
        status=OrderStatus.PENDING_RISK,
    )


def _replaced(order: Order, quantity: int, version: int) -> Order:
    return order.with_(quantity=Decimal(quantity), version=version)


async def _room(desk: Desk) -> int:
    """Return how many more units the desk would approve, without approving any."""
    line = desk.book.positions.of_fund("alpha").get(("trend", make_order().symbol))
    assert line is not None
    return CAP - int(line.quantity + line.open_buy)


async def test_a_change_is_counted_once_at_the_larger_of_both(desk: Desk) -> None:
    order = await _open(desk, 300)

    decision = await desk.engine.check(_changed(order, CAP), amends=order.order_id)

    assert decision.approved
    assert await _room(desk) == 0
    assert not (await desk.engine.check(make_order(2, quantity=Decimal(1)))).approved


async def test_a_change_above_the_cap_is_denied_and_reserves_nothing(desk: Desk) -> None:
    order = await _open(desk, 300)

    decision = await desk.engine.check(_changed(order, CAP + 1), amends=order.order_id)

    assert not decision.approved
    assert await _room(desk) == CAP - 300


async def test_an_event_from_before_the_change_gives_nothing_back(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.engine.check(_changed(order, CAP), amends=order.order_id)

    await desk.feed(order)
    assert await _room(desk) == 0

    await desk.feed(_replaced(order, 300, version=6))
    assert await _room(desk) == CAP - 300


async def test_events_that_the_change_has_overtaken_give_nothing_back(desk: Desk) -> None:
    """The OMS asks at version 7; risk has heard of 4, and 6 is still on its way."""
    order = await _open(desk, 300)
    asked = _changed(_replaced(order, 300, version=7), CAP)
    assert (await desk.engine.check(asked, amends=order.order_id)).approved

    await desk.feed(_replaced(order, 300, version=6))
    assert await _room(desk) == 0

    await desk.feed(_replaced(order, 300, version=8))
    assert await _room(desk) == CAP - 300


async def test_a_bust_after_the_last_unit_filled_is_reserved_for_again(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.fill(order, "300")
    assert await _room(desk) == CAP - 300
    bust = FillCorrection(
        correction_id="c-1",
        fill_id=f"f-{order.order_id}-300",
        order_id=order.order_id,
        kind=CorrectionKind.BUST,
        venue="paper",
        timestamp=AT,
    )
    await desk.feed(bust)
    line = desk.book.positions.of_fund("alpha").get(("trend", order.symbol))
    assert line is not None
    assert (line.quantity, line.open_buy) == (0, 300)


async def test_a_bust_of_what_was_one_too_many_reserves_nothing(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.fill(order, "300")
    await desk.feed(order.with_(status=OrderStatus.FILLED, filled_quantity=Decimal(300), version=5))
    await desk.fill(order, "40")
    bust = FillCorrection(
        correction_id="c-1",
        fill_id=f"f-{order.order_id}-40",
        order_id=order.order_id,
        kind=CorrectionKind.BUST,
        venue="paper",
        timestamp=AT,
    )
    await desk.feed(bust)
    line = desk.book.positions.of_fund("alpha").get(("trend", order.symbol))
    assert line is not None
    assert (line.quantity, line.open_buy) == (300, 0)


async def test_a_question_that_the_order_has_overtaken_reserves_nothing(desk: Desk) -> None:
    """It waited in risk while the OMS gave it up and said so: no later event takes it back."""
    order = await _open(desk, 300)
    await desk.feed(_replaced(order, 300, version=5))

    decision = await desk.engine.check(_changed(order, CAP), amends=order.order_id)

    assert decision.code == DenyCode.AMENDS_NOTHING
    assert await _room(desk) == CAP - 300


async def test_a_smaller_order_frees_its_room_only_when_it_is_confirmed(desk: Desk) -> None:
    order = await _open(desk, 300)

    assert (await desk.engine.check(_changed(order, 100), amends=order.order_id)).approved
    assert await _room(desk) == CAP - 300

    await desk.feed(_replaced(order, 100, version=6))
    assert await _room(desk) == CAP - 100


async def test_what_is_filled_already_is_not_counted_twice(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.fill(order, "200")

    assert (await desk.engine.check(_changed(order, CAP), amends=order.order_id)).approved
    assert await _room(desk) == 0


async def test_the_larger_reservation_outlives_a_restart(desk: Desk, make_desk: MakeDesk) -> None:
    order = await _open(desk, 300)
    await desk.engine.check(_changed(order, CAP), amends=order.order_id)

    again = await make_desk(home=desk.home)
    await again.feed(order)

    assert await _room(again) == 0


@pytest.mark.parametrize(
    "foreign",
    [{"fund_id": "beta"}, {"strategy_id": "carry"}, {"symbol": "MSFT"}, {"side": "short"}],
)
async def test_only_an_order_of_the_same_owner_symbol_and_side_is_amended(
    desk: Desk, foreign: dict[str, str]
) -> None:
    await desk.engine.seed_envelope(make_envelope(envelope_id="env-beta", fund_id="beta"))
    order = await _open(desk, 300)
    other = Order.model_validate(_changed(order, 10).model_dump() | foreign)

    decision = await desk.engine.check(other, amends=order.order_id)

    assert decision.code == DenyCode.AMENDS_NOTHING


async def test_an_order_that_is_over_can_not_be_amended(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.end(order, OrderStatus.CANCELED)

    decision = await desk.engine.check(_changed(order, 10), amends=order.order_id)

    assert decision.code == DenyCode.AMENDS_NOTHING


async def test_an_order_whose_price_is_changing_may_trade_with_anything(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk(limits=RiskLimits(self_match=True))
    order = await _open(desk, 100, order_type="limit", limit_price=Decimal(90))
    ours = make_order(
        2, side="short", quantity=Decimal(10), order_type="limit", limit_price=Decimal(95)
    )
    await desk.engine.check(_changed(order, 100, 1), amends=order.order_id)

    assert (await desk.engine.check(ours)).code == DenyCode.SELF_MATCH

    again = await make_desk(home=desk.home, limits=RiskLimits(self_match=True))
    later = ours.with_(order_id="o-3", idempotency_key="k-3")
    assert (await again.engine.check(later)).code == DenyCode.SELF_MATCH


def _correction(order: Order, kind: CorrectionKind, **changes: object) -> FillCorrection:
    values: dict[str, object] = {
        "correction_id": f"c-{kind.value}",
        "fill_id": f"f-{order.order_id}-200",
        "order_id": order.order_id,
        "kind": kind,
        "venue": "paper",
        "timestamp": AT,
    }
    return FillCorrection.model_validate(values | changes)


async def test_b8_a_bust_gives_the_position_back_and_the_order_may_fill_again(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.fill(order, "200")

    await desk.feed(*[_correction(order, CorrectionKind.BUST)] * 2)

    line = desk.book.positions.of_fund("alpha").get(("trend", order.symbol))
    assert line is not None
    assert (line.quantity, line.open_buy) == (0, 300)


async def test_b8_an_amended_execution_of_an_order_that_is_over_moves_the_position_alone(
    desk: Desk, make_desk: MakeDesk
) -> None:
    order = await _open(desk, 300)
    await desk.fill(order, "200")
    await desk.end(order, OrderStatus.CANCELED, "200")

    amended = _correction(order, CorrectionKind.AMEND, quantity=Decimal(150), price=Decimal(99))
    await desk.feed(amended, _correction(order, CorrectionKind.FEE, fees=Decimal(1)))
    restated = order.with_(status=OrderStatus.CANCELED, filled_quantity=Decimal(150))
    await desk.feed(restated.with_(version=order.version + 2))

    for one in (desk, await make_desk(home=desk.home)):
        line = one.book.positions.of_fund("alpha").get(("trend", order.symbol))
        assert line is not None
        assert (line.quantity, line.open_buy) == (150, 0)


ADDED = (
    ("fills", "fund_id"),
    ("fills", "strategy_id"),
    ("fills", "symbol"),
    ("fills", "corrected_at"),
    ("fills", "splits_before"),
    ("reservations", "version"),
    ("reservations", "amended"),
)


async def test_b8_a_correction_before_its_fill_waits_for_it_over_a_restart(
    desk: Desk, make_desk: MakeDesk
) -> None:
    order = await _open(desk, 300)
    await desk.feed(_correction(order, CorrectionKind.BUST))

    again = await make_desk(home=desk.home)
    await again.fill(order, "200")

    line = again.book.positions.of_fund("alpha").get(("trend", order.symbol))
    assert line is not None
    assert (line.quantity, line.open_buy) == (0, 300)


async def test_b8_corrections_that_overtake_each_other_leave_the_newest_word(desk: Desk) -> None:
    order = await _open(desk, 300)
    await desk.fill(order, "200")
    later = AT + timedelta(seconds=1)
    terms = {"quantity": Decimal(150), "price": Decimal(99)}
    old = _correction(order, CorrectionKind.AMEND, **terms)
    new = old.with_(correction_id="c-new", quantity=Decimal(120), timestamp=later)
    bust = _correction(order, CorrectionKind.BUST, timestamp=later)

    for told, left in ((new, 120), (old, 120), (bust, 0), (new.with_(correction_id="c-3"), 0)):
        await desk.feed(told)
        line = desk.book.positions.of_fund("alpha").get(("trend", order.symbol))
        assert line is not None
        assert line.quantity == left


async def test_events_that_overtake_each_other_leave_the_newest_word(desk: Desk) -> None:
    order = await _open(desk, 300)
    ended = order.with_(status=OrderStatus.CANCELED, filled_quantity=Decimal(0), version=9)

    await desk.feed(ended, order.with_(status=OrderStatus.CANCELED, version=8), order)

    assert desk.book.reservations.open_ids() == []


async def test_a_store_of_the_first_version_is_lifted(desk: Desk) -> None:
    target = desk.home / "old.sqlite"
    old = await Store.open(target, metadata=metadata, name="riskengine", version=SCHEMA_VERSION)
    async with old.transaction() as tx:
        for table, name in ADDED:
            await tx.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        await tx.execute(sa.text("INSERT INTO fills VALUES ('f', 'o', '1')"))
        await tx.execute(sa.text("UPDATE schema_version SET version = 1"))
    await old.close()

    new = await Store.open(target, metadata=metadata, name="riskengine", version=SCHEMA_VERSION)
    async with new.read() as tx:
        row = (await tx.execute(sa.text("SELECT symbol FROM fills"))).first()
    await new.close()

    assert row is not None
    assert row.symbol == ""
