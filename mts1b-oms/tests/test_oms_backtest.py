"""The order path in memory: what the services do, without bus and disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import Bar, FundConfig, Order, RiskEnvelope, Side, Symbol
from mts1b_foundation.orders import ExecutionMode, OrderStatus, OrderType
from mts1b_foundation.risk import ActiveHalt, DenyCode, HaltSeverity
from mts1b_oms.backtest import EventBacktest, WrongMode
from mts1b_oms.errors import OrderRefused
from mts1b_platform.config import FundSettings, Settings, StrategySettings, VenueSettings
from mts1b_platform.rng import SeededRng

START = datetime(2026, 1, 5, tzinfo=UTC)
AAA, BBB = Symbol("AAA"), Symbol("BBB")
NAV = Decimal(100_000)


NO_LOSS_LIMITS = dict.fromkeys(
    ("daily_loss_halt_pct", "weekly_loss_halt_pct", "monthly_loss_halt_pct"), 1.0
)


def configured(mode: str = "backtest", **envelope: object) -> Settings:
    limits = {
        "envelope_id": "env",
        "fund_id": "alpha",
        "nav_usd": NAV,
        "max_position_pct": 1.0,
        "max_gross_exposure_pct": 2.0,
        "max_order_notional_usd": Decimal(60_000),
        "daily_loss_halt_pct": 0.05,
        "max_sector_pct": 1.0,
        "allowed_brokers": ["paper"],
    }
    fund = FundConfig(fund_id="alpha", name="alpha", target_nav_usd=NAV)
    return Settings(
        mode=ExecutionMode(mode),
        funds=[FundSettings(fund=fund, envelope=RiskEnvelope(**{**limits, **envelope}))],
        strategies=[
            StrategySettings(strategy_id=name, fund_id="alpha", kind="x", symbols=["AAA", "BBB"])
            for name in ("one", "two")
        ],
        venue=VenueSettings(max_participation=Decimal(1)),
    )


def bar(number: int, price: object, symbol: Symbol = AAA) -> Bar:
    names = dict.fromkeys(("open", "high", "low", "close"), Decimal(str(price)))
    ends = START + timedelta(minutes=number)
    return Bar(symbol=symbol, interval="1m", timestamp=ends, volume=Decimal(10**6), **names)


def order(number: int, quantity: object, price: object = 100, **changes: object) -> Order:
    size = Decimal(str(quantity))
    values = {
        "order_id": f"o-{number}",
        "idempotency_key": f"k-{number}",
        "symbol": AAA,
        "side": Side.BUY if size > 0 else Side.SELL,
        "quantity": abs(size),
        "fund_id": "alpha",
        "strategy_id": "one",
        "created_at": START,
        "reference_price": Decimal(str(price)),
        "mode": ExecutionMode.BACKTEST,
    }
    return Order(**{**values, **changes})


async def begun(**envelope: object) -> EventBacktest:
    run = EventBacktest(configured(**envelope), start=START, rng=SeededRng(1))
    await run.start()
    await run.on_bars([bar(1, 100), bar(1, 50, BBB)])
    return run


def by_hand(scope: str) -> ActiveHalt:
    return ActiveHalt(
        halt_id="by-hand",
        scope=scope,
        severity=HaltSeverity.FUND_HALT,
        reason="a look",
        requested_by="operator",
        requested_at=START,
        epoch=1,
        reduce_only_allowed=False,
    )


def nav(run: EventBacktest) -> Decimal:
    return next(n.nav_usd for n in run.book().navs if n.strategy_id is None)


def test_settings_of_another_mode_are_refused() -> None:
    with pytest.raises(WrongMode, match="mode: backtest"):
        EventBacktest(configured("paper"), start=START, rng=SeededRng(1))


async def test_an_order_fills_at_the_next_open_and_is_booked_to_the_cent() -> None:
    run = await begun()
    taken = await run.submit(order(1, 10))
    assert taken.status is OrderStatus.ACCEPTED
    booked = await run.on_bars([bar(2, 110), bar(2, 50, BBB)])
    paid = booked[0]
    assert paid.price == Decimal("110.022")  # the open and two basis points
    cash = NAV - paid.quantity * paid.price - paid.fees
    assert nav(run) == cash + 10 * Decimal(110)
    held = run.book(strategy_id="one").positions
    assert [(p.symbol, p.quantity) for p in held] == [(AAA, Decimal(10))]
    assert run.record.all_orders["o-1"].status is OrderStatus.FILLED
    assert not run.record.open_orders


async def test_the_same_key_is_the_same_order_and_other_economics_are_refused() -> None:
    run = await begun()
    first = await run.submit(order(1, 10))
    again = await run.submit(order(1, 10))
    assert again == first
    with pytest.raises(OrderRefused, match="other economics"):
        await run.submit(order(2, 20, idempotency_key="k-1"))
    with pytest.raises(OrderRefused, match="another key"):
        await run.submit(order(1, 10, idempotency_key="k-9"))
    await run.on_bars([bar(2, 100)])
    assert await run.submit(order(1, 10)) == run.record.all_orders["o-1"]
    assert len(run.record.fills) == 1


async def test_the_gates_count_what_works_already() -> None:
    run = await begun(max_gross_exposure_pct=1.0)
    assert (await run.submit(order(1, 550))).status is OrderStatus.ACCEPTED
    denied = await run.submit(order(2, 550, strategy_id="two"))
    assert denied.status is OrderStatus.REJECTED
    assert await run.cancel("o-1")
    assert run.record.all_orders["o-1"].status is OrderStatus.CANCELED
    assert (await run.submit(order(3, 550, strategy_id="two"))).status is OrderStatus.ACCEPTED


async def test_a_breached_loss_limit_halts_until_resumed() -> None:
    run = await begun()
    await run.submit(order(1, 550))
    await run.on_bars([bar(2, 100)])
    await run.on_bars([bar(3, 80)])
    denied = await run.submit(order(2, 1, 80))
    assert denied.rejected_code == DenyCode.FUND_HALTED
    leaving = await run.submit(order(3, -550, 80, reduce_only=True))
    assert leaving.status is OrderStatus.ACCEPTED
    await run.on_bars([bar(4, 80)])
    run.resume("alpha")
    assert (await run.submit(order(4, 1, 80))).status is OrderStatus.ACCEPTED


async def test_a_bar_of_what_nobody_holds_moves_only_the_time_of_the_navs() -> None:
    run = await begun()
    before = run.book().navs
    assert await run.on_bars([bar(2, 130)]) == []
    after = run.book().navs
    assert {one.as_of for one in after} == {START + timedelta(minutes=2)}
    assert tuple(one.with_(as_of=before[0].as_of) for one in after) == before
    assert run.record.ledger.marks[AAA] == 130


async def test_a_loss_counts_from_the_last_nav_also_after_days_without_a_position() -> None:
    run, day = await begun(), 24 * 60
    await run.submit(order(1, 550))
    await run.on_bars([bar(2, 100)])
    await run.on_bars([bar(3, 97)])
    await run.submit(order(2, -550, 97))
    await run.on_bars([bar(4, 97)])
    assert not run.record.held
    for quiet in (day, 2 * day):
        await run.on_bars([bar(quiet, 97)])
    await run.submit(order(3, 550, 97))
    await run.on_bars([bar(2 * day + 1, 97)])
    await run.on_bars([bar(2 * day + 2, "90.5")])
    assert nav(run) < NAV * Decimal("0.95"), "more than the limit since the first day"
    assert run.halt_of("alpha", "one") is None
    await run.on_bars([bar(2 * day + 3, "87.5")])
    assert run.halt_of("alpha", "one") is not None


async def test_a_halt_put_in_force_and_lifted_by_hand_is_seen_without_a_position() -> None:
    run = await begun()
    await run.submit(order(1, 550))
    await run.on_bars([bar(2, 100)])
    await run.on_bars([bar(3, 97)])
    await run.submit(order(2, -550, 97))
    await run.on_bars([bar(4, 97)])
    lost = run.risk.book.funds.get("alpha").marks
    assert lost is not None
    assert lost.day_nav > lost.nav
    run.halts.apply(by_hand("fund:alpha"))
    await run.on_bars([bar(5, 97)])
    run.resume("alpha")
    await run.on_bars([bar(6, 97)])
    begun_anew = run.risk.book.funds.get("alpha").marks
    assert begun_anew is not None
    assert begun_anew.day_nav == begun_anew.nav == lost.nav


async def test_a_limit_order_waits_and_a_partial_fill_is_averaged() -> None:
    run = await begun()
    waiting = order(1, 10, order_type=OrderType.LIMIT, limit_price=Decimal(90), tif="gtc")
    await run.submit(waiting)
    assert await run.on_bars([bar(2, 95)]) == []
    thin = bar(3, 80).with_(volume=Decimal(4))
    assert [fill.quantity for fill in await run.on_bars([thin])] == [Decimal(4)]
    rest = await run.on_bars([bar(4, 60)])
    assert [fill.quantity for fill in rest] == [Decimal(6)]
    filled = run.record.all_orders["o-1"]
    parts = [item.fill for item in run.record.fills]
    paid = sum((fill.notional for fill in parts), Decimal(0))
    assert filled.average_fill_price == paid / 10


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-300, 300).filter(bool), st.sampled_from([AAA, BBB]), st.integers(80, 120)
        ),
        max_size=25,
    )
)
async def test_no_cash_appears_or_vanishes(acts: list[tuple[int, Symbol, int]]) -> None:
    run = await begun(**NO_LOSS_LIMITS)
    for number, (size, symbol, price) in enumerate(acts, start=2):
        moment = {"created_at": START, "strategy_id": ("one", "two")[number % 2]}
        await run.submit(order(number, size, price, symbol=symbol, **moment))
        await run.on_bars([bar(number, price), bar(number, price / 2, BBB)])
    ledger = run.record.ledger
    paid = sum(
        (i.fill.signed_quantity * i.fill.price + i.fill.fees for i in run.record.fills), Decimal(0)
    )
    assert abs(ledger.cash() - (NAV - paid)) < Decimal("1e-6")
    worth = sum((q * ledger.marks[s] for s, q in ledger.quantities().items()), Decimal(0))
    assert abs(nav(run) - (ledger.cash() + worth)) < Decimal("1e-6")
    assert {p.symbol: p.quantity for p in await run.venue.get_positions()} == ledger.quantities()
