"""What the book of positions takes for the price, and corrections of sales and of early words."""

from datetime import timedelta
from decimal import Decimal

import pytest
from mts1b_foundation import AssetClass, DenyCode, Instrument, Side, Symbol
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_riskengine import InstrumentTable
from mts1b_riskengine.lines import Line
from riskengine_desk import AT, FUND, Desk, MakeDesk, make_bar, make_envelope, make_order

AAPL, MSFT, FUTURE = Symbol("AAPL"), Symbol("MSFT"), Symbol("ES@202612")
D = Decimal


def line_of(desk: Desk, symbol: Symbol = AAPL) -> Line:
    line = desk.book.positions.of_fund(FUND).get(("trend", symbol))
    assert line is not None
    return line


def restated(order_id: str, fill_id: str, quantity: int) -> FillCorrection:
    return FillCorrection(
        correction_id=f"c-{quantity}",
        fill_id=fill_id,
        order_id=order_id,
        kind=CorrectionKind.AMEND,
        quantity=D(quantity),
        price=D(100),
        venue="paper",
        timestamp=AT,
    )


async def test_an_older_bar_does_not_bring_its_price_back(desk: Desk) -> None:
    await desk.hold("10")
    await desk.feed(make_bar(close="120", at=AT + timedelta(minutes=2)))
    await desk.feed(make_bar(close="90", at=AT + timedelta(minutes=1)))
    assert desk.book.positions.marks[AAPL].price == 120
    assert line_of(desk).gross == 1200
    await desk.feed(make_bar(close="110", at=AT + timedelta(minutes=2)))
    assert line_of(desk).gross == 1100, "a bar that is told anew, and corrected"


async def test_a_fill_is_the_price_where_no_bar_has_come(make_desk: MakeDesk) -> None:
    desk = await make_desk(prices=False)
    await desk.hold("10")
    assert line_of(desk).gross == 1000
    assert desk.book.positions.marks[AAPL].as_of == AT
    await desk.feed(make_bar(close="120"))
    await desk.hold("1", strategy="carry")
    assert line_of(desk).gross == 1200, "and none once one has"


async def test_stock_that_comes_brings_a_price_only_where_none_is_known(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk(prices=False)
    await desk.feed(make_bar("MSFT", "300"))
    for symbol in (AAPL, MSFT):
        came = AdjustBooks(
            adjustment_id=f"a-{symbol}",
            kind="transfer",
            fund_id=FUND,
            strategy_id="trend",
            symbol=symbol,
            quantity=D(4),
            price=D(50),
            reason="a merger",
            signed_by="operator:ann",
            requested_at=AT,
        )
        await desk.feed(came)
    assert (line_of(desk).gross, line_of(desk, MSFT).gross) == (200, 1200)
    out = make_order(1, side=Side.SELL, quantity=D(4), reduce_only=True)
    assert (await desk.engine.check(out)).approved


async def test_a_split_is_no_older_than_the_bar_before_it(desk: Desk) -> None:
    """A bar of between the word and the last price would bring the old price back."""
    await desk.hold("10")
    split = AdjustBooks(
        adjustment_id="a-1",
        kind="split",
        symbol=AAPL,
        ratio=D(4),
        price=D(25),
        reason="4 for 1",
        signed_by="operator:ann",
        requested_at=AT - timedelta(days=2),
    )
    await desk.feed(split, make_bar(at=AT - timedelta(days=1)))
    assert desk.book.positions.marks[AAPL].price == 25
    assert line_of(desk).gross == 1000


async def test_a_position_in_contracts_follows_the_price_with_its_multiplier(
    make_desk: MakeDesk,
) -> None:
    listed = {FUTURE: Instrument(symbol=FUTURE, asset_class=AssetClass.FUTURES, multiplier=D(50))}
    limits = make_envelope(
        allowed_asset_classes=[AssetClass.FUTURES], max_country_pct=1.0, max_position_pct=0.2
    )
    desk = await make_desk(envelope=limits, instruments=InstrumentTable(listed))
    await desk.feed(make_bar(FUTURE))
    await desk.hold("3", FUTURE)
    assert line_of(desk, FUTURE).gross == 15_000
    await desk.feed(make_bar(FUTURE, "130"))
    assert line_of(desk, FUTURE).gross == 19_500
    more = make_order(1, symbol=FUTURE, quantity=D("0.1"))
    assert (await desk.engine.check(more)).code == DenyCode.MAX_POSITION_PCT


@pytest.mark.parametrize(("told", "left"), [(6, 4), (2, 8)])
async def test_a_restated_sale_moves_what_may_still_be_sold(
    desk: Desk, told: int, left: int
) -> None:
    await desk.hold("10")
    sale = make_order(1, side=Side.SELL)
    assert (await desk.engine.check(sale)).approved
    await desk.fill(sale, "4")
    await desk.feed(restated(sale.order_id, f"f-{sale.order_id}-4", told))
    line = line_of(desk)
    assert (line.quantity, line.open_sell) == (10 - told, left)


async def test_a_word_that_comes_before_its_fill_is_kept(desk: Desk) -> None:
    order = make_order(1)
    assert (await desk.engine.check(order)).approved
    await desk.feed(restated(order.order_id, f"f-{order.order_id}-4", 3))
    assert (line_of(desk).quantity, line_of(desk).open_buy) == (0, 10)
    await desk.fill(order, "4")
    assert (line_of(desk).quantity, line_of(desk).open_buy) == (3, 7)
