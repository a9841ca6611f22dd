"""Price collars: the narrower of two, on the costly side of either side, over a period."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, OrderType, Side
from mts1b_foundation.limits import RiskLimits, SymbolLimits
from riskengine_desk import AT, Desk, MakeDesk, make_bar, make_envelope, make_order
from riskengine_limits import AAPL, MSFT

D = Decimal
KINDS = [OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT]


async def code_of(desk: Desk, number: int, side: Side, price: str, **changes: Any) -> str:
    terms = {"order_type": OrderType.LIMIT, "limit_price": D(price), "quantity": D(1)}
    order = make_order(number, side=side, **terms | changes)
    return (await desk.engine.check(order)).code


@pytest.mark.parametrize(
    ("own", "firm"), [("0.02", "0.05"), ("0.05", "0.02"), ("0.02", None), (None, "0.02")]
)
async def test_the_narrower_collar_binds_the_costly_side(
    make_desk: MakeDesk, own: str | None, firm: str | None
) -> None:
    rows = {AAPL: SymbolLimits(collar_pct=D(own))} if own else {}
    desk = await make_desk(limits=RiskLimits(collar_pct=firm and D(firm), symbols=rows))
    await desk.hold("100")
    told = [
        await code_of(desk, 1, Side.BUY, "102"),
        await code_of(desk, 2, Side.BUY, "102.01"),
        await code_of(desk, 3, Side.BUY, "50"),
        await code_of(desk, 4, Side.SELL, "98"),
        await code_of(desk, 5, Side.SELL, "97.99"),
        await code_of(desk, 6, Side.SELL, "150"),
    ]
    wide = DenyCode.PRICE_COLLAR
    assert told == ["", wide, "", "", wide, ""]
    other = await code_of(desk, 7, Side.BUY, "104", symbol=MSFT)
    assert other == (wide if firm == "0.02" else "")


async def test_the_worse_of_stop_and_limit_counts(make_desk: MakeDesk) -> None:
    envelope = make_envelope(allowed_order_types=KINDS)
    desk = await make_desk(limits=RiskLimits(collar_pct=D("0.02")), envelope=envelope)
    await desk.hold("100")
    both = {"order_type": OrderType.STOP_LIMIT}
    wide = DenyCode.PRICE_COLLAR
    assert await code_of(desk, 1, Side.BUY, "103", stop_price=D(101), **both) == wide
    assert await code_of(desk, 2, Side.BUY, "102", stop_price=D(101), **both) == ""
    assert await code_of(desk, 3, Side.SELL, "97", stop_price=D(99), **both) == wide
    assert await code_of(desk, 4, Side.SELL, "98", stop_price=D(99), **both) == ""
    stop = {"order_type": OrderType.STOP, "limit_price": None}
    assert await code_of(desk, 5, Side.BUY, "0", stop_price=D(103), **stop) == wide
    assert await code_of(desk, 6, Side.BUY, "0", stop_price=D(102), **stop) == ""


@pytest.mark.parametrize("seen", ["80", "125"])
async def test_a_market_that_moved_since_the_sender_looked_is_noticed(
    make_desk: MakeDesk, seen: str
) -> None:
    desk = await make_desk(limits=RiskLimits(collar_pct=D("0.1")))
    market = {"order_type": OrderType.MARKET, "limit_price": None}
    moved = await code_of(desk, 1, Side.BUY, "0", reference_price=D(seen), **market)
    assert moved == DenyCode.PRICE_COLLAR
    assert await code_of(desk, 2, Side.BUY, "0", reference_price=D(101), **market) == ""
    assert await code_of(desk, 3, Side.BUY, "100", reference_price=D(seen)) == ""


async def test_a_period_is_measured_from_its_lowest_for_a_buy_and_its_highest_for_a_sale(
    make_desk: MakeDesk,
) -> None:
    limits = RiskLimits(collar_period_pct=D("0.08"), collar_period_s=300.0)
    desk = await make_desk(limits=limits, prices=False)
    for minute, price in ((4, "100"), (3, "125"), (1, "110")):
        at = AT - timedelta(minutes=minute)
        await desk.feed(make_bar(close=price, at=at).with_(interval="1m"))
    await desk.hold("100")
    wide = DenyCode.PRICE_COLLAR_PERIOD
    assert await code_of(desk, 1, Side.BUY, "108") == ""
    assert await code_of(desk, 2, Side.BUY, "108.01") == wide
    assert await code_of(desk, 3, Side.SELL, "115") == ""
    assert await code_of(desk, 4, Side.SELL, "114.99") == wide
    desk.clock.advance(61)
    assert await code_of(desk, 5, Side.BUY, "118.8") == "", "the 100 is out of the period"
    assert await code_of(desk, 6, Side.BUY, "118.81") == wide


async def test_a_soft_collar_asks_two_people_from_above_its_limit(make_desk: MakeDesk) -> None:
    limits = RiskLimits(collar_pct=D("0.05"), collar_soft_pct=D("0.02"))
    desk = await make_desk(limits=limits)
    assert await code_of(desk, 1, Side.BUY, "102") == ""
    assert await code_of(desk, 2, Side.BUY, "102.01") == DenyCode.PRICE_COLLAR_SOFT
    assert await code_of(desk, 3, Side.BUY, "105") == DenyCode.PRICE_COLLAR_SOFT
    assert await code_of(desk, 4, Side.BUY, "105.01") == DenyCode.PRICE_COLLAR


async def test_without_a_reference_only_a_market_order_that_reduces_leaves(
    make_desk: MakeDesk,
) -> None:
    """After a restart the references of the period are to come; going flat does not wait."""
    limits = RiskLimits(collar_period_pct=D("0.08"))
    desk = await make_desk(limits=limits)
    await desk.hold("100")
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    market = {"order_type": OrderType.MARKET, "limit_price": None}
    unknown = DenyCode.COLLAR_REFERENCE
    assert await code_of(again, 1, Side.BUY, "0", **market) == unknown
    assert await code_of(again, 2, Side.SELL, "100") == unknown
    assert await code_of(again, 3, Side.SELL, "0", **market) == ""
