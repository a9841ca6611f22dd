"""What is compared, what is refused, and where two sides part; the stack itself is in tests/."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mts1b_foundation import Symbol
from mts1b_GPUbacktester import BadPanel, Tolerance
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.desk import DeskFill, DeskOrder, DeskRun, DeskTerms
from mts1b_research.errors import BacktestFailed, NotComparable
from mts1b_research.parity import DEFAULT_POLICY, Record, Refusal, compare, compare_records
from mts1b_research.parity.cli import app
from mts1b_research.parity.subject import accounts_of, comparable_panel, interval_of
from mts1b_research.parity.system import run_events, system_settings
from mts1b_research.strategies import FactorStrategy, RuleStrategy
from research_desk import AAA, BBB, settings
from typer.testing import CliRunner

START = datetime(2024, 3, 4, 21, tzinfo=UTC)


def bars(count: int = 12, **changes: Any) -> dict[str, Any]:
    close = np.round(100.0 + 5.0 * np.sin(np.arange(count))[:, None] * np.array([1.0, -1.0]), 2)
    dates = [date(2024, 3, 4) + timedelta(days=n) for n in range(count)]
    fields = {"open": close, "high": close, "low": close, "close": close}
    return {**fields, "dates": dates, "symbols": ["AAA", "BBB"], **changes}


def run(fee: str = "1.00", nav: float = 1000.0) -> DeskRun:
    order = DeskOrder(0, "AAA", Decimal(10))
    fill = DeskFill(1, "AAA", Decimal(10), Decimal(100), Decimal(fee))
    return DeskRun((order,), (fill,), np.array([1000.0, nav, nav]))


def record(side: str, one: DeskRun, *refusals: Refusal) -> Record:
    return Record(side, {"s": one}, {"s": refusals})


def test_equal_records_hold_and_the_earliest_difference_is_told() -> None:
    left = record("left", run())
    assert compare_records(left, record("right", run())).holds
    found = compare_records(left, record("right", run(fee="1.01", nav=999.0)))
    (first,) = found.findings
    assert (first.aspect, first.bar, first.left, first.right) == ("fill_fee", 1, "1", "1.01")
    assert first.cause == "one side takes 10 bp and the other 10.1 bp"


def test_an_order_that_risk_refused_is_the_cause() -> None:
    nothing = DeskRun((), (), np.full(3, 1000.0))
    refused = record("event-driven", nothing, Refusal(0, "AAA", "MAX_POSITION_PCT: too large"))
    (first,) = compare_records(record("numpy", run()), refused).findings
    assert (first.aspect, first.left, first.right) == ("order_units", "10", "nothing")
    assert first.cause == "an order of bar 0 was refused: MAX_POSITION_PCT: too large"


@pytest.mark.parametrize(
    ("changes", "aspect", "cause"),
    [
        ({"price": Decimal("100.05")}, "fill_price", "+5 bp apart"),
        ({"units": Decimal(9)}, "fill_units", "partial"),
        ({"bar": 2}, "fill_bar", "another bar"),
    ],
)
def test_each_aspect_of_a_fill_is_compared(changes: Any, aspect: str, cause: str) -> None:
    one = run()
    other = replace(one, fills=(replace(one.fills[0], **changes),))
    (first,) = compare_records(record("a", one), record("b", other)).findings
    assert first.aspect == aspect
    assert cause in first.cause


def test_a_missing_fill_account_or_bar_is_a_difference() -> None:
    one = run()
    gone = replace(one, fills=())
    assert not compare_records(record("a", one), record("b", gone)).holds
    assert not compare_records(record("a", gone), record("b", one)).holds
    assert not compare_records(record("a", one), Record("b", {})).holds
    assert not compare_records(Record("a", {}), Record("b", {})).holds
    shorter = replace(one, nav=one.nav[:2])
    (first,) = compare_records(record("a", one), record("b", shorter)).findings
    assert first.aspect == "nav"


def test_the_last_order_has_no_bar_to_be_compared_in() -> None:
    one = run()
    late = DeskOrder(2, "AAA", Decimal(5))
    more = replace(one, orders=(*one.orders, late))
    assert compare_records(record("a", one), record("b", more)).holds


def test_a_policy_loosens_one_aspect_alone() -> None:
    left, right = record("a", run()), record("b", run(fee="1.01", nav=1000.5))
    loose = {**DEFAULT_POLICY, "fill_fee": Tolerance(absolute=0.02)}
    (first,) = compare_records(left, right, policy=loose).findings
    assert first.aspect == "nav"
    looser = {**loose, "nav": Tolerance(relative=1e-3)}
    assert compare_records(left, right, policy=looser).holds


def test_times_of_a_panel_are_ends_of_bars() -> None:
    panel = comparable_panel(bars(), ["BBB", "AAA"], last=3)
    assert panel.shape == (3, 2)
    assert panel.dates[-1] == START + timedelta(days=11)
    assert list(panel.symbols) == ["BBB", "AAA"]
    with pytest.raises(NotComparable, match="no DAX; it has AAA, BBB"):
        comparable_panel(bars(), ["DAX"], last=None)
    with pytest.raises(NotComparable, match="is no time"):
        comparable_panel(bars(dates=range(12)), ["AAA"], last=None)
    with pytest.raises(BadPanel, match=r"open of AAA at .* is missing"):
        comparable_panel(bars(open=np.full((12, 2), np.nan)), ["AAA"], last=None)


@pytest.mark.parametrize(
    ("gaps", "interval"),
    [([24.0, 72.0], "1d"), ([23.0, 24.0], "1d"), ([1.0, 17.0], "1h"), ([1 / 60, 1.0], "1m")],
)
def test_the_interval_is_the_smallest_gap(gaps: list[float], interval: str) -> None:
    moments = [START]
    for gap in gaps:
        moments.append(moments[-1] + timedelta(hours=gap))
    assert interval_of(moments) == interval


def test_an_interval_needs_two_bars_a_minute_apart() -> None:
    with pytest.raises(NotComparable, match="two are the least"):
        interval_of([START])
    with pytest.raises(NotComparable, match="shorter"):
        interval_of([START, START + timedelta(seconds=1)])


def test_a_rule_is_an_account_a_symbol_and_others_are_one() -> None:
    rule = RuleStrategy("rule", [AAA, BBB], r.long_when(r.close > 1))
    assert [account.name for account in accounts_of(rule)] == ["rule-AAA", "rule-BBB"]
    text = settings(kind="rule", symbols=["AAA", "BBB"], params={"long_when": "close > 1"})
    assert [account.name for account in accounts_of(text)] == ["s1-AAA", "s1-BBB"]
    assert [account.name for account in accounts_of(settings())] == ["s1"]


def test_what_the_system_has_not_is_refused() -> None:
    rule = RuleStrategy("rule", [AAA], r.long_when(r.close > 1))
    accounts = accounts_of(rule)
    with pytest.raises(NotComparable, match="lot 10"):
        system_settings(accounts, DeskTerms(lot=10.0), by_text=False)
    with pytest.raises(NotComparable, match="is an object of this process"):
        system_settings(accounts, DeskTerms(), by_text=True)
    with pytest.raises(NotComparable, match=r"no engine can run: .*'abacus'"):
        compare(bars(), rule, engines=("abacus",))


def test_a_strategy_that_breaks_stops_the_backtest_and_is_named() -> None:
    def breaks(panel: Any) -> Any:
        if panel.shape[0] == 4:
            raise ValueError("four bars are too many")
        return np.asarray(panel.close)

    strategy = FactorStrategy("w", [Symbol("AAA"), Symbol("BBB")], breaks)
    panel = comparable_panel(bars(), ["AAA", "BBB"], last=None)
    with pytest.raises(BacktestFailed, match=r"after bar 2 of 12: .*four bars are too many"):
        run_events(panel, accounts_of(strategy), DeskTerms())


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"price": {}}', "names 'price'"), ("[1]", "is not a policy"), ("{", "is not a policy")],
)
def test_a_wrong_policy_file_compares_nothing(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "policy.json").write_text(text)
    rule = ["--long-when", "close > 1", "--symbol", "AAA"]
    options = ["--panel", "none.csv", *rule, "--policy", str(tmp_path / "policy.json")]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 2
    assert message in done.output
