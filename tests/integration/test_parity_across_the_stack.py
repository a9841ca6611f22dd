"""The same strategies on the same tape through the engines and through the system: one result."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mts1b_datalake import Lake
from mts1b_foundation import Symbol
from mts1b_GPUbacktester import Tolerance
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.desk import DeskRun, DeskTerms
from mts1b_GPUbacktester.semantics import Settings
from mts1b_platform.config import StrategySettings
from mts1b_quantkit.factors import get
from mts1b_research.parity import DEFAULT_POLICY, Parity, Record, compare, compare_records
from mts1b_research.parity.cli import app
from mts1b_research.parity.simulated import simulate
from mts1b_research.parity.subject import accounts_of
from mts1b_research.strategies import FactorStrategy, RuleStrategy
from typer.testing import CliRunner

TERMS = DeskTerms(fees_bps=2.0, slippage_bps=1.0)
BARS = 120
SYMBOLS = (Symbol("SPX"), Symbol("IXIC"))


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Return the sample tape of the turn of 1999 and 2000, with falls and rises."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.import_sample()
    frame = lake.bars(["SPX", "IXIC"], "1d", date(1999, 10, 1), date(2000, 12, 31))
    return frame.group_by("symbol", maintain_order=True).head(BARS)


@pytest.fixture(scope="module")
def rule_strategy() -> RuleStrategy:
    rule = r.long_when(r.close > r.ema(r.close, r.param("n"))).short_when(
        r.zscore(r.close, 20) < -1.5
    )
    settings = Settings(direction="both", size=0.8)
    return RuleStrategy("rule", SYMBOLS, rule.time_exit(9), {"n": 8}, settings)


@pytest.fixture(scope="module")
def of_rule(tape: pl.DataFrame, rule_strategy: RuleStrategy) -> Parity:
    return compare(tape, rule_strategy, terms=TERMS)


def test_a_rule_gives_the_same_orders_fills_and_nav_everywhere(of_rule: Parity) -> None:
    assert of_rule.holds, of_rule.comparisons
    sides = [record.side for record in of_rule.records]
    assert sides[:2] == ["numpy", "numba"]
    assert sides[-2:] == ["memory", "event-driven"]
    for found in of_rule.comparisons:
        assert found.compared["nav"] == 2 * BARS
        assert found.compared["order_units"] > 30
        assert found.compared["fill_fee"] > 30
    shorts = [order for order in of_rule.records[0].accounts["rule-SPX"].orders if order.units < 0]
    assert shorts


def test_stops_that_a_desk_hears_at_the_close_are_left_the_same_everywhere(
    tape: pl.DataFrame,
) -> None:
    rule = r.long_when(r.close > r.ema(r.close, 8)).short_when(r.zscore(r.close, 20) < -1.0)
    stopped = rule.stop(0.02).trailing_stop(0.03)
    settings = Settings(direction="both", size=0.8)
    with_stops = compare(tape, RuleStrategy("rule", SYMBOLS, stopped, {}, settings), terms=TERMS)
    assert with_stops.holds, with_stops.comparisons
    without = simulate(
        with_stops.panel,
        accounts_of(RuleStrategy("rule", SYMBOLS, rule, {}, settings)),
        TERMS,
        "numpy",
    )
    for name, run in without.accounts.items():
        bars = {order.bar for order in run.orders}
        assert any(o.bar not in bars for o in with_stops.records[0].accounts[name].orders)


def test_weights_of_a_factor_give_the_same_everywhere(tape: pl.DataFrame) -> None:
    strategy = FactorStrategy(
        "weights",
        SYMBOLS,
        get("f_reversal"),
        rebalance=3,
    )
    found = compare(tape, strategy, terms=TERMS, last=80)
    assert found.holds, found.comparisons
    assert all(one.compared["order_units"] > 20 for one in found.comparisons)


def test_a_configured_strategy_gives_the_same_everywhere(tape: pl.DataFrame) -> None:
    settings = StrategySettings(
        strategy_id="parity",
        fund_id="any",
        kind="risk_parity",
        symbols=["SPX", "IXIC"],
        params={"window": 15, "rebalance_every": 2},
    )
    found = compare(tape, settings, terms=TERMS, last=60)
    assert found.holds, found.comparisons
    assert all(one.compared["fill_price"] > 5 for one in found.comparisons)


def test_a_fee_of_one_basis_point_more_is_found(
    of_rule: Parity, rule_strategy: RuleStrategy
) -> None:
    dearer = simulate(
        of_rule.panel, accounts_of(rule_strategy), replace(TERMS, fees_bps=3.0), "numpy"
    )
    found = compare_records(dearer, of_rule.records[-1])
    assert not found.holds
    first = found.findings[0]
    assert (first.account, first.aspect) == ("rule-IXIC", "fill_fee")
    assert first.cause == "one side takes 3 bp and the other 2 bp"


def _changed(record: Record, account: str, run: DeskRun) -> Record:
    return replace(record, accounts={**record.accounts, account: run})


def test_a_fill_one_bar_late_is_found(of_rule: Parity) -> None:
    record = of_rule.records[-1]
    run = record.accounts["rule-SPX"]
    fills = list(run.fills)
    fills[5] = replace(fills[5], bar=fills[5].bar + 1)
    late = _changed(record, "rule-SPX", replace(run, fills=tuple(fills)))
    (first,) = compare_records(of_rule.records[0], late).findings
    assert (first.account, first.aspect) == ("rule-SPX", "fill_bar")
    assert (first.left, first.right) == (repr(fills[5].bar - 1), repr(fills[5].bar))


def test_a_lot_more_and_a_nav_in_the_ninth_digit_are_found(of_rule: Parity) -> None:
    record = of_rule.records[-1]
    run = record.accounts["rule-IXIC"]
    orders = list(run.orders)
    orders[3] = replace(orders[3], units=orders[3].units + Decimal(1))
    more = _changed(record, "rule-IXIC", replace(run, orders=tuple(orders)))
    (first,) = compare_records(of_rule.records[0], more).findings
    assert (first.aspect, first.bar) == ("order_units", orders[3].bar)

    nav = run.nav.copy()
    nav[90] *= 1.0 + 2e-9
    off = _changed(record, "rule-IXIC", replace(run, nav=nav))
    (first,) = compare_records(of_rule.records[0], off).findings
    assert (first.aspect, first.bar) == ("nav", 90)

    nav[90] = float("nan")
    assert not compare_records(off, off).holds  # what is no number was not compared


def test_an_aspect_without_a_policy_fails(of_rule: Parity) -> None:
    same = of_rule.records[0]
    assert compare_records(same, same).holds
    for aspect in DEFAULT_POLICY:
        policy = {name: kept for name, kept in DEFAULT_POLICY.items() if name != aspect}
        found = compare_records(same, same, policy=policy)
        assert not found.holds, aspect
        assert f"no tolerance for {aspect}" in found.findings[0].cause
    assert not compare_records(same, same, policy={"nav": Tolerance(relative=1.0)}).holds


RULE = ["--long-when", "close > sma(close, n)", "--param", "n=3", "--symbol", "SPX"]


def run(path: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--panel", str(path), "--last", "25", *arguments])


def test_the_command_tells_equal_different_and_not_comparable(
    tape: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "bars.parquet"
    tape.write_parquet(path)
    equal = run(path, *RULE, "--json")
    assert equal.exit_code == 0, equal.output
    assert json.loads(equal.stdout)["holds"] is True

    stops = ["--stop", "0.01", "--trailing-stop", "k"]
    stopped = run(path, *RULE, *stops, "--param", "k=0.02", "--json")
    assert json.loads(stopped.stdout)["holds"] is True, stopped.output

    planted = run(path, *RULE, "--fees-bps", "2", "--venue-fees-bps", "3")
    assert planted.exit_code == 1
    assert "numpy and numba: equal" in planted.stdout
    assert "numpy and event-driven: DIFFERENT" in planted.stdout
    assert "one side takes 2 bp and the other 3 bp" in planted.stdout

    for wrong, message in (
        (["--long-when", "close >"], "not understood"),
        ([*RULE, "--symbol", "DAX"], "no DAX"),
        (["--strategy", "nobody"], "no strategy 'nobody'"),
        ([*RULE, *stops], "k"),
        ([*RULE, "--stop", "2"], "stop"),
    ):
        refused = run(path, *wrong)
        assert refused.exit_code == 2, refused.output
        assert message in refused.output
