"""The configured controls: off by default, each denies with its code and passes at its limit."""

import ast
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import mts1b_riskengine
import pytest
from mts1b_foundation import DenyCode, ExecutionMode, OrderType, Side, TimeInForce
from mts1b_foundation.limits import (
    Mandate,
    MandateStatus,
    MessageLimits,
    Permission,
    RiskLimits,
    SymbolLimits,
)
from mts1b_riskengine import GATE_TABLE
from mts1b_riskengine.gates import default_gates, is_active
from mts1b_riskengine.mandates import MandateTable
from riskengine_desk import FUND, PASSED, MakeDesk, outcome
from riskengine_limits import (
    AAPL,
    GOOG,
    MSFT,
    OPEN,
    all_on,
    child,
    day_bar,
    mandates,
    market,
    plain,
    simple,
)

D = Decimal


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
    ("order_life", DenyCode.ORDER_TOO_OLD, {}, {"created_at": OPEN + timedelta(seconds=3601)}),
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
    ("unit_safety", DenyCode.UNIT_MISMATCH, {}, {"reference_price": D(10_000)}),
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


@pytest.mark.parametrize(("gate", "code", "limits", "order"), CASES)
async def test_an_order_that_only_reduces_is_bound_by_what_its_card_says(
    make_desk: MakeDesk, gate: str, code: str, limits: Change, order: Change
) -> None:
    """To buy back what was sold short takes neither cash nor room under a cap."""
    desk = await market(make_desk, limits=all_on(**limits))
    await desk.hold("-1000")
    decision = await desk.engine.check(plain(**order))
    card = next(card for card in GATE_TABLE if card.gate == gate)
    bound = card.reducing and code != DenyCode.MIN_NOTIONAL
    assert outcome(decision) == ((gate, code) if bound else PASSED), decision.reason


@pytest.mark.parametrize(
    ("limits", "order"),
    [
        ({"session_close_margin_s": 3599.0}, {}),
        ({"session_open_margin_s": 19800.0}, {}),
        ({}, {"created_at": OPEN - timedelta(seconds=3600)}),
        ({}, {"created_at": OPEN + timedelta(seconds=3600)}),
        ({}, {"tif": TimeInForce.GTD, "expires_at": OPEN + timedelta(days=30)}),
        ({"collar_soft_pct": None}, {"limit_price": D("105.00")}),
        ({}, {"limit_price": D("103.00")}),
        ({}, {"limit_price": D("50.00")}),
        ({"max_adv_pct": D("0.001")}, {"quantity": D(10)}),
        ({"max_displayed_pct": D("0.01")}, {}),
        ({"symbols": {AAPL: SymbolLimits(max_position_quantity=D(10))}}, {}),
        ({"symbols": {AAPL: SymbolLimits(max_order_quantity=D(10))}}, {}),
        ({"max_order_usd": D(1000), "soft_order_usd": None}, {}),
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


SET = [
    name
    for name, value in all_on()
    if value != RiskLimits.model_fields[name].get_default(call_default_factory=True)
]
HARDER = {"collar_soft_pct": "collar_pct", "soft_order_usd": "max_order_usd"}


@pytest.mark.parametrize("name", sorted(set(SET) & {n for card in GATE_TABLE for n in card.limits}))
async def test_a_limit_that_is_set_alone_lets_pass_what_is_within(
    make_desk: MakeDesk, name: str
) -> None:
    """Each gate leaves alone what is none of its limits, and asks for no more than it needs."""
    names = {name, "adv_days", "max_quote_age_s", HARDER.get(name, name)}
    limits = RiskLimits(**{one: getattr(all_on(), one) for one in names})
    desk = await market(make_desk, limits=limits, mandates=None)
    assert len(desk.engine.gate_names) > len(default_gates())
    decision = await desk.engine.check(child())
    assert outcome(decision) == PASSED, decision.reason


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_order_quantity", D(9)),
        ("max_order_usd", D(999)),
        ("max_position_quantity", D(9)),
        ("max_position_usd", D(999)),
        ("collar_pct", D("0.009")),
        ("max_adv_pct", D("0.0009")),
        ("tick_size", D("0.03")),
        ("lot_size", D(3)),
        ("minimum_notional", D(2000)),
        ("reduce_only", True),
    ],
)
async def test_a_limit_of_one_symbol_binds_no_other(
    make_desk: MakeDesk, name: str, value: Any
) -> None:
    row = SymbolLimits(**{name: value})
    limits = RiskLimits(adv_days=3, symbols={AAPL: row})
    desk = await market(make_desk, limits=limits, mandates=None)
    wanted = plain(1, limit_price=D(101))
    assert not (await desk.engine.check(wanted)).approved
    other = plain(2, limit_price=D(101), symbol=MSFT)
    decision = await desk.engine.check(other)
    assert outcome(decision) == PASSED, decision.reason


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
        order = simple(number, side=Side.SELL).with_(quantity=D(10), reference_price=None)
        decision = await desk.engine.check(order)
        assert decision.approved, (decision.code, decision.reason)
    opening = await desk.engine.check(simple(4, side=Side.SELL).with_(quantity=D(11)))
    assert not opening.approved
    exempt = {card.gate for card in GATE_TABLE if not card.reducing}
    assert {"message_limit", "repeat_throttle", "mandate", "restricted"} <= exempt


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
