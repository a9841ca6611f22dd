"""Run by test_backtester_cuda in a process of its own, with numba's CUDA simulator.

Compares the CUDA engine with the numpy engine in every metric and account, and prints what differs.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from mts1b_GPUbacktester import DEFAULT_POLICY, Tolerance, panel_from, run_single, run_sweep
from mts1b_GPUbacktester import rules as r
from mts1b_GPUbacktester.engines import choose_engine

METRICS = tuple(DEFAULT_POLICY)
N, M = r.param("n"), r.param("m")
GRID = {"n": [3, 9], "m": [2, 5]}

CASES: dict[str, tuple[r.Rule, dict[str, Any]]] = {
    "averages": (r.long_when(r.sma(r.close, N) > r.ema(r.close, M)), {}),
    "same close": (r.long_when(r.close > r.sma(r.close, N + M)), {"fill": "signal_close"}),
    "events, stops, both sides": (
        r.enter_long(r.crosses_above(r.close, r.sma(r.close, N)))
        .exit_long(r.rsi(r.close, M) > 60)
        .stop(0.03)
        .trailing_stop(0.05),
        {"direction": "both", "size": 0.7, "borrow_bps": 100.0},
    ),
    "or, not, time exit": (
        r.long_when((r.close > r.sma(r.high, N)) | ~(r.wilder(r.low, M) < r.close)).time_exit(4),
        {"fill": "next_close", "slippage_bps": 10.0},
    ),
    "channel, sized by volatility": (
        r.long_when(r.close > r.lag(r.highest(r.high, N), 1)).short_when(
            (r.zscore(r.close, M + 3) > 1) & (r.close < 100)
        ),
        {"direction": "both", "size": r.smaller(0.01 / r.deviation(r.close, 5), 1.0)},
    ),
    "a division by zero": (
        r.long_when(r.sma(r.close / r.volume, N) > r.wilder(r.close / r.volume, M)),
        {},
    ),
    "ruin": (
        r.short_when(r.close > r.lag(r.close, N) * 0.01 * M),
        {"direction": "short", "borrow_bps": 9000.0, "periods_per_year": 12},
    ),
}


def prices(bars: int, assets: int, seed: int) -> dict[str, Any]:
    """Return random prices with a late listing and a gap."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, (bars, assets)), 0))
    close[:7, 0] = np.nan
    close[40:44, 1] = np.nan
    opened = close * np.exp(rng.normal(0, 0.005, close.shape))
    volume = rng.integers(1, 9, close.shape).astype(float)
    volume[bars // 3] = 0.0
    return {
        "close": close,
        "volume": volume,
        "open": opened,
        "high": np.maximum(opened, close) * 1.01,
        "low": np.minimum(opened, close) / 1.01,
    }


def differences(panel: Any, rule: r.Rule, options: dict[str, Any]) -> list[str]:
    """Return the metrics in which the two engines differ under the policy, NaN equal to NaN."""
    one, two = (
        run_sweep(panel, rule, grid=GRID, engine=name, metrics=METRICS, **options).table  # type: ignore[arg-type]
        for name in ("numpy", "cuda")
    )
    found = []
    for name in METRICS:
        left, right = (table[name].to_numpy().astype(float) for table in (one, two))
        policy: Tolerance = DEFAULT_POLICY[name]
        same = policy.matches(left, right) | (np.isnan(left) & np.isnan(right))
        if not same.all():
            found.append(f"{name}: {left[~same][0]!r} and {right[~same][0]!r}")
    return found


def path_differences(panel: Any, rule: r.Rule, options: dict[str, Any]) -> list[str]:
    """Return what differs in a single run: equity, weights, trades."""
    one, two = (
        run_single(panel=panel, rule=rule, params={"n": 3, "m": 5}, engine=name, **options)  # type: ignore[arg-type]
        for name in ("numpy", "cuda")
    )
    found = [] if np.allclose(one.equity, two.equity, rtol=1e-12, atol=0) else ["equity"]
    if not np.allclose(one.weights, two.weights, rtol=1e-9, atol=1e-12):
        found.append("weights")
    exact = ["symbol", "side", "entry_time", "entry_price", "exit_time", "bars", "is_open"]
    if not one.trades.select(exact).equals(two.trades.select(exact)):
        found.append("trades")
    return found


def main() -> None:
    """Print one JSON object: what differs by case, trades compared, parts of the budget."""
    panel = panel_from(prices(100, 3, seed=4))
    report: dict[str, Any] = {"differences": {}, "trades": {}}
    for name, (rule, options) in CASES.items():
        wrong = differences(panel, rule, options) + path_differences(panel, rule, options)
        report["differences"][name] = wrong
        table = run_sweep(panel, rule, grid=GRID, engine="numpy", **options).table
        report["trades"][name] = int(table["n_trades"].sum())
    rule, options = CASES["averages"]
    told: list[float] = []
    small = run_sweep(
        panel, rule, grid=GRID, engine="cuda", memory_budget="16KiB", top=5, progress=told.append
    )
    whole = run_sweep(panel, rule, grid=GRID, engine="cuda")
    report["same in parts"] = bool(small.table.equals(whole.best(5)))
    report["parts"] = len(told)
    report["timings"] = sorted(whole.timings)
    report["reason"] = choose_engine("auto", 10**12)[1].reason
    print(json.dumps(report))


if __name__ == "__main__":
    main()
