"""What a check leaves out changes nothing that it says."""

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import (
    DenyCode,
    ExecutionMode,
    Fill,
    GateResult,
    Order,
    OrderType,
    RiskApproval,
    RiskContext,
    RiskEnvelope,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.latency import StageLatency, Unmeasured
from mts1b_riskengine import GatePipeline
from mts1b_riskengine.decisions import economics_of
from mts1b_riskengine.feed import RiskFeed
from mts1b_riskengine.funds import FundState
from mts1b_riskengine.losses import NavMarks
from riskengine_desk import AT, FUND, MakeDesk, make_bar, make_envelope, make_order

PRICED: dict[str, Any] = {
    "order_type": OrderType.STOP_LIMIT,
    "limit_price": Decimal("101.50"),
    "stop_price": Decimal(100),
    "tif": TimeInForce.GTD,
    "expires_at": AT + timedelta(days=1),
}
OTHER: dict[str, Any] = {
    "fund_id": "beta",
    "strategy_id": "carry",
    "account": "second",
    "mode": ExecutionMode.LIVE,
    "broker": "ibkr",
    "symbol": Symbol("MSFT"),
    "side": Side.SELL,
    "quantity": Decimal(11),
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal(102),
    "stop_price": Decimal(99),
    "tif": TimeInForce.IOC,
    "order_expires_at": AT + timedelta(days=2),
    "reduce_only": True,
    "parent_order_id": "p-1",
    "intent_id": "sig-1",
}
FIELD = {"order_expires_at": "expires_at", "intent_id": "signal_id"}


def spelled_out(order: Order) -> str:
    """Return the fingerprint term by term, as an approval lists them."""

    def text(value: object) -> str:
        if isinstance(value, Decimal):
            return f"{value.normalize():f}"
        return "" if value is None else str(value)

    terms = RiskApproval.terms_of(order)
    parts = [f"{n}={text(v)}" for n, v in terms.items() if n not in ("order_id", "idempotency_key")]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


@pytest.mark.parametrize("name", sorted(OTHER))
def test_each_term_of_an_approval_is_in_the_fingerprint(name: str) -> None:
    order = make_order(**PRICED)
    other = order.model_copy(update={FIELD.get(name, name): OTHER[name]})
    assert set(OTHER) | {"order_id", "idempotency_key"} == set(RiskApproval.terms_of(order))
    assert economics_of(other) == spelled_out(other) != economics_of(order)


def test_the_fingerprint_is_of_the_number_not_of_its_digits() -> None:
    plain = make_order(quantity=Decimal(100))
    assert economics_of(make_order(2, quantity=Decimal("1E+2"))) == economics_of(plain)
    assert economics_of(make_order(3, quantity=Decimal("100.00"))) == spelled_out(plain)


class VenueFill(Fill):
    """A fill with more to tell."""


async def test_an_event_of_a_kind_that_extends_a_known_one_is_taken(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    fill = VenueFill(
        fill_id="f-1",
        order_id="o-1",
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        quantity=Decimal(7),
        price=Decimal(100),
        venue="paper",
        timestamp=AT,
        fund_id=FUND,
        strategy_id="trend",
    )
    feed = RiskFeed(desk.engine)
    async with desk.store.transaction() as tx:
        await desk.book.sync(tx)
        await feed.take(tx, object())
        await feed.take(tx, fill)
    line = desk.book.positions.of_fund(FUND).get(("trend", Symbol("AAPL")))
    assert line is not None
    assert line.quantity == 7


async def test_a_mark_revalues_every_holder_of_its_symbol_and_no_other(
    make_desk: MakeDesk,
) -> None:
    desk = await make_desk()
    await desk.feed(make_bar("MSFT", "50"))
    await desk.hold("10")
    await desk.hold("-4", strategy="carry")
    await desk.hold("3", symbol="MSFT")
    await desk.feed(make_bar(close="120"))
    lines = desk.book.positions.of_fund(FUND)
    values = {key: line.value for key, line in lines.lines.items()}
    assert values == {
        ("trend", "AAPL"): 120,
        ("carry", "AAPL"): 120,
        ("trend", "MSFT"): 50,
    }
    assert lines.total(("fund", "")).gross == 14 * 120 + 3 * 50


async def test_where_nobody_measures_the_results_are_the_same(make_desk: MakeDesk) -> None:
    runs = []
    for latency in (StageLatency(), Unmeasured()):
        desk = await make_desk(latency=latency)
        order = make_order(type(latency).__name__)
        runs.append((await desk.engine.judge(order)).run)
    timed, untimed = runs
    assert timed is not None
    assert untimed is not None
    assert timed.results == untimed.results
    assert len(timed.seconds) == len(untimed.seconds) == len(timed.results)
    assert not any(untimed.seconds)


class Pretending:
    """A gate that says no and leaves a result that says yes."""

    name = "pretending"

    async def check(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        context.rejection = GateResult(gate=self.name, passed=True)
        return False


async def test_a_no_with_a_yes_for_a_reason_denies() -> None:
    pipeline = GatePipeline([Pretending()], budget_s=0.01, clock=VirtualClock(AT))
    run = await pipeline.run(make_order(), make_envelope(), RiskContext())
    assert not run.approved
    assert run.denial is not None
    assert run.denial.code == DenyCode.GATE_DENIED


def test_a_loss_is_looked_for_anew_with_each_nav_and_envelope() -> None:
    begun = NavMarks.first(Decimal(100), AT)
    fund, loose = FundState(FUND, marks=begun), make_envelope(daily_loss_halt_pct=0.05)
    assert fund.loss(loose) is None
    fund.marks = begun.observe(Decimal(96), AT)
    assert fund.loss(loose) is None
    found = fund.loss(make_envelope(daily_loss_halt_pct=0.03))
    assert found is not None
    assert (found.rule, found.change) == ("daily", Decimal("-0.04"))
    fund.marks = begun.observe(Decimal(94), AT)
    assert fund.loss(loose) is not None
    fund.marks = None
    assert fund.loss(loose) is None


@pytest.mark.parametrize("symbol", ["no symbol", ["AAPL"], None], ids=repr)
async def test_an_order_of_no_sound_symbol_is_denied_by_the_schema(
    make_desk: MakeDesk, symbol: object
) -> None:
    desk = await make_desk()
    odd = str.__new__(Symbol, symbol) if symbol == "no symbol" else symbol
    order = make_order(1).model_copy(update={"symbol": odd})
    decision = await desk.engine.check(order)
    assert not decision.approved
    assert (decision.rejecting_gate, decision.code) == ("schema", DenyCode.SCHEMA_INVALID)
