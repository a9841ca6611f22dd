"""Mandates: what each strategy may trade, where, and how much of it a day."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from mts1b_foundation import DenyCode, FundConfig, OrderType, Symbol
from mts1b_foundation.limits import MandateStatus
from mts1b_platform.config import FundSettings, Settings, StrategySettings
from mts1b_riskengine.mandates import MandateTable, mandates_of
from riskengine_desk import FUND, MakeDesk, make_envelope, outcome
from riskengine_limits import OPEN, make_mandate, mandates, market, plain, simple

D = Decimal

Change = dict[str, Any]


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
        assert (await desk.engine.check(simple(number))).approved
    assert (await desk.engine.check(simple(3))).code == DenyCode.MANDATE_BUDGET
    await desk.store.close()
    again = await make_desk(mandates=table, prices=False)
    assert (await again.engine.check(simple(4))).code == DenyCode.MANDATE_BUDGET
    again.clock.advance(3 * 3600)
    assert (await again.engine.check(simple(5))).approved


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
    passed = await desk.engine.check(simple(1))
    assert passed.approved
    assert "mandate" not in [row.gate for row in passed.gates]
    denied = await desk.engine.check(simple(2, strategy_id="stranger"))
    assert outcome(denied) == ("mandate", DenyCode.NO_MANDATE)
