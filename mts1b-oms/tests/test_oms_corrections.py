"""Busts, amended executions and late fees: the books are as if it had been told right at once."""

from __future__ import annotations

import random
import sqlite3
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Fill, Order, OrderStatus, OrderType, Side, Symbol, TimeInForce
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_oms.corrections import take_corrections
from mts1b_oms.fills import FEE_PENDING, TWIN, book_fills
from mts1b_oms.tables.books import fills_of, read_ledger
from mts1b_oms.tables.corrections import known_corrections

SPX = Symbol("SPX")
BUST, AMEND, FEE = CorrectionKind


def patient(order: Any, key: str, quantity: int = 10, side: Side = Side.BUY) -> Order:
    return order(
        key,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(50 if side is Side.BUY else 5_000),
        tif=TimeInForce.GTC,
        quantity=Decimal(quantity),
        side=side,
    )


def fill_of(order: Order, number: int, quantity: str, price: str, **changes: Any) -> Fill:
    terms: dict[str, Any] = {
        "fill_id": f"fill-{number}",
        "order_id": order.order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": Decimal(quantity),
        "price": Decimal(price),
        "fees": Decimal("0.25"),
        "venue": "paper",
        "timestamp": order.created_at,
    }
    return Fill(**(terms | changes))


def correction(fill: Fill, number: int, kind: CorrectionKind, **changes: Any) -> FillCorrection:
    return FillCorrection(
        correction_id=f"c-{number}",
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        kind=kind,
        venue="paper",
        timestamp=fill.timestamp,
        **changes,
    )


async def tell(desk: Any, *told: Fill | FillCorrection) -> None:
    """Have each reach the record in a transaction of its own."""
    for one in told:
        async with desk.record.unit() as unit:
            if isinstance(one, Fill):
                await book_fills(unit, [one])
            else:
                await take_corrections(unit, [one])


async def books(desk: Any, *orders: Order) -> list[Any]:
    """Return what has to be the same: sub-books by value, and the orders."""
    found = [
        (owner, book.cash_usd, _plain(book)) for owner, book in desk.record.ledger.books.items()
    ]
    seen = [await desk.record.order(one.order_id) for one in orders]
    return [found, [(o.filled_quantity, o.average_fill_price) for o in seen]]


def _plain(book: Any) -> list[Any]:
    return [
        (symbol, h.realized_usd, h.fees_usd, [(lot.quantity, lot.price) for lot in h.lots])
        for symbol, h in book.holdings.items()
        if h.lots or h.realized_usd or h.fees_usd
    ]


async def test_b8_a_bust_takes_back_position_cash_and_fee(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order, "k-1"))
    before = await books(desk, sent)
    fill = fill_of(sent, 1, "4", "49")

    desk.venue.late = [fill]
    await desk.sync.collect()
    desk.venue.corrections = [correction(fill, 1, BUST)]
    await desk.sync.collect()
    await desk.sync.collect()

    assert await books(desk, sent) == before
    assert (await desk.verbs()).count("fills.corrected") == 1
    now = await desk.record.order(sent.order_id)
    assert (now.status, now.average_fill_price) == (OrderStatus.PARTIALLY_FILLED, None)


async def test_b8_a_bust_does_not_reopen_an_order_that_is_over(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order, "k-1"))
    fill = fill_of(sent, 1, "10", "49")

    await tell(desk, fill, correction(fill, 1, BUST))

    now = await desk.record.order(sent.order_id)
    assert (now.status, now.filled_quantity) == (OrderStatus.CANCELED, 0)
    assert desk.record.ledger.quantities() == {}


async def test_b8_a_correction_before_its_fill_waits_for_it_over_a_restart(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order, "k-1"))
    fill = fill_of(sent, 1, "4", "49")

    await tell(desk, correction(fill, 1, AMEND, quantity=Decimal(3), price=Decimal(48)))
    desk = await desk.reopen()
    await tell(desk, fill)

    assert desk.record.ledger.quantities() == {SPX: 3}
    now = await desk.record.order(sent.order_id)
    assert (now.filled_quantity, now.average_fill_price) == (3, 48)
    assert desk.record.early == set()


async def test_b11_a_fee_in_another_currency_counts_once_it_is_stated(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order, "k-1"))
    fill = fill_of(sent, 1, "4", "49", fees=Decimal("0.001"), fee_currency="BNB")
    cash = desk.record.ledger.cash()

    await tell(desk, fill)
    assert desk.record.ledger.cash() == cash - 4 * 49

    await tell(desk, correction(fill, 1, FEE, fees=Decimal("0.6")))
    assert desk.record.ledger.cash() == cash - 4 * 49 - Decimal("0.6")
    async with desk.store.read() as tx:
        assert [item.flags for item in await fills_of(tx, sent.order_id)] == [(FEE_PENDING,)]


async def test_b6_an_amended_execution_that_overfills_quarantines(
    new_desk: Any, order: Any
) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order, "k-1"))
    fill = fill_of(sent, 1, "10", "49")

    await tell(desk, fill, correction(fill, 1, AMEND, quantity=Decimal(11), price=Decimal(49)))

    assert desk.record.ledger.quantities() == {SPX: 11}
    assert desk.record.unhalted == {("alpha", "trend")}


async def test_b2_an_execution_under_two_ids_is_flagged(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    sent = await desk.orders.submit(patient(order, "k-1"))

    await tell(desk, fill_of(sent, 1, "4", "49"), fill_of(sent, 2, "4", "49"))

    async with desk.store.read() as tx:
        assert [i.flags for i in await fills_of(tx, sent.order_id)] == [(), (TWIN,)]


@pytest.mark.parametrize("seed", range(12))
async def test_b8_whatever_the_order_of_telling_the_books_are_the_same(
    new_desk: Any, order: Any, seed: int
) -> None:
    rng = random.Random(seed)
    straight, shuffled = await new_desk("straight"), await new_desk("shuffled")
    sides = (Side.BUY, Side.SHORT)
    orders = [patient(order, f"k-{n}", 40, side) for n, side in enumerate(sides)]
    for desk in (straight, shuffled):
        for one in orders:
            await desk.orders.submit(one)
    told: list[Fill | FillCorrection] = []
    right: list[Fill] = []
    for number in range(10):
        fill = fill_of(rng.choice(orders), number, str(rng.randint(1, 9)), str(rng.randint(40, 60)))
        told.append(fill)
        counted: Fill | None = fill
        match rng.randint(0, 4):
            case 0:
                told.append(correction(fill, number, BUST))
                counted = None
            case 1:
                quantity, price = Decimal(rng.randint(1, 9)), Decimal(rng.randint(40, 60))
                told.append(correction(fill, number, AMEND, quantity=quantity, price=price))
                counted = fill.with_(quantity=quantity, price=price)
            case 2:
                told.append(correction(fill, number, FEE, fees=Decimal("1.5")))
                counted = fill.with_(fees=Decimal("1.5"))
        if counted is not None:
            right.append(counted)
    corrections = [one for one in told if isinstance(one, FillCorrection)]
    fills = [one for one in told if isinstance(one, Fill)]
    places = sorted(rng.randint(0, len(fills)) for _ in corrections)
    rng.shuffle(corrections)
    for place, one in reversed(list(zip(places, corrections, strict=True))):
        fills.insert(place, one)  # type: ignore[arg-type]

    await tell(straight, *right)
    await tell(shuffled, *fills)

    assert await books(shuffled, *orders) == await books(straight, *orders)
    async with shuffled.store.read() as tx:
        stored = await read_ledger(tx)
    assert {o: b.cash_usd for o, b in stored.books.items()} == {
        o: b.cash_usd for o, b in shuffled.record.ledger.books.items()
    }
    assert stored.quantities() == shuffled.record.ledger.quantities()


async def test_a_night_of_corrections_is_more_than_one_question_can_name(new_desk: Any) -> None:
    desk = await new_desk()
    async with desk.store.transaction() as tx:
        tx._driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        assert await known_corrections(tx, [f"c-{number}" for number in range(2_000)]) == set()
