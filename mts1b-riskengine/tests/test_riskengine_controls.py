"""The configured controls: off by default, each denies with its code and passes at its limit."""

import ast
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import mts1b_riskengine
import pytest
from mts1b_foundation import (
    DenyCode,
    ExecutionMode,
    FundConfig,
    HaltSeverity,
    OrderStatus,
    OrderType,
    RiskDecision,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_foundation.limits import (
    Mandate,
    MandateStatus,
    MessageLimits,
    Permission,
    RiskLimits,
    SymbolLimits,
)
from mts1b_foundation.nats import MARKETDATA_QUOTES, OMS_ORDERS_CANCELED
from mts1b_platform.config import FundSettings, Settings, StrategySettings
from mts1b_platform.pump import Event
from mts1b_riskengine import GATE_TABLE
from mts1b_riskengine.feed import RiskFeed, feed_subjects
from mts1b_riskengine.gates import default_gates, is_active
from mts1b_riskengine.mandates import MandateTable, mandates_of
from riskengine_desk import FUND, Desk, MakeDesk, make_bar, make_envelope, make_halt, make_nav
from riskengine_limits import (
    AAPL,
    GOOG,
    MSFT,
    OPEN,
    all_on,
    child,
    day_bar,
    listed,
    make_mandate,
    make_quote,
    mandates,
    open_market,
    plain,
)

D = Decimal


async def market(make_desk: MakeDesk, **more: Any) -> Desk:
    """Return a desk an hour before the close, with every control on unless ``more`` says so."""
    values: dict[str, Any] = {
        "limits": all_on(),
        "mandates": mandates(),
        "instruments": listed(),
        "at": OPEN,
        "prices": False,
    }
    desk = await make_desk(**values | more)
    await open_market(desk)
    return desk


def outcome(decision: RiskDecision) -> tuple[str, str]:
    return decision.rejecting_gate, decision.code


async def test_an_order_within_every_limit_passes_every_gate(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    assert desk.engine.gate_names == tuple(card.gate for card in GATE_TABLE)
    decision = await desk.engine.check(child())
    assert outcome(decision) == ("", "")
    assert [row.gate for row in decision.gates] == [card.gate for card in GATE_TABLE]


def test_without_limits_only_the_documented_gates_are_asked() -> None:
    off = [card.gate for card in GATE_TABLE if not is_active(card, RiskLimits(), MandateTable())]
    assert len(default_gates()) == len(GATE_TABLE) - len(off) == 7
    everything = default_gates(limits=all_on(), mandates=mandates())
    assert [gate.name for gate in everything] == [card.gate for card in GATE_TABLE]


Change = dict[str, Any]
LIMIT = {"order_type": OrderType.LIMIT}
CASES: list[tuple[str, str, Change, Change]] = [
    ("mode_tag", DenyCode.MODE_MISMATCH, {}, {"mode": ExecutionMode.LIVE}),
    (
        "permissions",
        DenyCode.NOT_PERMITTED,
        {"permissions": {"trend": Permission(actors=["research"])}},
        {"actor": "operator:eve"},
    ),
    ("permissions", DenyCode.NOT_PERMITTED, {"permissions": {"other": Permission()}}, {}),
    (
        "permissions",
        DenyCode.NOT_PERMITTED,
        {"permissions": {"trend": Permission(accounts=["a1"])}},
        {"account": "a2"},
    ),
    (
        "permissions",
        DenyCode.NOT_PERMITTED,
        {"permissions": {"trend": Permission(order_types=[OrderType.MARKET])}},
        {},
    ),
    ("restricted", DenyCode.RESTRICTED, {"restricted": [AAPL]}, {}),
    ("trading_state", DenyCode.REDUCING_ONLY, {"state": "reducing"}, {}),
    ("trading_state", DenyCode.REDUCING_ONLY, {"reducing_funds": [FUND]}, {}),
    ("trading_state", DenyCode.REDUCING_ONLY, {"reducing_strategies": ["trend"]}, {}),
    (
        "trading_state",
        DenyCode.REDUCING_ONLY,
        {"symbols": {AAPL: SymbolLimits(reduce_only=True)}},
        {},
    ),
    ("session", DenyCode.OUTSIDE_SESSION, {"session_close_margin_s": 3600.0}, {}),
    ("session", DenyCode.OUTSIDE_SESSION, {"session_open_margin_s": 19801.0}, {}),
    (
        "session",
        DenyCode.OUTSIDE_SESSION,
        {"allowed_tifs": []},
        {"tif": TimeInForce.OPG},
    ),
    ("order_life", DenyCode.TIF_NOT_ALLOWED, {}, {"tif": TimeInForce.IOC}),
    ("order_life", DenyCode.ORDER_TOO_OLD, {}, {"created_at": OPEN - timedelta(seconds=3601)}),
    (
        "order_life",
        DenyCode.GTD_OUT_OF_RANGE,
        {},
        {"tif": TimeInForce.GTD, "expires_at": OPEN + timedelta(days=31)},
    ),
    ("price_collar", DenyCode.PRICE_COLLAR, {}, {"limit_price": D("105.01")}),
    (
        "price_collar",
        DenyCode.PRICE_COLLAR,
        {"unit_tolerance_pct": None},
        {
            "order_type": OrderType.MARKET,
            "limit_price": None,
            "reference_price": D("90"),
        },
    ),
    ("price_collar", DenyCode.PRICE_COLLAR_SOFT, {}, {"limit_price": D("103.01")}),
    ("increments", DenyCode.TICK_SIZE, {}, {"limit_price": D("100.005")}),
    ("increments", DenyCode.LOT_SIZE, {}, {"quantity": D("10.5")}),
    (
        "increments",
        DenyCode.MIN_NOTIONAL,
        {"symbols": {AAPL: SymbolLimits(minimum_notional=D(1001))}},
        {},
    ),
    ("unit_safety", DenyCode.UNIT_MISMATCH, {}, {"reference_price": D(1)}),
    ("unit_safety", DenyCode.UNIT_MISMATCH, {}, {"reference_price": None}),
    ("order_value", DenyCode.MAX_ORDER_VALUE, {}, {"quantity": D(201)}),
    ("order_value", DenyCode.FAT_FINGER, {}, {"quantity": D(151)}),
    ("order_volume", DenyCode.MAX_ADV, {"max_adv_pct": D("0.001")}, {"quantity": D(11)}),
    (
        "order_volume",
        DenyCode.MAX_ADV,
        {"symbols": {AAPL: SymbolLimits(max_order_quantity=D(9))}},
        {},
    ),
    ("order_volume", DenyCode.ADV_UNKNOWN, {"adv_days": 20}, {}),
    ("order_volume", DenyCode.MAX_DISPLAYED, {"max_displayed_pct": D("0.009")}, {}),
    (
        "group_exposure",
        DenyCode.MAX_SYMBOL_POSITION,
        {"symbols": {AAPL: SymbolLimits(max_position_quantity=D(9))}},
        {},
    ),
    (
        "group_exposure",
        DenyCode.MAX_SYMBOL_POSITION,
        {"symbols": {AAPL: SymbolLimits(max_position_usd=D("999.99"))}},
        {},
    ),
    ("group_exposure", DenyCode.MAX_CURRENCY, {"max_currency_pct": D("0.00999")}, {}),
    ("firm_capital", DenyCode.FIRM_CAPITAL, {"firm_max_gross_usd": D("999.99")}, {}),
    ("firm_capital", DenyCode.FIRM_CAPITAL, {"firm_max_net_usd": D("999.99")}, {}),
    ("buying_power", DenyCode.BUYING_POWER, {"buying_power_multiple": D("0.010004")}, {}),
]


@pytest.mark.parametrize(("gate", "code", "limits", "order"), CASES)
async def test_each_control_denies_with_its_code(
    make_desk: MakeDesk, gate: str, code: str, limits: Change, order: Change
) -> None:
    desk = await market(make_desk, limits=all_on(**limits))
    decision = await desk.engine.check(plain(**order))
    assert outcome(decision) == (gate, code), decision.reason


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        ({"session_close_margin_s": 3599.0}, {}),
        ({"session_open_margin_s": 19800.0}, {}),
        ({}, {"created_at": OPEN - timedelta(seconds=3600)}),
        ({}, {"tif": TimeInForce.GTD, "expires_at": OPEN + timedelta(days=30)}),
        ({"collar_soft_pct": None}, {"limit_price": D("105.00")}),
        ({}, {"limit_price": D("103.00")}),
        ({}, {"limit_price": D("50.00")}),
        ({"max_adv_pct": D("0.001")}, {"quantity": D(10)}),
        ({"max_displayed_pct": D("0.01")}, {}),
        ({"symbols": {AAPL: SymbolLimits(max_position_quantity=D(10))}}, {}),
        ({"firm_max_gross_usd": D(1000), "firm_max_net_usd": D(1000)}, {}),
        ({"max_currency_pct": D("0.01")}, {}),
        ({"buying_power_multiple": D("0.010005")}, {}),
        ({"unit_tolerance_pct": D("0.25")}, {"reference_price": D(125)}),
        ({}, {"quantity": D(150)}),
    ],
)
async def test_each_control_passes_at_its_limit(
    make_desk: MakeDesk, limits: Change, order: Change
) -> None:
    desk = await market(make_desk, limits=all_on(**limits))
    decision = await desk.engine.check(plain(**order))
    assert outcome(decision) == ("", ""), decision.reason


# --- reference


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


# --- flow


@pytest.mark.parametrize("scope", ["strategy", "venue", "firm"])
async def test_messages_are_limited_per_scope(make_desk: MakeDesk, scope: str) -> None:
    sizes: dict[str, Any] = {f"{scope}_new": 2, "window_s": 1.0}
    desk = await make_desk(limits=RiskLimits(messages=MessageLimits(**sizes)))
    for number in (1, 2):
        assert (await desk.engine.check(_simple(number))).approved
    third = await desk.engine.check(_simple(3))
    assert outcome(third) == ("message_limit", DenyCode.MESSAGE_LIMIT)
    assert scope in third.reason
    elsewhere = await desk.engine.check(_simple(4, strategy_id="carry"))
    assert elsewhere.approved is (scope == "strategy")
    desk.clock.advance(1)
    assert (await desk.engine.check(_simple(5))).approved


def _simple(number: int, **changes: Any) -> Any:
    return plain(number, order_type=OrderType.MARKET, limit_price=None, quantity=D(1), **changes)


async def test_amendments_have_a_limit_of_their_own_and_cancels_none(make_desk: MakeDesk) -> None:
    sizes = MessageLimits(firm_new=2, firm_amend=1, window_s=60.0)
    desk = await make_desk(limits=RiskLimits(messages=sizes))
    amend = {"broker_order_id": "v-1"}
    assert (await desk.engine.check(_simple(1))).approved
    assert (await desk.engine.check(_simple(2, **amend))).approved
    assert outcome(await desk.engine.check(_simple(3, **amend)))[1] == DenyCode.MESSAGE_LIMIT
    assert (await desk.engine.check(_simple(4))).approved
    assert outcome(await desk.engine.check(_simple(5)))[1] == DenyCode.MESSAGE_LIMIT
    gone = _simple(1, status=OrderStatus.CANCELED)
    event = Event(OMS_ORDERS_CANCELED, OMS_ORDERS_CANCELED, FUND, gone, "m", "OMS", 1)
    async with desk.store.transaction() as tx:
        await RiskFeed(desk.engine).handle(tx, event)
    assert desk.book.reservations.get("o-1") is None
    assert desk.book.flow.totals == {"new": 2, "amend": 1, "cancel": 1}


async def test_windows_survive_a_restart(make_desk: MakeDesk) -> None:
    limits = RiskLimits(messages=MessageLimits(firm_new=2, window_s=60.0), duplicate_window_s=30.0)
    desk = await make_desk(limits=limits)
    assert (await desk.engine.check(_simple(1))).approved
    assert (await desk.engine.check(_simple(2, side=Side.SELL))).code == DenyCode.SHORTING_DISABLED
    assert (await desk.engine.check(_simple(3, symbol=MSFT))).approved
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    assert outcome(await again.engine.check(_simple(4)))[1] == DenyCode.MESSAGE_LIMIT
    again.clock.advance(29.9)
    assert again.book.flow.twin(_simple(5), again.clock.monotonic()) == "o-1"
    again.clock.advance(0.2)
    assert again.book.flow.twin(_simple(5), again.clock.monotonic()) is None


async def test_our_own_orders_do_not_meet(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(self_match=True))
    await desk.hold("50", strategy="carry")
    sell = plain(1, side=Side.SELL, limit_price=D(101), strategy_id="carry")
    assert (await desk.engine.check(sell)).approved
    below = plain(2, limit_price=D("100.99"))
    assert (await desk.engine.check(below)).approved
    for number, price in ((3, D(101)), (4, None)):
        kind = OrderType.LIMIT if price else OrderType.MARKET
        crossing = plain(number, limit_price=price, order_type=kind)
        denied = await desk.engine.check(crossing)
        assert outcome(denied) == ("self_match", DenyCode.SELF_MATCH)
        assert "o-1" in denied.reason
    await desk.store.close()
    again = await make_desk(limits=RiskLimits(self_match=True), prices=False)
    assert outcome(await again.engine.check(plain(5, limit_price=D(101))))[0] == "self_match"
    assert (await again.engine.check(plain(6, limit_price=D("100.99")))).approved
    await again.end(sell, OrderStatus.CANCELED)
    assert (await again.engine.check(plain(7, limit_price=D(101)))).approved


# --- capital


async def test_the_firm_counts_all_funds_and_open_orders(make_desk: MakeDesk) -> None:
    desk = await make_desk(limits=RiskLimits(firm_max_gross_usd=D(3000)))
    beta = make_envelope(envelope_id="env-beta", fund_id="beta")
    await desk.engine.seed_envelope(beta)
    assert (await desk.engine.check(_simple(1).with_(quantity=D(20)))).approved
    other = _simple(2, fund_id="beta").with_(quantity=D("10.01"))
    assert outcome(await desk.engine.check(other)) == ("firm_capital", DenyCode.FIRM_CAPITAL)
    fits = _simple(3, fund_id="beta").with_(quantity=D(10))
    assert (await desk.engine.check(fits)).approved


async def test_cash_pays_for_open_purchases_fills_and_fees(make_desk: MakeDesk) -> None:
    limits = RiskLimits(buying_power_multiple=D(1), buying_power_fee_bps=D(10))
    desk = await make_desk(limits=limits)
    assert outcome(await desk.engine.check(_simple(1)))[1] == DenyCode.CASH_UNKNOWN
    await desk.feed(make_nav("100000", cash_usd=D(2002)))
    first = _simple(2).with_(quantity=D(10))
    assert (await desk.engine.check(first)).approved
    assert (await desk.engine.check(_simple(3).with_(quantity=D("10.01")))).code == (
        DenyCode.BUYING_POWER
    )
    await desk.fill(first)
    assert desk.book.cash.get(FUND) == 1002
    assert (await desk.engine.check(_simple(4).with_(quantity=D("10.01")))).code == (
        DenyCode.BUYING_POWER
    )
    assert (await desk.engine.check(_simple(5).with_(quantity=D(10)))).approved


# --- parents


async def test_children_never_exceed_their_parent(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    assert (await desk.engine.check(child(1, quantity=D(60)))).approved
    over = await desk.engine.check(child(2, quantity=D(41)))
    assert outcome(over) == ("parent_cap", DenyCode.PARENT_EXCEEDED)
    assert (await desk.engine.check(child(3, quantity=D(40)))).approved
    first = child(1, quantity=D(60), status=OrderStatus.CANCELED, filled_quantity=D(10))
    await desk.feed(first)
    assert (await desk.engine.check(child(4, quantity=D(51)))).code == DenyCode.PARENT_EXCEEDED
    assert (await desk.engine.check(child(5, quantity=D(50)))).approved
    stray = child(6, parent_order_id="nobody")
    assert outcome(await desk.engine.check(stray)) == ("parent_cap", DenyCode.PARENT_UNKNOWN)


async def test_a_parent_has_a_cap_in_value_and_a_restart_remembers(make_desk: MakeDesk) -> None:
    limits = RiskLimits(max_parent_usd=D(5000))
    desk = await make_desk(limits=limits)
    assert (await desk.engine.check(_simple(1, parent_order_id="p").with_(quantity=D(30)))).approved
    await desk.store.close()
    again = await make_desk(limits=limits, prices=False)
    over = _simple(2, parent_order_id="p").with_(quantity=D("20.01"))
    assert outcome(await again.engine.check(over)) == ("parent_cap", DenyCode.MAX_PARENT)
    assert (
        await again.engine.check(_simple(3, parent_order_id="p").with_(quantity=D(20)))
    ).approved
    assert await again.engine.release("o-3")
    assert (
        await again.engine.check(_simple(4, parent_order_id="p").with_(quantity=D(20)))
    ).approved


async def test_an_order_that_is_judged_again_does_not_count_against_itself(
    make_desk: MakeDesk,
) -> None:
    limits = RiskLimits(
        max_parent_usd=D(1000), messages=MessageLimits(firm_new=1, window_s=60.0), repeat_max=1
    )
    desk = await make_desk(limits=limits, mandates=mandates(max_orders_per_day=1))
    first = _simple(1, parent_order_id="p").with_(quantity=D(10))
    nonces = set()
    for _ in range(3):
        decision = await desk.engine.check(first)
        assert decision.approval is not None
        nonces.add(decision.approval.nonce)
        desk.clock.advance(3)
    assert len(nonces) == 3
    assert (await desk.engine.check(_simple(2))).code == DenyCode.MANDATE_BUDGET
    assert desk.book.flow.totals["new"] == 1


async def test_a_parent_is_no_exposure_of_its_own(make_desk: MakeDesk) -> None:
    desk = await market(make_desk)
    assert desk.book.reservations.get("p-1") is None


# --- mandates


@pytest.mark.parametrize(
    ("change", "order", "code"),
    [
        ({"strategy_id": "other"}, {}, DenyCode.NO_MANDATE),
        ({"status": MandateStatus.SUSPENDED}, {}, DenyCode.MANDATE_INACTIVE),
        ({"status": MandateStatus.EXPIRED}, {}, DenyCode.MANDATE_INACTIVE),
        ({"valid_until": OPEN}, {}, DenyCode.MANDATE_INACTIVE),
        ({"valid_from": OPEN + timedelta(seconds=1)}, {}, DenyCode.MANDATE_INACTIVE),
        ({"symbols": ["MSFT"]}, {}, DenyCode.MANDATE_SCOPE),
        ({"venues": ["ibkr"]}, {}, DenyCode.MANDATE_SCOPE),
        ({"order_types": [OrderType.MARKET]}, {}, DenyCode.MANDATE_SCOPE),
        ({"max_order_usd": D("999.99")}, {}, DenyCode.MANDATE_BUDGET),
        ({"max_gross_usd": D("999.99")}, {}, DenyCode.MANDATE_BUDGET),
        ({"max_position_usd": D("999.99")}, {}, DenyCode.MANDATE_BUDGET),
        ({"max_order_usd": D(1000), "max_gross_usd": D(1000)}, {}, ""),
        ({"valid_from": OPEN, "valid_until": OPEN + timedelta(seconds=1)}, {}, ""),
    ],
)
async def test_a_mandate_bounds_its_strategy(
    make_desk: MakeDesk, change: Change, order: Change, code: str
) -> None:
    desk = await market(make_desk, mandates=mandates(**change))
    decision = await desk.engine.check(plain(**order))
    assert decision.code == code, decision.reason
    assert not code or decision.rejecting_gate == "mandate"


async def test_a_mandate_counts_the_orders_of_a_day(make_desk: MakeDesk) -> None:
    table = mandates(max_orders_per_day=2)
    desk = await make_desk(mandates=table)
    for number in (1, 2):
        assert (await desk.engine.check(_simple(number))).approved
    assert (await desk.engine.check(_simple(3))).code == DenyCode.MANDATE_BUDGET
    await desk.store.close()
    again = await make_desk(mandates=table, prices=False)
    assert (await again.engine.check(_simple(4))).code == DenyCode.MANDATE_BUDGET
    again.clock.advance(3 * 3600)
    assert (await again.engine.check(_simple(5))).approved


def test_without_mandates_each_strategy_may_trade_its_symbols() -> None:
    fund = FundConfig(fund_id=FUND, name="Alpha", target_nav_usd=D(1000))
    strategy = StrategySettings(strategy_id="trend", fund_id=FUND, kind="k", symbols=["AAPL"])
    settings = Settings(
        funds=[FundSettings(fund=fund, envelope=make_envelope())], strategies=[strategy]
    )
    table = mandates_of(settings)
    found = table.find(FUND, "trend")
    assert (table.required, table.implicit) == (True, True)
    assert found is not None
    assert (found.status, found.symbols) == (MandateStatus.ACTIVE, [Symbol("AAPL")])
    assert mandates_of(Settings()) == MandateTable()
    explicit = mandates_of(settings.model_copy(update={"mandates": [make_mandate()]}))
    assert (explicit.required, explicit.implicit) == (True, False)


async def test_an_implied_mandate_denies_and_leaves_no_line_where_it_passes(
    make_desk: MakeDesk,
) -> None:
    table = MandateTable((make_mandate(),), required=True, implicit=True)
    desk = await make_desk(mandates=table)
    passed = await desk.engine.check(_simple(1))
    assert passed.approved
    assert "mandate" not in [row.gate for row in passed.gates]
    denied = await desk.engine.check(_simple(2, strategy_id="stranger"))
    assert outcome(denied) == ("mandate", DenyCode.NO_MANDATE)


# --- always possible


async def test_reducing_is_possible_whatever_is_used_up(make_desk: MakeDesk) -> None:
    """Nothing but the order's own price and form binds an order that can only reduce."""
    tight = all_on(
        state="reducing",
        restricted=[AAPL],
        permissions={"nobody": Permission()},
        messages=MessageLimits(strategy_new=1, venue_new=1, firm_new=1, window_s=3600.0),
        repeat_max=1,
        max_order_usd=D("0.02"),
        soft_order_usd=D("0.01"),
        max_adv_pct=D("0.0000001"),
        max_displayed_pct=D("0.0000001"),
        max_currency_pct=D("0.0000001"),
        firm_max_gross_usd=D("0.01"),
        firm_max_net_usd=D("0.01"),
        max_parent_usd=D("0.01"),
        self_match=False,
        symbols={AAPL: SymbolLimits(max_position_usd=D("0.01"), max_order_quantity=D("0.01"))},
    )
    dead = mandates(status=MandateStatus.SUSPENDED, max_orders_per_day=1)
    desk = await market(make_desk, limits=tight, mandates=dead)
    desk.book.market.quotes.clear()
    await desk.hold("40")
    for number in (1, 2, 3):
        order = _simple(number, side=Side.SELL).with_(quantity=D(10), reference_price=None)
        decision = await desk.engine.check(order)
        assert decision.approved, (decision.code, decision.reason)
    opening = await desk.engine.check(_simple(4, side=Side.SELL).with_(quantity=D(11)))
    assert not opening.approved
    exempt = {card.gate for card in GATE_TABLE if not card.reducing}
    assert {"message_limit", "repeat_throttle", "mandate", "restricted"} <= exempt


# --- halts


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
    assert outcome(await desk.engine.check(_simple(1))) == ("drawdown_halt", code)
    elsewhere = _simple(2, symbol=MSFT)
    assert (await desk.engine.check(elsewhere)).approved is (severity is HaltSeverity.SYMBOL_HALT)


# --- the feed


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


# --- the schema is what the code reads


@pytest.mark.parametrize("model", [RiskLimits, SymbolLimits, MessageLimits, Permission, Mandate])
def test_every_field_of_the_schema_is_read(model: Any) -> None:
    source = Path(mts1b_riskengine.__file__).parent
    read: set[str] = set()
    for file in source.rglob("*.py"):
        tree = ast.parse(file.read_text())
        read |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    unread = [name for name in model.model_fields if name not in read]
    assert unread == []


def test_every_limit_switches_on_a_gate_or_tunes_one() -> None:
    named = {path.split(".")[0] for card in GATE_TABLE for path in card.limits}
    tuning = {
        "collar_soft_pct",
        "collar_period_s",
        "max_quote_age_s",
        "adv_days",
        "repeat_window_s",
        "buying_power_fee_bps",
        "session_open_margin_s",
        "session_close_margin_s",
        "block_ttl_s",
    }
    assert named | tuning == set(RiskLimits.model_fields)
    assert GOOG not in (AAPL, MSFT)
    assert day_bar(1).volume == 10_000
