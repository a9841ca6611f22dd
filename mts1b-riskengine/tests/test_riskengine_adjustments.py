"""What moves positions and capital without an order, as the OMS tells it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import Fill, Symbol
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import FillCorrection
from riskengine_desk import AT, Desk, MakeDesk, make_nav, make_order

MONEY = {"fund_id": "alpha", "strategy_id": "trend"}
SYMBOL = make_order().symbol


def word(kind: str, **said: Any) -> AdjustBooks:
    terms = {
        "adjustment_id": "a-1",
        "kind": kind,
        "reason": "statement",
        "signed_by": "operator:ann",
        "requested_at": AT,
    }
    return AdjustBooks.model_validate(terms | said)


def held(desk: Desk, symbol: Symbol = SYMBOL) -> Decimal:
    line = desk.book.positions.of_fund("alpha").get(("trend", symbol))
    return line.quantity if line is not None else Decimal(0)


@pytest.mark.parametrize(
    ("kind", "amount"), [("withdrawal", "-500000"), ("withdrawal", "-999000"), ("deposit", "70000")]
)
async def test_capital_that_goes_is_no_loss(desk: Desk, kind: str, amount: str) -> None:
    await desk.feed(make_nav("1000000"))
    await desk.feed(word(kind, cash_usd=amount, **MONEY))
    after = str(1_000_000 + int(amount))
    await desk.feed(make_nav(after))
    assert desk.book.funds.get("alpha").breach is None
    assert (await desk.engine.check(make_order(quantity=Decimal(1)))).approved


async def test_a_loss_beside_a_withdrawal_still_halts(desk: Desk) -> None:
    await desk.feed(make_nav("1000000"))
    await desk.feed(word("withdrawal", cash_usd="-500000", **MONEY))
    await desk.feed(make_nav("450000"))
    assert desk.book.funds.get("alpha").breach is not None


async def test_a_deposit_hides_no_loss(desk: Desk) -> None:
    await desk.feed(make_nav("1000000"))
    await desk.feed(word("deposit", cash_usd="1000000", **MONEY))
    await desk.feed(make_nav("1800000"))
    assert desk.book.funds.get("alpha").breach is not None


async def test_income_is_a_gain(desk: Desk) -> None:
    await desk.feed(make_nav("1000000"))
    marks = desk.book.funds.get("alpha").marks
    await desk.feed(word("dividend", cash_usd="50000", **MONEY))
    assert desk.book.funds.get("alpha").marks == marks


async def test_a_split_moves_positions_and_the_price(desk: Desk) -> None:
    await desk.hold("100")
    price = desk.book.positions.marks[SYMBOL].price

    await desk.feed(word("split", symbol=SYMBOL, ratio="4", price=price / 4))

    assert held(desk) == 400
    assert desk.book.positions.marks[SYMBOL].price == price / 4
    assert desk.book.positions.of_fund("alpha").lines["trend", SYMBOL].gross == 100 * price


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_correction_of_a_fill_from_before_a_split_counts_in_units_of_after(
    desk: Desk, make_desk: MakeDesk, restarts: bool
) -> None:
    """Taking 100 units back took 100 of 400: 300 were left of nothing."""
    old, new = (fill_of(name) for name in ("old", "new"))
    await desk.feed(old)
    await desk.feed(word("split", symbol=SYMBOL, ratio="4", price="25"))
    await desk.feed(new)
    await desk.feed(word("split", adjustment_id="a-2", symbol=SYMBOL, ratio="2", price="12.5"))
    assert held(desk) == 100 * 4 * 2 + 100 * 2
    again = await make_desk(prices=False) if restarts else desk

    await again.feed(correction(old, "60"))
    assert held(again) == 60 * 4 * 2 + 100 * 2
    await again.feed(correction(new, "50"))
    assert held(again) == 60 * 4 * 2 + 50 * 2
    await again.feed(correction(old, None, later=1))
    assert held(again) == 50 * 2


def fill_of(name: str) -> Fill:
    return Fill(
        fill_id=name,
        order_id=f"order-{name}",
        symbol=SYMBOL,
        side="buy",
        quantity=Decimal(100),
        price=Decimal(100),
        venue="paper",
        timestamp=AT,
        fund_id="alpha",
        strategy_id="trend",
    )


def correction(fill: Fill, quantity: str | None, *, later: int = 0) -> FillCorrection:
    amends = {} if quantity is None else {"quantity": Decimal(quantity), "price": fill.price}
    return FillCorrection(
        correction_id=f"{fill.fill_id}-{quantity}",
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        kind="bust" if quantity is None else "amend",
        venue="paper",
        timestamp=AT + timedelta(seconds=later),
        **amends,
    )


async def test_stock_that_comes_counts_against_the_caps(desk: Desk) -> None:
    await desk.feed(word("transfer", symbol=SYMBOL, quantity="450", price="100", **MONEY))
    assert held(desk) == 450
    assert not (await desk.engine.check(make_order(quantity=Decimal(60)))).approved


async def test_it_outlives_a_restart(desk: Desk, make_desk: MakeDesk) -> None:
    await desk.hold("100")
    await desk.feed(make_nav("1000000"))
    await desk.feed(word("withdrawal", cash_usd="-500000", **MONEY))
    await desk.feed(word("split", adjustment_id="a-2", symbol=SYMBOL, ratio="4", price="25"))
    marks = desk.book.funds.get("alpha").marks

    again = await make_desk(prices=False)

    assert held(again) == 400
    assert again.book.funds.get("alpha").marks == marks
