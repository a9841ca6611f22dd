"""The gates in their order, and the first three: a key, a sound order, what a fund may send."""

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
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_foundation.protocols import RiskGate
from mts1b_riskengine import GATE_TABLE, InstrumentTable, default_gates
from riskengine_desk import (
    AT,
    PASSED,
    Desk,
    MakeDesk,
    judged,
    make_bar,
    make_envelope,
    make_order,
    outcome,
)

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
