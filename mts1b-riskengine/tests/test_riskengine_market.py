"""What the engine knows of the market: quotes, halts of an instrument, moves, volumes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode
from mts1b_foundation.limits import RiskLimits
from mts1b_foundation.nats import MARKETDATA_QUOTES
from mts1b_riskengine.feed import feed_subjects
from riskengine_desk import MakeDesk, make_bar, outcome
from riskengine_limits import AAPL, MSFT, OPEN, all_on, day_bar, make_quote, market, plain

D = Decimal


@pytest.mark.parametrize(
    ("quote", "code"),
    [
        (make_quote(timestamp=OPEN - timedelta(seconds=61)), DenyCode.REF_QUOTE_STALE),
        (make_quote("98", "100.1"), DenyCode.REF_SPREAD_TOO_WIDE),
        (make_quote("100", "100"), DenyCode.REF_QUOTE_CROSSED),
        (make_quote().model_copy(update={"bid": D(101)}), DenyCode.REF_QUOTE_CROSSED),
        (make_quote().model_copy(update={"bid": D(0)}), DenyCode.REF_QUOTE_CROSSED),
        (make_quote().model_copy(update={"ask": D("NaN")}), DenyCode.REF_QUOTE_CROSSED),
        (None, DenyCode.REF_QUOTE_MISSING),
    ],
)
async def test_an_unsound_quote_denies(make_desk: MakeDesk, quote: Any, code: str) -> None:
    desk = await market(make_desk)
    desk.book.market.quotes.clear()
    if quote is not None:
        desk.book.market.quotes[AAPL] = quote
    assert outcome(await desk.engine.check(plain())) == ("reference", code)


async def test_a_halted_or_old_instrument_denies(make_desk: MakeDesk) -> None:
    desk = await market(make_desk, limits=all_on(max_reference_age_s=100.0, max_quote_age_s=1e6))
    desk.book.market.halted[AAPL] = "LULD pause"
    assert outcome(await desk.engine.check(plain(1)))[1] == DenyCode.INSTRUMENT_HALTED
    desk.book.market.halted.clear()
    desk.clock.advance(101)
    assert outcome(await desk.engine.check(plain(2)))[1] == DenyCode.REF_PRICE_TOO_OLD


async def test_a_market_that_ran_away_within_the_period_denies(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    for step, price in enumerate(("104", "108", "109"), start=1):
        at = OPEN + timedelta(seconds=step)
        await desk.feed(make_bar("AAPL", price, at).with_(interval="1m"))
        await desk.feed(make_quote(f"{price}.00", f"{price}.10", timestamp=at))
    desk.clock.advance(3)
    late = plain(1, limit_price=D(109), reference_price=D(109))
    assert outcome(await desk.engine.check(late))[1] == DenyCode.PRICE_COLLAR_PERIOD
    desk.clock.advance(299)
    await desk.feed(make_quote("109.00", "109.10", timestamp=desk.clock.now()))
    again = plain(2, limit_price=D(109), reference_price=D(109))
    assert outcome(await desk.engine.check(again)) == ("", "")


def test_quotes_are_read_only_where_a_limit_needs_them() -> None:
    assert MARKETDATA_QUOTES not in feed_subjects(RiskLimits())
    for limits in (
        RiskLimits(require_quote=True),
        RiskLimits(max_spread_pct=D("0.1")),
        RiskLimits(max_displayed_pct=D(1)),
        RiskLimits(collar_period_pct=D("0.1")),
    ):
        assert MARKETDATA_QUOTES in feed_subjects(limits)


async def test_volumes_survive_a_restart_and_count_each_bar_once(make_desk: MakeDesk) -> None:
    limits = RiskLimits(max_adv_pct=D("0.1"), adv_days=2)
    desk = await make_desk(limits=limits, prices=False)
    hours = [
        make_bar("AAPL", at=OPEN - timedelta(days=1, hours=hour)).with_(
            interval="1h", volume=D(100)
        )
        for hour in (3, 2, 1)
    ]
    await desk.feed(day_bar(2, "500"), *hours, hours[-1])
    today = OPEN.date()
    assert desk.book.market.mean_volume(AAPL, today) == 400
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    assert again.book.market.mean_volume(AAPL, today) == 400
    assert again.book.market.mean_volume(MSFT, today) is None
    assert again.book.market.mean_volume(AAPL, today + timedelta(days=60)) is None
