"""Each gate: what passes, what it denies with which code, and exactly at the limit."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import (
    AssetClass,
    DenyCode,
    Instrument,
    Order,
    OrderStatus,
    OrderType,
    RiskContext,
    RiskDecision,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_foundation.protocols import RiskGate
from mts1b_riskengine import (
    GATE_TABLE,
    BorrowQuote,
    CroOpinion,
    FixedBorrow,
    InstrumentTable,
    RiskPolicy,
    default_gates,
)
from mts1b_riskengine.gates import PositionRiskGate
from riskengine_desk import (
    AT,
    Desk,
    MakeDesk,
    make_bar,
    make_envelope,
    make_halt,
    make_nav,
    make_order,
)


def outcome(decision: RiskDecision) -> tuple[str, str]:
    return decision.rejecting_gate, decision.code


async def judged(desk: Desk, **changes: Any) -> tuple[str, str]:
    return outcome(await desk.engine.check(make_order(**changes)))


PASSED = ("", "")
DOCUMENTED = [
    "idempotency",
    "schema",
    "static",
    "position_risk",
    "drawdown_halt",
    "short_side",
    "cro_veto",
]


async def test_a_plain_order_passes_all_seven_gates(desk: Desk) -> None:
    decision = await desk.engine.check(make_order())
    assert decision.approved
    assert [result.gate for result in decision.gates] == DOCUMENTED


def test_the_table_names_every_gate_in_order_and_every_code_once() -> None:
    gates = default_gates()
    assert all(isinstance(gate, RiskGate) for gate in gates)
    assert [gate.name for gate in gates] == DOCUMENTED
    order = [card.gate for card in GATE_TABLE]
    assert [name for name in order if name in DOCUMENTED] == DOCUMENTED
    codes = [code for card in GATE_TABLE for code in card.codes]
    assert len(codes) == len(set(codes))


# --- idempotency


async def test_a_key_belongs_to_one_order_for_ever(desk: Desk) -> None:
    await desk.engine.check(make_order(1))
    desk.clock.advance(10 * 365 * 86_400)
    other = make_order(2, idempotency_key="k-1")
    assert outcome(await desk.engine.check(other)) == ("idempotency", DenyCode.DUPLICATE_KEY)


@pytest.mark.parametrize(
    "change",
    [{"quantity": Decimal(11)}, {"side": Side.SELL}, {"symbol": Symbol("MSFT")}],
)
async def test_a_key_with_other_terms_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    await desk.engine.check(make_order(1))
    assert await judged(desk, **change) == ("idempotency", DenyCode.KEY_REUSE_MISMATCH)


async def test_an_order_id_with_another_key_is_refused(desk: Desk) -> None:
    await desk.engine.check(make_order(1))
    assert await judged(desk, idempotency_key="k-2") == (
        "idempotency",
        DenyCode.KEY_REUSE_MISMATCH,
    )


# --- schema


async def test_an_order_built_without_validation_is_refused(desk: Desk) -> None:
    for field, value in (
        ("quantity", Decimal(-5)),
        ("quantity", Decimal("NaN")),
        ("symbol", "no such thing"),
        ("order_type", OrderType.LIMIT),
    ):
        forged = make_order(f"{field}-{value}").model_copy(update={field: value})
        decision = await desk.engine.check(forged)
        assert outcome(decision) == ("schema", DenyCode.SCHEMA_INVALID), field


@pytest.mark.parametrize("status", [OrderStatus.SUBMITTED, OrderStatus.FILLED, OrderStatus.UNKNOWN])
async def test_an_order_that_has_been_at_a_venue_is_refused(
    desk: Desk, status: OrderStatus
) -> None:
    assert await judged(desk, status=status) == ("schema", DenyCode.SCHEMA_INVALID)


async def test_an_order_lives_until_its_expiry_and_not_at_it(desk: Desk) -> None:
    def gtd(number: int, expires: datetime) -> Order:
        return make_order(
            number,
            tif=TimeInForce.GTD,
            expires_at=expires,
            created_at=AT - timedelta(hours=1),
        )

    late = await desk.engine.check(gtd(1, AT))
    assert outcome(late) == ("schema", DenyCode.SCHEMA_INVALID)
    assert (await desk.engine.check(gtd(2, AT + timedelta(microseconds=1)))).approved


# --- static


async def test_an_empty_list_allows_nothing(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(allowed_brokers=[]))
    assert await judged(desk) == ("static", DenyCode.BROKER_NOT_ALLOWED)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"broker": "ibkr"}, DenyCode.BROKER_NOT_ALLOWED),
        (
            {"order_type": OrderType.STOP, "stop_price": Decimal(90)},
            DenyCode.ORDER_TYPE_NOT_ALLOWED,
        ),
        ({"symbol": Symbol("BTC-USD")}, DenyCode.ASSET_CLASS_NOT_ALLOWED),
        ({"symbol": Symbol("ES@202612")}, DenyCode.UNKNOWN_SYMBOL),
        ({"symbol": Symbol("GOOG")}, DenyCode.REF_PRICE_MISSING),
    ],
)
async def test_what_a_fund_may_never_send(
    desk: Desk, change: dict[str, Any], code: DenyCode
) -> None:
    assert await judged(desk, **change) == ("static", code)


async def test_a_price_is_fresh_for_five_intervals(desk: Desk) -> None:
    desk.clock.advance(5 * 86_400)
    assert await judged(desk) == PASSED
    desk.clock.advance(1)
    again = make_order(2)
    assert outcome(await desk.engine.check(again)) == ("static", DenyCode.REF_PRICE_STALE)


async def test_a_price_of_the_future_is_no_price(desk: Desk) -> None:
    await desk.feed(make_bar(at=AT + timedelta(days=1)))
    assert await judged(desk) == ("static", DenyCode.REF_PRICE_STALE)


async def test_quantity_and_notional_at_the_limit_pass(make_desk: MakeDesk) -> None:
    desk = await make_desk(
        envelope=make_envelope(max_order_notional_usd=Decimal(1000), max_order_qty=Decimal(12))
    )
    assert await judged(desk, number=1, quantity=Decimal(10)) == PASSED
    assert await judged(desk, number=2, quantity=Decimal("10.00000001")) == (
        "static",
        DenyCode.MAX_ORDER_NOTIONAL,
    )
    assert await judged(desk, number=3, quantity=Decimal("12.1")) == (
        "static",
        DenyCode.MAX_ORDER_QTY,
    )


async def test_notional_counts_at_the_worst_of_the_prices(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=make_envelope(max_order_notional_usd=Decimal(1000)))
    aggressive = {"order_type": OrderType.LIMIT, "limit_price": Decimal(101)}
    assert await judged(desk, **aggressive) == ("static", DenyCode.MAX_ORDER_NOTIONAL)
    passive = {"order_type": OrderType.LIMIT, "limit_price": Decimal(99), "number": 2}
    assert await judged(desk, **passive) == PASSED


async def test_a_contract_counts_with_its_multiplier(make_desk: MakeDesk) -> None:
    future = Symbol("ES@202612")
    listed = {
        future: Instrument(symbol=future, asset_class=AssetClass.FUTURES, multiplier=Decimal(50))
    }
    limits = make_envelope(
        allowed_asset_classes=[AssetClass.FUTURES],
        max_order_notional_usd=Decimal(5000),
        max_country_pct=1.0,
    )
    desk = await make_desk(envelope=limits, instruments=InstrumentTable(listed))
    await desk.feed(make_bar(future))
    assert await judged(desk, symbol=future, quantity=Decimal(1)) == PASSED
    over = await desk.engine.check(make_order(2, symbol=future, quantity=Decimal("1.1")))
    assert outcome(over) == ("static", DenyCode.MAX_ORDER_NOTIONAL)


# --- position_risk


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


# --- drawdown_halt


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


# --- short_side


async def test_shorting_takes_permission(desk: Desk) -> None:
    assert await judged(desk, side=Side.SHORT) == ("short_side", DenyCode.SHORTING_DISABLED)


async def test_a_sell_of_more_than_is_held_is_a_short_sale(desk: Desk) -> None:
    await desk.hold("10")
    assert await judged(desk, number=1, side=Side.SELL, quantity=Decimal(10)) == PASSED
    assert await judged(desk, number=2, side=Side.SELL, quantity=Decimal(1)) == (
        "short_side",
        DenyCode.SHORTING_DISABLED,
    )


class Desks:
    """A borrow desk with one answer."""

    def __init__(self, quote: BorrowQuote | None) -> None:
        self.answer = quote

    def quote(self, symbol: Symbol) -> BorrowQuote | None:
        return self.answer


@pytest.mark.parametrize(
    ("quote", "code"),
    [
        (None, DenyCode.BORROW_FEE_TOO_HIGH),
        (BorrowQuote(Decimal("NaN"), True), DenyCode.BORROW_FEE_TOO_HIGH),
        (BorrowQuote(Decimal("200.1"), True), DenyCode.BORROW_FEE_TOO_HIGH),
        (BorrowQuote(Decimal(200), False), DenyCode.BORROW_NOT_LOCATED),
        (BorrowQuote(Decimal(200), True), ""),
    ],
)
async def test_a_short_sale_needs_a_fee_within_the_ceiling_and_a_locate(
    make_desk: MakeDesk, quote: BorrowQuote | None, code: str
) -> None:
    limits = make_envelope(enable_shorting=True, require_borrow_locate=True)
    desk = await make_desk(envelope=limits, borrow=Desks(quote))
    assert (await judged(desk, side=Side.SHORT))[1] == code


# --- cro_veto


class Cro:
    """A CRO that gives one answer, raises it, or never answers."""

    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.asked = 0

    async def __call__(self, order: Order, envelope: Any) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


class Unheard(Exception):  # not a subclass of anything that the pipeline lists
    """A client library's own error."""


NO_OPINION = [
    None,
    Unheard("down"),
    ConnectionError("down"),
    "veto",
    True,
    CroOpinion(veto=True, confidence=float("nan")),
    CroOpinion(veto=False, confidence=1.5),
]


def cro_limits() -> Any:
    return make_envelope(cro_veto_enabled=True, cro_veto_timeout_s=0.01)


async def test_the_cro_is_not_asked_unless_enabled(make_desk: MakeDesk) -> None:
    cro = Cro(CroOpinion(veto=True, confidence=1.0))
    desk = await make_desk(gates=default_gates(cro=cro))
    assert await judged(desk) == PASSED
    assert cro.asked == 0


@pytest.mark.parametrize(
    ("opinion", "code"),
    [
        (CroOpinion(veto=True, confidence=0.85, reason="earnings"), DenyCode.CRO_VETO),
        (CroOpinion(veto=True, confidence=0.849), ""),
        (CroOpinion(veto=False, confidence=1.0), ""),
    ],
)
async def test_a_veto_needs_confidence(make_desk: MakeDesk, opinion: CroOpinion, code: str) -> None:
    cro = Cro(opinion)
    desk = await make_desk(envelope=cro_limits(), gates=default_gates(cro=cro))
    assert (await judged(desk))[1] == code
    assert cro.asked == 1


@pytest.mark.parametrize("answer", NO_OPINION, ids=str)
async def test_no_sound_opinion_denies(make_desk: MakeDesk, answer: object) -> None:
    desk = await make_desk(envelope=cro_limits(), gates=default_gates(cro=Cro(answer)))
    assert await judged(desk) == ("cro_veto", DenyCode.CRO_UNAVAILABLE)


async def test_no_cro_at_all_denies(make_desk: MakeDesk) -> None:
    desk = await make_desk(envelope=cro_limits())
    assert await judged(desk) == ("cro_veto", DenyCode.CRO_UNAVAILABLE)


async def test_failing_open_takes_an_explicit_policy_and_never_overrides_a_veto(
    make_desk: MakeDesk,
) -> None:
    policy = RiskPolicy(cro_absence="pass")
    cro = Cro(ConnectionError("down"))
    desk = await make_desk(envelope=cro_limits(), gates=default_gates(cro=cro), policy=policy)
    assert await judged(desk, number=1) == PASSED
    cro.answer = CroOpinion(veto=True, confidence=0.9)
    assert await judged(desk, number=2) == ("cro_veto", DenyCode.CRO_VETO)
