"""Parity under a policy, decisions that know the future, batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from mts1b_foundation import UniversePanel
from mts1b_GPUbacktester import (
    DEFAULT_POLICY,
    BadRule,
    BadSetting,
    Tolerance,
    check_parity,
    find_lookahead,
    panel_from,
    rules,
)
from mts1b_GPUbacktester.batch import run_batch
from mts1b_GPUbacktester.cli import app
from mts1b_GPUbacktester.parity import _compared
from mts1b_GPUbacktester.semantics import Settings
from mts1b_quantkit.factors import FACTOR_REGISTRY
from typer.testing import CliRunner

r = rules
CROSS = r.long_when(r.sma(r.close, r.param("fast")) > r.sma(r.close, r.param("slow")))
GRID = {"fast": [2, 5], "slow": [9, 20]}


@pytest.fixture(scope="module")
def panel() -> UniversePanel:
    rng = np.random.default_rng(8)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0002, 0.015, (400, 3)), 0))
    return panel_from(
        {
            "close": close,
            "open": close * np.exp(rng.normal(0, 0.003, close.shape)),
            "high": close * 1.02,
            "low": close / 1.02,
            "volume": rng.integers(100, 900, close.shape).astype(float),
            "symbols": ["AAA", "BBB", "CCC"],
        }
    )


def test_the_engines_match_under_the_policy(panel: UniversePanel) -> None:
    names = tuple(DEFAULT_POLICY)
    found = check_parity(panel, CROSS, grid=GRID, metrics=names)
    assert found.holds
    assert {one.compared for one in found.metrics} == {12}
    stopped = check_parity(panel, CROSS.stop(0.03), grid=GRID, direction="both", size=0.5)
    assert stopped.holds


def test_a_metric_without_a_policy_fails(panel: UniversePanel) -> None:
    found = check_parity(panel, CROSS, grid=GRID, policy={"n_trades": Tolerance()})
    assert not found.holds
    reasons = {one.metric: one.reason for one in found.metrics}
    assert reasons["n_trades"] == ""
    assert reasons["sharpe"] == "no policy for this metric"
    with pytest.raises(BadSetting, match="the policy names shape"):
        check_parity(panel, CROSS, grid=GRID, policy={"shape": Tolerance()})
    with pytest.raises(BadSetting, match="zero or a positive"):
        Tolerance(absolute=float("nan"))


def test_nan_never_matches_and_the_first_difference_is_named(panel: UniversePanel) -> None:
    never = check_parity(panel, r.long_when(r.close < 0), grid=[{}])
    assert not never.holds
    (sharpe,) = (one for one in never.metrics if one.metric == "sharpe")
    assert sharpe.differing == 3
    assert "symbol AAA" in sharpe.reason
    keys = pl.DataFrame({"symbol": ["X", "Y"]})
    one, two = np.array([1.0, 2.0]), np.array([1.0, 2.1])
    assert _compared("sharpe", one, two, Tolerance(absolute=0.2), keys).holds
    far = _compared("sharpe", one, two, Tolerance(relative=0.01), keys)
    assert (far.differing, far.reason) == (1, "2.0 and 2.1 at symbol Y")


INDICATORS: dict[str, Callable[[], Any]] = {
    "sma": lambda: r.close > r.sma(r.close, 7),
    "ema": lambda: r.close > r.ema(r.close, 7),
    "rsi": lambda: r.rsi(r.close, 5) < 40,
    "breakout": lambda: r.close > r.lag(r.highest(r.high, 10), 1),
    "channel": lambda: r.close < r.lag(r.lowest(r.low, 10), 1),
    "bands": lambda: (
        (r.close > r.upper_band(r.close, 12, 1.0)) | (r.close < r.lower_band(r.close, 12, 1.0))
    ),
    "zscore": lambda: r.zscore(r.close, 15) > 0.5,
    "atr": lambda: r.close - r.lag(r.close, 1) > 0.5 * r.atr(9),
    "cross": lambda: r.crosses_above(r.close, r.larger(r.sma(r.close, 4), r.smaller(r.open, 90))),
}


@pytest.mark.parametrize("name", sorted(INDICATORS))
def test_no_indicator_knows_the_future(panel: UniversePanel, name: str) -> None:
    condition = INDICATORS[name]()
    used = Settings(direction="both", size=r.smaller(0.01 / r.deviation(r.close, 5), 1.0))
    for rule in (r.long_when(condition), r.enter_long(condition).exit_long(r.rsi(r.open, 3) > 60)):
        assert find_lookahead(panel, rule=rule, settings=used) is None


@pytest.mark.parametrize("name", sorted(FACTOR_REGISTRY))
def test_no_factor_knows_the_future(panel: UniversePanel, name: str) -> None:
    factor = FACTOR_REGISTRY[name]
    try:
        factor(panel)
    except (TypeError, ValueError) as error:
        pytest.skip(f"needs more than a panel of prices: {error}")
    assert find_lookahead(panel, decide=factor, cuts=5, tolerance=1e-9) is None


def test_decisions_that_know_the_future_are_found(panel: UniversePanel) -> None:
    def tomorrow(data: UniversePanel) -> Any:
        return np.vstack((np.diff(data.close, axis=0) > 0, np.zeros((1, 3))))

    def scaled(data: UniversePanel) -> Any:
        return (data.close - data.close.mean(axis=0)) / data.close.std(axis=0)

    def filled_back(data: UniversePanel) -> Any:
        late = np.full(data.shape, np.nan)
        late[::10] = data.close[::10]
        for bar in range(len(late) - 2, -1, -1):
            late[bar] = np.where(np.isnan(late[bar]), late[bar + 1], late[bar])
        return late > data.close

    for decide in (tomorrow, scaled, filled_back):
        found = find_lookahead(panel, decide=decide)
        assert found is not None
        assert found.bar < found.cut
        assert "instead of" in str(found)
    assert find_lookahead(panel, decide=lambda data: data.close > data.open) is None
    with pytest.raises(BadRule, match="one row for each"):
        find_lookahead(panel, decide=lambda data: np.zeros(3))
    with pytest.raises(BadRule, match="exactly one"):
        find_lookahead(panel)


@pytest.mark.parametrize("every", [5, 21, 63])
@pytest.mark.parametrize("between", ["holds", "says nothing", "orders nothing"])
def test_a_strategy_that_acts_seldom_is_caught_as_well(every: int, between: str) -> None:
    def tomorrow(data: UniversePanel, ahead: int = 1) -> Any:
        """Weigh by the return of the next bar, and hold until the next rebalance."""
        close, length = np.asarray(data.close), data.shape[0]
        chosen = np.full(data.shape, np.nan)
        for bar in range(0, length, every):
            chosen[bar] = np.sign(close[min(bar + ahead, length - 1)] / close[bar] - 1.0)
        latest = np.arange(length) // every * every
        chosen = chosen[latest] if between == "holds" else chosen
        return np.nan_to_num(chosen) if between == "orders nothing" else chosen

    for seed in range(10):
        rng = np.random.default_rng(seed)
        length = int(rng.integers(400, 1500))
        close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (length, 3)), 0))
        assert find_lookahead({"close": close}, decide=tomorrow) is not None
        assert find_lookahead({"close": close}, decide=lambda data: tomorrow(data, 0)) is None


def test_a_future_that_was_never_seen_is_asked_for_too(panel: UniversePanel) -> None:
    def knows_of_jumps(data: UniversePanel) -> Any:
        return np.vstack((data.close[1:], data.close[-1:])) > 2.0 * data.close

    # No price doubles in the data, so cutting off moves nothing; a changed future does.
    assert not knows_of_jumps(panel).any()
    found = find_lookahead(panel, decide=knows_of_jumps)
    assert found is not None
    assert (found.how, found.bar) == ("changed", found.cut - 1)


@pytest.fixture
def bars(panel: UniversePanel, tmp_path: Path) -> Path:
    length, assets = panel.shape
    fields = ("open", "high", "low", "close", "volume")
    table = pl.DataFrame(
        {
            "symbol": np.repeat(panel.symbols, length).tolist(),
            "timestamp": list(range(length)) * assets,
            **{name: getattr(panel, name).T.ravel() for name in fields},
        }
    )
    table.write_parquet(tmp_path / "bars.parquet")
    return tmp_path / "bars.parquet"


def test_the_command_ends_with_0_1_or_2(bars: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    base = ["parity", "--panel", str(bars), "--long-when", "sma(close, fast) > sma(close, slow)",
            "--param", "fast=2,5", "--param", "slow=9,20", "--stop", "0.05"]  # fmt: skip
    same = runner.invoke(app, base)
    assert same.exit_code == 0, same.output
    assert "numpy and numba match" in same.output
    policy = tmp_path / "policy.json"
    policy.write_text('{"sharpe": {"relative": 1e-6}}')
    differ = runner.invoke(app, [*base, "--policy", str(policy), "--json"])
    assert differ.exit_code == 1, differ.output
    assert json.loads(differ.output)["holds"] is False
    policy.write_text("[]")
    assert runner.invoke(app, [*base, "--policy", str(policy)]).exit_code == 2
    gone = runner.invoke(app, ["parity", "--panel", "none.csv", "--long-when", "close > 1"])
    assert gone.exit_code == 2


BATCH = """
panel = "bars.parquet"
fees_bps = 3

[[sweeps]]
name = "cross"
long_when = "sma(close, fast) > sma(close, slow)"
where = "fast<slow"
grid = { fast = "2:6:2", slow = [5, 9] }

[[sweeps]]
name = "dip"
enter = "rsi(close, n) < 40"
leave = "rsi(close, n) > 60"
stop = 0.1
grid = { n = [3, 5] }
top = 4
"""


YAML_BATCH = """
panel: bars.parquet
sweeps:
  - name: cross
    long_when: sma(close, fast) > sma(close, slow)
    where: fast<slow
    grid: {fast: "2:6:2", slow: [5, 9]}
"""


def test_a_batch_runs_from_yaml_toml_and_json(bars: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    simple = {"name": "one", "long_when": "close > 1", "grid": {}}
    texts = {
        "yaml": YAML_BATCH,
        "toml": BATCH,
        "json": json.dumps({"panel": "bars.parquet", "sweeps": [simple]}),
    }
    trials = {"yaml": 5, "toml": 7, "json": 1}
    for suffix, text in texts.items():
        (tmp_path / f"sweep.{suffix}").write_text(text)
        out = tmp_path / suffix
        done = runner.invoke(
            app, ["batch", "--config", str(tmp_path / f"sweep.{suffix}"), "--output", str(out)]
        )
        assert done.exit_code == 0, done.output
        assert f" {trials[suffix]} parameter sets" in done.output
    out = tmp_path / "toml"
    keys = ["symbol", "fast", "slow", "n_trades"]
    tables = [pl.read_parquet(tmp_path / kind / "cross.parquet") for kind in ("toml", "yaml")]
    assert tables[0].height == 15
    # The same sweep but for its fees, which no trade depends on.
    assert tables[0].select(keys).equals(tables[1].select(keys))
    assert pl.read_parquet(out / "dip.parquet").height == 4
    assert (out / "dip.html").exists()
    summary = json.loads((out / "summary.json").read_text())
    assert summary["cross"]["n_trials"] == 5
    assert set(summary["dip"]["best"]) == {"n"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"sweeps": []}, "no list 'sweeps'"),
        ({"panel": "x", "sweeps": [{"name": "a", "grid": {}, "hue": 1}]}, "hue is not known"),
        ({"panel": "x", "sweeps": [{"name": "a/b", "grid": {}}]}, "must be a word"),
        ({"sweeps": [{"name": "a", "grid": {}}]}, "needs panel"),
        ({"panel": "x", "sweeps": [{"name": "a", "grid": {}}] * 2}, "uses a name twice"),
        ([], "must hold names"),
    ],
)
def test_a_wrong_batch_says_what_to_change(tmp_path: Path, data: Any, message: str) -> None:
    (tmp_path / "sweep.json").write_text(json.dumps(data))
    with pytest.raises(BadSetting, match=message):
        run_batch(tmp_path / "sweep.json", tmp_path / "out")


def test_a_batch_that_can_not_be_read_ends_with_its_code(tmp_path: Path) -> None:
    (tmp_path / "sweep.toml").write_text("a = [")
    (tmp_path / "sweep.yaml").write_text("a: [")
    for name in ("sweep.toml", "sweep.yaml", "sweep.ini", "none.json"):
        done = CliRunner().invoke(
            app, ["batch", "--config", str(tmp_path / name), "--output", str(tmp_path / "o")]
        )
        assert done.exit_code == 5
