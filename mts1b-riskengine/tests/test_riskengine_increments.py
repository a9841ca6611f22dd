"""Ticks, lots and least notionals: whose step counts, and what is not known."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import AssetClass, DenyCode, Instrument, OrderType, Side
from mts1b_foundation.limits import RiskLimits, SymbolLimits
from mts1b_riskengine import InstrumentTable
from riskengine_desk import MakeDesk, make_envelope, make_order, outcome
from riskengine_limits import AAPL

D = Decimal


@dataclass
class Case:
    """An order of 10 at a limit of 100.02 that differs by ``order``; every order is worth 1000."""

    code: str
    order: dict[str, Any] = field(default_factory=dict)
    listed: dict[str, Any] | None = field(default_factory=dict)
    row: dict[str, Any] | None = None
    check: bool = True


CASES = {
    "the listed tick": Case(DenyCode.TICK_SIZE, listed={"tick_size": D("0.05")}),
    "a price on it": Case("", {"limit_price": D("100.05")}, {"tick_size": D("0.05")}),
    "a stop off it": Case(
        DenyCode.TICK_SIZE,
        {"order_type": OrderType.STOP, "limit_price": None, "stop_price": D("100.02")},
        {"tick_size": D("0.05")},
    ),
    "the symbol's own tick first": Case("", {}, {"tick_size": D("0.05")}, {"tick_size": D("0.01")}),
    "the listed lot": Case(DenyCode.LOT_SIZE, {"quantity": D(15)}, {"lot_size": D(10)}),
    "a size on it": Case("", {"quantity": D(20)}, {"lot_size": D(10)}),
    "the symbol's own lot first": Case(
        "", {"quantity": D(15)}, {"lot_size": D(10)}, {"lot_size": D(5)}
    ),
    "a listed lot beside the symbol's own tick": Case(
        DenyCode.LOT_SIZE, {"quantity": D(15)}, {"lot_size": D(10)}, {"tick_size": D("0.01")}
    ),
    "a listed tick beside the symbol's own lot": Case(
        DenyCode.TICK_SIZE, {}, {"tick_size": D("0.05")}, {"lot_size": D(1)}
    ),
    "the listed least notional": Case(
        DenyCode.MIN_NOTIONAL, {"limit_price": D(99)}, {"minimum_notional": D("1000.01")}
    ),
    "at the least notional": Case("", {"limit_price": D(99)}, {"minimum_notional": D(1000)}),
    "the symbol's own least notional first": Case(
        DenyCode.MIN_NOTIONAL, {}, {"minimum_notional": D(1)}, {"minimum_notional": D(2000)}
    ),
    "steps that nobody has listed": Case(DenyCode.INCREMENTS_UNKNOWN, listed=None),
    "a lot that nobody has listed": Case(
        DenyCode.INCREMENTS_UNKNOWN, listed=None, row={"tick_size": D("0.01")}
    ),
    "a least notional that nobody has listed": Case(
        DenyCode.INCREMENTS_UNKNOWN, listed=None, row={"tick_size": D("0.01"), "lot_size": D(1)}
    ),
    "all of it in the symbol's row": Case(
        "",
        listed=None,
        row={"tick_size": D("0.01"), "lot_size": D(1), "minimum_notional": D(1)},
    ),
    "only what the row says": Case("", listed=None, row={"lot_size": D(1)}, check=False),
    "the row off its lot": Case(
        DenyCode.LOT_SIZE, {"quantity": D(11)}, None, {"lot_size": D(2)}, check=False
    ),
    "a listed tick that nobody checks": Case(
        "", {}, {"minimum_notional": D(5000)}, {"lot_size": D(1)}, check=False
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_whose_step_counts(make_desk: MakeDesk, case: Case) -> None:
    rows = {} if case.row is None else {AAPL: SymbolLimits(**case.row)}
    listed = {}
    if case.listed is not None:
        listed[AAPL] = Instrument(symbol=AAPL, asset_class=AssetClass.EQUITIES, **case.listed)
    limits = RiskLimits(check_increments=case.check, symbols=rows)
    envelope = make_envelope(allowed_order_types=[OrderType.LIMIT, OrderType.STOP])
    desk = await make_desk(limits=limits, instruments=InstrumentTable(listed), envelope=envelope)
    terms = {"order_type": OrderType.LIMIT, "limit_price": D("100.02")}
    decision = await desk.engine.check(make_order(**terms | case.order))
    assert outcome(decision)[1] == case.code, decision.reason


async def test_the_rest_of_a_position_may_be_small_but_must_fit(make_desk: MakeDesk) -> None:
    row = SymbolLimits(lot_size=D(1), minimum_notional=D(5000))
    desk = await make_desk(limits=RiskLimits(symbols={AAPL: row}))
    await desk.hold("10")
    rest = make_order(1, side=Side.SELL, quantity=D("2.5"))
    assert (await desk.engine.check(rest)).code == DenyCode.LOT_SIZE
    assert (await desk.engine.check(make_order(2, side=Side.SELL, quantity=D(2)))).approved
    assert (await desk.engine.check(make_order(3, quantity=D(2)))).code == DenyCode.MIN_NOTIONAL
