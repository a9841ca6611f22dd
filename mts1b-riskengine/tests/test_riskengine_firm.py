"""Exposures beyond one fund: both signs, several funds, an order that is judged again."""

from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import AssetClass, DenyCode, Instrument, Side
from mts1b_foundation.limits import RiskLimits, SymbolLimits
from mts1b_riskengine import FixedBorrow, InstrumentTable
from riskengine_desk import FUND, Desk, MakeDesk, make_envelope, make_nav, make_order, outcome
from riskengine_limits import AAPL, MSFT, mandates, simple

D = Decimal
FREE = {"enable_shorting": True, "max_sector_pct": 1.0}


async def two_funds(make_desk: MakeDesk, limits: RiskLimits, **more: Any) -> Desk:
    desk = await make_desk(
        limits=limits, envelope=make_envelope(**FREE), borrow=FixedBorrow(), **more
    )
    beta = make_envelope(envelope_id="env-beta", fund_id="beta", **FREE)
    await desk.engine.seed_envelope(beta)
    return desk


async def code_of(desk: Desk, number: int, quantity: str, side: Side, **changes: Any) -> str:
    order = simple(number, side=side, **changes).with_(quantity=D(quantity))
    return (await desk.engine.check(order)).code


@pytest.mark.parametrize("side", [Side.BUY, Side.SHORT])
async def test_net_of_the_firm_sums_its_funds_on_either_side(
    make_desk: MakeDesk, side: Side
) -> None:
    desk = await two_funds(make_desk, RiskLimits(firm_max_net_usd=D(3000)))
    assert await code_of(desk, 1, "20", side) == ""
    assert await code_of(desk, 2, "10.01", side, fund_id="beta") == DenyCode.FIRM_CAPITAL
    assert await code_of(desk, 3, "10", side, fund_id="beta") == ""


async def test_funds_on_both_sides_net_and_do_not_gross(make_desk: MakeDesk) -> None:
    desk = await two_funds(
        make_desk, RiskLimits(firm_max_net_usd=D(3000), firm_max_gross_usd=D(5000))
    )
    await desk.hold("20", "AAPL")
    assert await code_of(desk, 1, "30", Side.SHORT, fund_id="beta", symbol=MSFT) == ""
    assert await code_of(desk, 2, "1", Side.BUY) == DenyCode.FIRM_CAPITAL


@pytest.mark.parametrize("side", [Side.BUY, Side.SHORT])
async def test_a_cap_on_a_symbol_counts_both_sides_and_says_how_many(
    make_desk: MakeDesk, side: Side
) -> None:
    row = SymbolLimits(max_position_quantity=D(9))
    desk = await two_funds(make_desk, RiskLimits(symbols={AAPL: row}))
    assert await code_of(desk, 1, "4", side) == ""
    order = simple(2, side=side, fund_id="beta").with_(quantity=D(6))
    denied = await desk.engine.check(order)
    assert outcome(denied) == ("group_exposure", DenyCode.MAX_SYMBOL_POSITION)
    assert D(denied.gates[-1].limit or "") == 9
    assert D(denied.gates[-1].value or "") == 10
    assert await code_of(desk, 3, "5", side, fund_id="beta") == ""


@pytest.mark.parametrize("side", [Side.BUY, Side.SHORT])
async def test_a_budget_of_a_mandate_counts_both_sides(make_desk: MakeDesk, side: Side) -> None:
    desk = await two_funds(make_desk, RiskLimits(), mandates=mandates(max_gross_usd=D(1000)))
    assert await code_of(desk, 1, "6", side) == ""
    assert await code_of(desk, 2, "4.01", side) == DenyCode.MANDATE_BUDGET
    assert await code_of(desk, 3, "4", side) == ""


@pytest.mark.parametrize("side", [Side.BUY, Side.SHORT])
async def test_a_cap_on_currencies_is_for_foreign_ones(make_desk: MakeDesk, side: Side) -> None:
    listed = {
        symbol: Instrument(symbol=symbol, asset_class=AssetClass.EQUITIES, currency=currency)
        for symbol, currency in ((AAPL, "EUR"), (MSFT, "USD"))
    }
    limits = RiskLimits(max_currency_pct=D("0.01"))
    desk = await two_funds(make_desk, limits, instruments=InstrumentTable(listed))
    assert await code_of(desk, 1, "100", side, symbol=MSFT) == ""
    assert await code_of(desk, 2, "10.01", side) == DenyCode.MAX_CURRENCY
    assert await code_of(desk, 3, "10", side) == ""
    unlisted = await two_funds(make_desk, limits, instruments=InstrumentTable())
    assert await code_of(unlisted, 4, "1", side) == DenyCode.MAX_CURRENCY


async def test_an_order_that_is_judged_again_is_paid_for_once(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(buying_power_multiple=D(1)))
    await desk.feed(make_nav("100000", cash_usd=D(1500)))
    order = make_order(1)
    for _ in range(2):
        assert (await desk.engine.check(order)).approved
        desk.clock.advance(3)
    assert (await desk.engine.check(make_order(2, quantity=D("5.01")))).code == (
        DenyCode.BUYING_POWER
    )
    assert (await desk.engine.check(make_order(3, quantity=D(5)))).approved
    assert desk.book.positions.of_fund(FUND).open_buys == 1500
