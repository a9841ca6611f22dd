"""What a fund may trade at all: refused at the start, and denied order by order."""

from __future__ import annotations

from typing import Any

import pytest
from mts1b_foundation import AssetClass, DenyCode, Instrument, Side, Symbol
from mts1b_platform.config import ConfigError, Settings
from mts1b_platform.plugins import refusal_of
from mts1b_riskengine import InstrumentTable
from mts1b_riskengine.mandates import MandateTable, mandates_of
from mts1b_riskengine.scope import check_settings, unknown_groups
from riskengine_desk import FUND, PASSED, MakeDesk, judged, make_order, outcome
from riskengine_limits import make_mandate

CONTRACT = "AAPL:20261218:C:250"


def settings(symbol: str, fund: dict[str, Any] | None = None, **more: Any) -> Settings:
    """Return a fund with one strategy of one symbol."""
    about = {"fund_id": FUND, "name": "Alpha", "target_nav_usd": 1000} | (fund or {})
    entry = {"fund": about, "envelope": {"envelope_id": "e", "fund_id": FUND, "nav_usd": 1000}}
    strategy = {"strategy_id": "trend", "fund_id": FUND, "kind": "k", "symbols": [symbol]}
    return Settings.model_validate({"funds": [entry], "strategies": [strategy]} | more)


@pytest.mark.parametrize(
    ("symbol", "changes", "told"),
    [
        ("BTC-USD", {}, "of class crypto, and fund alpha trades equities"),
        ("EUR-USD", {"fund": {"asset_classes": ["crypto"]}}, "of class fx"),
        ("AAPL", {"fund": {"asset_classes": []}}, "fund alpha trades nothing"),
        (CONTRACT, {"fund": {"asset_classes": ["options"]}}, "worth is not known"),
        ("EUR-GBP", {"fund": {"asset_classes": ["fx"]}}, "priced in GBP"),
        (
            "AAPL",
            {"instruments": [{"symbol": "AAPL", "asset_class": "crypto"}]},
            "AAPL, which is of class crypto",
        ),
    ],
)
def test_a_strategy_that_its_fund_could_never_serve_is_refused(
    symbol: str, changes: dict[str, Any], told: str
) -> None:
    wrong = settings(symbol, **changes)
    with pytest.raises(ConfigError, match=told) as caught:
        check_settings(wrong)
    assert caught.value.key == "strategies.0.symbols.0"


def test_a_mandate_is_held_to_the_same() -> None:
    mandate = make_mandate(symbols=["AAPL", "BTC-USD"]).model_dump(mode="json")
    with pytest.raises(ConfigError, match="mandate m-trend trades BTC-USD") as caught:
        check_settings(settings("AAPL", mandates=[mandate]))
    assert caught.value.key == "mandates.0.symbols.1"


def test_what_fits_is_taken_and_mts_config_check_asks_here() -> None:
    check_settings(settings("AAPL"))
    check_settings(settings("BTC-USD", {"asset_classes": ["crypto", "equities"]}))
    listed = {"instruments": [{"symbol": "AAPL", "asset_class": "equities", "sector": "tech"}]}
    check_settings(settings("AAPL", **listed))
    assert "BTC-USD" in str(refusal_of(settings("BTC-USD")))


def test_the_mandates_of_settings_know_what_each_fund_trades() -> None:
    table = mandates_of(settings("AAPL", {"asset_classes": ["fx", "equities"]}))
    assert table.classes == {FUND: {AssetClass.FX, AssetClass.EQUITIES}}


def test_caps_that_meet_what_nobody_knows_are_told() -> None:
    (line,) = unknown_groups(settings("AAPL"))
    assert "no sector of AAPL is known" in line
    assert "0.3 of NAV" in line
    known = [{"symbol": "AAPL", "asset_class": "equities", "sector": "tech"}]
    assert unknown_groups(settings("AAPL", instruments=known)) == []
    open_to_all = settings("AAPL")
    entry = open_to_all.funds[0]
    wide = entry.envelope.with_(max_sector_pct=1.0)
    assert (
        unknown_groups(
            open_to_all.model_copy(update={"funds": [entry.model_copy(update={"envelope": wide})]})
        )
        == []
    )


async def test_an_order_outside_of_its_fund_is_denied_and_its_position_can_be_closed(
    make_desk: MakeDesk,
) -> None:
    table = MandateTable(classes={FUND: frozenset({AssetClass.FX})})
    desk = await make_desk(mandates=table)
    denied = await desk.engine.check(make_order(1))
    assert outcome(denied) == ("mandate", DenyCode.MANDATE_SCOPE)
    assert (denied.gates[-1].limit, denied.gates[-1].value) == ("fx", "equities")
    await desk.hold("10")
    assert await judged(desk, number=2, side=Side.SELL, reduce_only=True) == PASSED


async def test_who_is_not_listed_by_the_fund_may_not_trade_for_it(make_desk: MakeDesk) -> None:
    table = mandates_of(settings("AAPL", {"strategies": ["trend"]}))
    assert table.members == {FUND: {"trend"}}
    desk = await make_desk(mandates=MandateTable(members=table.members, classes=table.classes))
    denied = await desk.engine.check(make_order(1, strategy_id="stranger"))
    assert outcome(denied) == ("mandate", DenyCode.NO_MANDATE)
    assert (await desk.engine.check(make_order(2))).approved


async def test_a_class_that_is_listed_passes_without_a_line(make_desk: MakeDesk) -> None:
    symbol = Symbol("AAPL")
    listed = {symbol: Instrument(symbol=symbol, asset_class=AssetClass.EQUITIES)}
    table = MandateTable(classes={FUND: frozenset({AssetClass.EQUITIES})})
    desk = await make_desk(mandates=table, instruments=InstrumentTable(listed))
    passed = await desk.engine.check(make_order(1))
    assert passed.approved
    assert "mandate" not in [row.gate for row in passed.gates]
