"""Halts and loss limits: whom they stop, and what may still reduce."""

from datetime import timedelta

import pytest
from mts1b_foundation import DenyCode, HaltSeverity, Side
from riskengine_desk import (
    AT,
    PASSED,
    Desk,
    MakeDesk,
    judged,
    make_bar,
    make_envelope,
    make_halt,
    make_nav,
    outcome,
)
from riskengine_limits import MSFT, simple


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("firm", DenyCode.FIRM_HALTED),
        ("fund:alpha", DenyCode.FUND_HALTED),
        ("strategy:trend", DenyCode.STRATEGY_HALTED),
    ],
)
async def test_a_halt_denies_in_its_scope(desk: Desk, scope: str, code: DenyCode) -> None:
    desk.halts.apply(make_halt(scope))
    assert await judged(desk, number=1) == ("drawdown_halt", code)
    desk.halts.lift(scope)
    assert await judged(desk, number=2) == PASSED


@pytest.mark.parametrize(
    ("severity", "scope", "code"),
    [
        (HaltSeverity.VENUE_HALT, "venue:paper", DenyCode.VENUE_HALTED),
        (HaltSeverity.SYMBOL_HALT, "symbol:AAPL", DenyCode.SYMBOL_HALTED),
    ],
)
async def test_a_halted_venue_or_symbol_takes_nothing(
    desk: Desk, severity: HaltSeverity, scope: str, code: str
) -> None:
    halt = make_halt("firm").with_(halt_id=f"h-{scope}", scope=scope, severity=severity)
    desk.halts.apply(halt)
    assert outcome(await desk.engine.check(simple(1))) == ("drawdown_halt", code)
    elsewhere = simple(2, symbol=MSFT)
    assert (await desk.engine.check(elsewhere)).approved is (severity is HaltSeverity.SYMBOL_HALT)


async def test_of_several_halts_the_widest_is_told(desk: Desk) -> None:
    for number, (scope, code) in enumerate(
        [
            ("strategy:trend", DenyCode.STRATEGY_HALTED),
            ("fund:alpha", DenyCode.FUND_HALTED),
            ("firm", DenyCode.FIRM_HALTED),
        ]
    ):
        desk.halts.apply(make_halt(scope))
        assert await judged(desk, number=number) == ("drawdown_halt", code)


@pytest.mark.parametrize("scope", ["fund:beta", "strategy:carry"])
async def test_a_halt_of_others_denies_nothing(desk: Desk, scope: str) -> None:
    desk.halts.apply(make_halt(scope))
    assert await judged(desk) == PASSED


async def test_reduce_only_passes_only_where_every_halt_allows_it(desk: Desk) -> None:
    await desk.hold("30")
    out = {"side": Side.SELL, "reduce_only": True}
    desk.halts.apply(make_halt("fund:alpha", reduce_only=True))
    assert await judged(desk, number=1, **out) == PASSED
    assert await judged(desk, number=2, side=Side.SELL) == (
        "drawdown_halt",
        DenyCode.FUND_HALTED,
    )
    desk.halts.apply(make_halt("firm"))
    assert await judged(desk, number=3, **out) == ("drawdown_halt", DenyCode.FIRM_HALTED)


async def test_an_unreadable_halt_record_halts_everything(desk: Desk) -> None:
    desk.halts.apply(make_halt("fund:beta"))
    (desk.home / "halt" / "halts.json").write_text("{")
    assert await judged(desk) == ("drawdown_halt", DenyCode.HALT_STATE_UNREADABLE)


async def test_a_halt_record_of_before_the_halt_is_no_resume(desk: Desk) -> None:
    """A copy that was put back knows nothing of the halt; risk has seen it."""
    await desk.feed(make_nav("100000"))
    record = desk.home / "halt" / "halts.json"
    desk.halts.apply(make_halt("strategy:carry"))
    before = record.read_bytes()
    desk.halts.apply(make_halt("fund:alpha"))
    assert await judged(desk, number=1) == ("drawdown_halt", DenyCode.FUND_HALTED)
    record.write_bytes(before)
    assert await judged(desk, number=2) == ("drawdown_halt", DenyCode.FUND_HALTED)
    desk.halts.apply(make_halt("fund:alpha"))
    desk.halts.lift("fund:alpha")
    assert await judged(desk, number=3) == PASSED


async def test_a_halt_that_was_lifted_before_risk_looked_ends_its_own_loss_alone(
    desk: Desk,
) -> None:
    later = AT + timedelta(days=1)
    desk.clock.advance_to(later)
    await desk.feed(make_nav("100000"), make_nav("96000", later), make_bar(at=later))
    assert await judged(desk, number=1) == ("drawdown_halt", DenyCode.DAILY_LOSS)
    (fund,) = desk.book.funds.pending()
    assert fund.breach is not None
    for halt_id, expected in (
        ("another", ("drawdown_halt", DenyCode.DAILY_LOSS)),
        (fund.breach.halt_id, PASSED),
    ):
        desk.halts.apply(make_halt("fund:alpha").with_(halt_id=halt_id))
        desk.halts.lift("fund:alpha")
        assert await judged(desk, number=halt_id) == expected


async def test_a_limit_that_is_tightened_judges_the_nav_that_is_known(desk: Desk) -> None:
    await desk.hold("10")
    later = AT + timedelta(days=1)
    desk.clock.advance_to(later)
    await desk.feed(make_nav("100000"), make_nav("98000", later), make_bar(at=later))
    assert await judged(desk, number=1) == PASSED
    await desk.engine.update_envelope(make_envelope(version=2, daily_loss_halt_pct=0.02))
    assert await judged(desk, number=2) == ("drawdown_halt", DenyCode.DAILY_LOSS)
    assert await judged(desk, number=3, side=Side.SELL, reduce_only=True) == PASSED


@pytest.mark.parametrize(
    ("days", "nav", "code"),
    [
        (1, "97000", DenyCode.DAILY_LOSS),
        (1, "97000.01", ""),
        (7, "92000", DenyCode.WEEKLY_LOSS),
        (7, "92000.01", ""),
        (40, "85000", DenyCode.MONTHLY_LOSS),
        (40, "85000.01", ""),
    ],
)
async def test_a_loss_limit_counts_as_reached_at_the_limit(
    make_desk: MakeDesk, days: int, nav: str, code: str
) -> None:
    shorter_are_off = {
        1: {},
        7: {"daily_loss_halt_pct": 1.0},
        40: {"daily_loss_halt_pct": 1.0, "weekly_loss_halt_pct": 1.0},
    }
    desk = await make_desk(envelope=make_envelope(**shorter_are_off[days]))
    later = AT + timedelta(days=days)
    desk.clock.advance_to(later)
    await desk.feed(make_nav("100000"), make_nav(nav, later), make_bar(at=later))
    assert (await judged(desk))[1] == code
