"""Positions, exposure and concentration: exactly at the limit, and what only reduces."""

from decimal import Decimal

import pytest
from mts1b_foundation import AssetClass, DenyCode, Instrument, RiskContext, Side, Symbol
from mts1b_riskengine import FixedBorrow, InstrumentTable
from mts1b_riskengine.gates import PositionRiskGate
from riskengine_desk import (
    PASSED,
    Desk,
    MakeDesk,
    judged,
    make_envelope,
    make_nav,
    make_order,
    outcome,
)


async def test_a_position_may_reach_its_limit_to_the_last_cent(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_position_pct=0.1))
    await desk.hold("90")
    assert await judged(desk, number=1, quantity=Decimal("10.0001")) == (
        "position_risk",
        DenyCode.MAX_POSITION_PCT,
    )
    decision = await desk.engine.check(make_order(2, quantity=Decimal(10)))
    assert decision.approved
    third = await desk.engine.check(make_order(3, quantity=Decimal("0.0001")))
    assert third.gates[-1].limit == "10000.0"
    assert Decimal(str(third.gates[-1].value)) == Decimal("10000.01")


@pytest.mark.parametrize("side", [Side.BUY, Side.SHORT])
async def test_a_net_limit_of_nothing_binds_both_sides(make_desk: MakeDesk, side: Side) -> None:
    neutral = make_envelope(max_net_exposure_pct=0.0, enable_shorting=True)
    desk = await make_desk(envelope=neutral, borrow=FixedBorrow())
    assert await judged(desk, side=side) == ("position_risk", DenyCode.MAX_NET_EXPOSURE)


async def test_a_position_limit_in_dollars(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_position_usd=Decimal(1000)))
    assert await judged(desk, number=1, quantity=Decimal(11)) == (
        "position_risk",
        DenyCode.MAX_POSITION_USD,
    )
    assert await judged(desk, number=2, quantity=Decimal(10)) == PASSED


async def test_approved_orders_count_before_they_fill(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_position_pct=0.1))
    assert (await desk.engine.check(make_order(1, quantity=Decimal(60)))).approved
    second = await desk.engine.check(make_order(2, quantity=Decimal(60)))
    assert outcome(second) == ("position_risk", DenyCode.MAX_POSITION_PCT)


async def test_gross_counts_both_sides_and_net_nets_them(make_desk: MakeDesk) -> None:
    limits = make_envelope(
        max_gross_exposure_pct=0.6, max_net_exposure_pct=0.3, enable_shorting=True
    )
    desk = await make_desk(envelope=limits, borrow=FixedBorrow())
    await desk.hold("300", "AAPL")
    assert await judged(desk, number=1, quantity=Decimal(1)) == (
        "position_risk",
        DenyCode.MAX_NET_EXPOSURE,
    )
    await desk.hold("-290", "MSFT")
    assert await judged(desk, number=2, quantity=Decimal(20)) == (
        "position_risk",
        DenyCode.MAX_GROSS_EXPOSURE,
    )
    assert await judged(desk, number=3, quantity=Decimal(10)) == PASSED


async def test_two_strategies_of_a_fund_share_its_caps_but_not_their_positions(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk(envelope=make_envelope(max_position_pct=0.1))
    await desk.hold("60", strategy="trend")
    await desk.hold("-60", strategy="carry")
    # The fund is flat in AAPL, but each strategy's own book is limited too.
    assert await judged(desk, number=1, quantity=Decimal(41)) == (
        "position_risk",
        DenyCode.MAX_POSITION_PCT,
    )
    assert await judged(desk, number=2, quantity=Decimal(40)) == PASSED


async def test_another_fund_is_another_book(desk: Desk) -> None:
    await desk.engine.seed_envelope(
        make_envelope(envelope_id="env-beta", fund_id="beta", max_position_pct=0.1)
    )
    await desk.hold("400")
    assert await judged(desk, fund_id="beta", quantity=Decimal(100)) == PASSED


async def test_a_reducing_order_passes_over_every_cap(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_position_pct=0.1))
    await desk.hold("500")
    assert await judged(desk, number=1, side=Side.SELL, quantity=Decimal(300)) == PASSED
    assert await judged(desk, number=2, quantity=Decimal(1)) == (
        "position_risk",
        DenyCode.MAX_POSITION_PCT,
    )


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_position_pct": 0.4}, DenyCode.MAX_POSITION_PCT),
        ({"max_net_exposure_pct": 0.4}, DenyCode.MAX_NET_EXPOSURE),
    ],
)
async def test_what_is_over_a_cap_on_one_side_gives_no_room_on_the_other(
    make_desk: MakeDesk, limits: dict[str, float], code: DenyCode
) -> None:
    envelope = make_envelope(enable_shorting=True, **limits)
    desk = await make_desk(envelope=envelope, borrow=FixedBorrow())
    await desk.hold("450")
    assert await judged(desk, number=1, side=Side.SELL, quantity=Decimal(851)) == (
        "position_risk",
        code,
    )
    assert await judged(desk, number=2, side=Side.SELL, quantity=Decimal(850)) == PASSED
    await desk.hold("-900")
    assert await judged(desk, number=3, quantity=Decimal(851)) == ("position_risk", code)
    assert await judged(desk, number=4, quantity=Decimal(850)) == PASSED


async def test_two_sells_of_one_position_are_not_both_reduce_only(desk: Desk) -> None:
    await desk.hold("10")
    sell = {"side": Side.SELL, "reduce_only": True}
    assert await judged(desk, number=1, **sell) == PASSED
    assert await judged(desk, number=2, **sell) == (
        "position_risk",
        DenyCode.REDUCE_ONLY_WOULD_OPEN,
    )


async def test_a_fund_without_capital_may_only_reduce(desk: Desk) -> None:
    await desk.hold("10")
    limits = make_envelope(
        version=2, daily_loss_halt_pct=1.0, weekly_loss_halt_pct=1.0, monthly_loss_halt_pct=1.0
    )
    await desk.engine.update_envelope(limits)
    await desk.feed(make_nav("0"))
    assert await judged(desk, number=1) == ("position_risk", DenyCode.NO_NAV)
    assert await judged(desk, number=2, side=Side.SELL, reduce_only=True) == PASSED


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ("max_sector_pct", DenyCode.MAX_SECTOR),
        ("max_asset_class_pct", DenyCode.MAX_ASSET_CLASS),
        ("max_country_pct", "MAX_COUNTRY"),
    ],
)
async def test_concentration_counts_over_symbols(
    make_desk: MakeDesk, field: str, code: str
) -> None:
    def listing(name: str) -> Instrument:
        return Instrument(
            symbol=Symbol(name), asset_class=AssetClass.EQUITIES, sector="tech", country="US"
        )

    limits = make_envelope(**{"max_sector_pct": 1.0, field: 0.2})
    table = InstrumentTable({Symbol(name): listing(name) for name in ("AAPL", "MSFT")})
    desk = await make_desk(envelope=limits, instruments=table)
    await desk.hold("150", "MSFT")
    assert await judged(desk, number=1, quantity=Decimal(51)) == ("position_risk", code)
    assert await judged(desk, number=2, quantity=Decimal(50)) == PASSED


async def test_missing_or_senseless_facts_never_pass() -> None:
    gate = PositionRiskGate()
    with pytest.raises(KeyError):
        await gate.check(make_order(), make_envelope(), RiskContext())


def listing_of(**sectors: str | None) -> InstrumentTable:
    """Return a table in which each symbol has its sector, and so its country."""
    rows = {
        Symbol(name): Instrument(
            symbol=Symbol(name), asset_class=AssetClass.EQUITIES, sector=sector, country="US"
        )
        for name, sector in sectors.items()
    }
    return InstrumentTable(rows)


@pytest.mark.parametrize(
    ("held", "ordered"),
    [("MSFT", "AAPL"), ("AAPL", "MSFT"), ("MSFT", "MSFT")],
    ids=["known-after-unknown", "unknown-after-known", "unknown-alone"],
)
async def test_what_nobody_knows_the_sector_of_may_be_of_any(
    make_desk: MakeDesk, held: str, ordered: str
) -> None:
    desk = await make_desk(
        envelope=make_envelope(max_sector_pct=0.2), instruments=listing_of(AAPL="tech")
    )
    await desk.hold("150", held)
    symbol = Symbol(ordered)
    decision = await desk.engine.check(make_order(1, symbol=symbol, quantity=Decimal(51)))
    assert outcome(decision) == ("position_risk", DenyCode.MAX_SECTOR)
    assert ("list it in `instruments`" in decision.reason) is (ordered == "MSFT")
    assert await judged(desk, number=2, symbol=symbol, quantity=Decimal(50)) == PASSED


async def test_sectors_that_are_known_are_capped_each_by_itself(make_desk: MakeDesk) -> None:
    desk = await make_desk(
        envelope=make_envelope(max_sector_pct=0.2),
        instruments=listing_of(AAPL="tech", MSFT="energy"),
    )
    await desk.hold("150", "MSFT")
    assert await judged(desk, number=1, quantity=Decimal(200)) == PASSED


async def test_a_country_that_nobody_knows_may_be_any(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_country_pct=0.2))
    await desk.hold("150", "MSFT")
    decision = await desk.engine.check(make_order(1, quantity=Decimal(51)))
    assert outcome(decision) == ("position_risk", DenyCode.MAX_COUNTRY)
    assert "country not known" in decision.reason
    assert await judged(desk, number=2, quantity=Decimal(50)) == PASSED


async def test_a_share_of_one_asks_for_no_diversity(make_desk: MakeDesk) -> None:
    desk = await make_desk(
        envelope=make_envelope(
            max_sector_pct=1.0,
            max_position_pct=1.0,
            max_gross_exposure_pct=3.0,
            max_net_exposure_pct=3.0,
            max_order_notional_usd=Decimal(200_000),
        ),
        instruments=listing_of(AAPL="tech"),
    )
    await desk.hold("20", "MSFT")
    assert await judged(desk, number=1, quantity=Decimal(80)) == PASSED
