"""Fills and their corrections in one transaction or in many, told again, several of one fill."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Fill, Order, OrderStatus, OrderType, TimeInForce
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_oms.corrections import take_corrections
from mts1b_oms.fills import book_fills

Told = Fill | FillCorrection
ONE_BY_ONE = [1] * 8
CUTS = {"one by one": ONE_BY_ONE, "all at once": [8], "in halves": [4, 4], "fill first": [1, 7]}


def fill_of(order: Order, quantity: str, price: str, fees: str = "0.25") -> Fill:
    return Fill(
        fill_id="fill-1",
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fees=Decimal(fees),
        venue="paper",
        timestamp=order.created_at,
    )


def correction(order: Order, number: int, kind: CorrectionKind, **changes: Any) -> FillCorrection:
    return FillCorrection(
        correction_id=f"c-{number}",
        fill_id="fill-1",
        order_id=order.order_id,
        kind=kind,
        venue="paper",
        timestamp=order.created_at,
        **changes,
    )


async def tell(desk: Any, batch: Sequence[Told]) -> list[str]:
    """Book a batch as it comes from a venue; return the ids of the corrections that were new."""
    fills = [one for one in batch if isinstance(one, Fill)]
    corrections = [one for one in batch if isinstance(one, FillCorrection)]
    async with desk.record.unit() as unit:
        await book_fills(unit, [*fills, *fills])
        new = await take_corrections(unit, [*corrections, *corrections])
    return [known.correction_id for known in new]


async def books(desk: Any, order: Order) -> Any:
    book = desk.record.ledger.book(order.fund_id, order.strategy_id)
    holding = book.holdings[order.symbol]
    seen = await desk.record.order(order.order_id)
    return (
        book.cash_usd,
        holding.realized_usd,
        holding.fees_usd,
        [(lot.quantity, lot.price) for lot in holding.lots],
        (seen.filled_quantity, seen.average_fill_price, seen.status),
    )


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("early", [False, True])
async def test_b8_several_words_on_one_fill_count_once_each_in_their_order(
    new_desk: Any, order: Any, cut: list[int], early: bool
) -> None:
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    straight, corrected = await new_desk("straight"), await new_desk("corrected")
    for desk in (straight, corrected):
        sent = await desk.orders.submit(order("k-1", **terms))
    await tell(straight, [fill_of(sent, "5", "47", "1.5")])

    first = fill_of(sent, "4", "49")
    amends = CorrectionKind.AMEND
    words: list[Told] = [
        correction(sent, 1, amends, quantity=Decimal(3), price=Decimal(48)),
        correction(sent, 2, CorrectionKind.FEE, fees=Decimal("1.5")),
        correction(sent, 3, amends, quantity=Decimal(5), price=Decimal(47)),
    ]
    told = [words[0], first, *words[1:]] if early else [first, *words]
    told += [words[0], first, words[2], words[1]]
    new: list[str] = []
    for size in cut:
        new += await tell(corrected, told[:size])
        told = told[size:]

    assert new == ["c-1", "c-2", "c-3"]
    assert await books(corrected, sent) == await books(straight, sent)
    assert (await corrected.verbs()).count("fills.corrected") == 3
    assert (await corrected.verbs()).count("fills.created") == 1
    assert corrected.record.early == set()


async def test_b8_a_word_after_a_bust_brings_nothing_back(new_desk: Any, order: Any) -> None:
    desk = await new_desk()
    terms = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50), "tif": TimeInForce.GTC}
    sent = await desk.orders.submit(order("k-1", **terms))
    await tell(desk, [fill_of(sent, "4", "49")])
    await tell(desk, [correction(sent, 1, CorrectionKind.BUST)])
    later = correction(sent, 2, CorrectionKind.AMEND, quantity=Decimal(5), price=Decimal(47))
    await tell(desk, [later])
    assert desk.record.ledger.quantities() == {}
    assert desk.record.ledger.cash() == Decimal(1_000_000)
    now = await desk.record.order(sent.order_id)
    assert (now.filled_quantity, now.status) == (0, OrderStatus.PARTIALLY_FILLED)
