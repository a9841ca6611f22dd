"""Every function of this package that takes data, with how it behaves: one row each.

A test that asks for ``case`` runs for every row, or for those that its marker ``cases`` chooses,
as in ``@pytest.mark.cases(gives={"weights"})``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from mts1b_quantkit import allocators as a
from mts1b_quantkit import covariance as c
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m
from mts1b_quantkit import microstructure as micro
from mts1b_quantkit import risk, volatility
from mts1b_quantkit import universe_filters as filters

sys.path.insert(0, str(Path(__file__).parent))


class Case(NamedTuple):
    """One function of (T, N) data.

    ``data``: what it eats. ``gives``: one number per column, rows, fewer rows, a square matrix,
    weights, a value per row (past), or else. ``degree`` of homogeneity, None where there is none.
    ``gaps``: NaN is data. ``even``: the order of the columns is no matter. ``one``: series alone.
    """

    name: str
    call: Callable[[Any], Any]
    data: str = "returns"
    gives: str = "columns"
    degree: int | None = None
    gaps: bool = False
    even: bool = True
    one: bool = False


def _numbers(data: Any) -> np.ndarray | None:
    values = np.asarray(data)
    wordy = values.size == 0 or isinstance(values.flat[0], str)
    return None if wordy else values.astype(float)


def _up(prices: Any) -> Any:
    """Return prices one per cent higher, in their kind."""
    if isinstance(prices, pl.DataFrame | pl.Series):
        return prices * 1.01
    if isinstance(prices, pd.DataFrame | pd.Series):
        return prices.astype(float) * 1.01
    values = _numbers(prices)
    return prices if values is None else values * 1.01


def _middle(data: Any) -> float:
    """Return a return that long-only weights can reach."""
    values = _numbers(data)
    return 0.0 if values is None else float(np.median(values.mean(axis=0)))


def _shares(data: Any) -> np.ndarray:
    width = np.shape(data)[-1] if np.ndim(data) else 1
    return np.full(width, 1.0 / max(width, 1))


def _top(data: Any) -> float:
    """Return the size of the data, for thresholds in its units."""
    values = _numbers(data)
    if values is None or not np.isfinite(values).any():
        return 1.0
    size = float(np.nanmax(np.abs(values)))
    return size if 0.0 < size < 1e150 else 1.0


def _beside(function: Any, data: Any) -> Any:
    rows = len(data)
    return function(data, np.sin(np.arange(rows)) * 0.01 + 0.001)


def _metric(name: str, degree: int | None = None, **traits: Any) -> Case:
    return Case(f"metrics.{name}", getattr(m, name), degree=degree, **traits)


def _square(name: str, call: Any = None, **traits: Any) -> Case:
    traits = {"gives": "square", "degree": 2, **traits}
    return Case(f"covariance.{name}", call or getattr(c, name), **traits)


def _weights(name: str, degree: int | None = 0, even: bool = True) -> Case:
    method = getattr(a, name)
    call = lambda x: method(x).weights  # noqa: E731
    return Case(f"allocators.{name}", call, gives="weights", degree=degree, even=even)


def _prices(name: str, call: Any, **traits: Any) -> Case:
    return Case(name, call, **{"data": "prices", "degree": 0, **traits})


def _ohlc(name: str) -> Case:
    method = getattr(volatility, name)
    return _prices(f"volatility.{name}", lambda p: method(p, _up(p), p, _up(p)))


def _section(name: str, call: Any = None, **traits: Any) -> Case:
    traits = {"gives": "rows", "degree": 0, "gaps": True, **traits}
    return Case(f"factors.{name}", call or getattr(f, name), **traits)


def _breaches(name: str, call: Any) -> Case:
    return Case(f"risk.{name}", call, data="breaches", gives="else", one=True)


METRICS = [
    *(_metric(name, 0) for name in ("sharpe", "sortino", "omega", "tail_ratio", "skewness")),
    *(_metric(name, 0) for name in ("kurtosis", "win_rate", "profit_factor", "payoff_ratio")),
    *(_metric(name, 0) for name in ("sharpe_standard_error", "probabilistic_sharpe")),
    *(_metric(name, 1) for name in ("annual_volatility", "downside_deviation", "semi_deviation")),
    *(_metric(name, 1) for name in ("mean_absolute_deviation", "value_at_risk")),
    *(_metric(name, 1) for name in ("expected_shortfall", "entropic_value_at_risk")),
    *(_metric(name) for name in ("total_return", "cagr", "calmar", "max_drawdown", "stability")),
    *(_metric(name) for name in ("average_drawdown", "ulcer_index", "pain_index")),
    _metric("conditional_drawdown_at_risk"),
    _metric("min_track_record_length", 0),
    _metric("drawdown_series", gives="rows"),
    _metric("drawdown_table", gives="else", one=True),
    Case(
        "metrics.deflated_sharpe",
        lambda x: m.deflated_sharpe(x, n_trials=9, variance=0.01),
        degree=0,
    ),
    Case("metrics.rolling", lambda x: m.rolling(x, "sharpe", 5), gives="rows", degree=0),
    Case(
        "metrics.probability_of_backtest_overfitting",
        lambda x: m.probability_of_backtest_overfitting(x, n_splits=4).logits,
        gives="else",
        degree=0,
    ),
    Case("metrics.beta", lambda x: _beside(m.beta, x), degree=1),
    Case("metrics.alpha", lambda x: _beside(m.alpha, x)),
    Case("metrics.tracking_error", lambda x: _beside(m.tracking_error, x)),
    Case("metrics.information_ratio", lambda x: _beside(m.information_ratio, x)),
    Case("metrics.capture_ratio", lambda x: _beside(m.capture_ratio, x)),
    Case("metrics.up_capture", lambda x: _beside(m.up_capture, x)),
    Case("metrics.down_capture", lambda x: _beside(m.down_capture, x)),
]
RISK = [
    Case("risk.value_at_risk", risk.value_at_risk, degree=1),
    Case("risk.expected_shortfall", risk.expected_shortfall, degree=1),
    Case("risk.ewma_volatility", risk.ewma_volatility, gives="rows", degree=1),
    Case("risk.garch_forecast", lambda x: risk.garch_forecast(x).variance, gives="else", one=True),
    _breaches("kupiec", lambda b: risk.kupiec(b).statistic),
    _breaches("christoffersen", lambda b: risk.christoffersen(b).statistic),
    _breaches("conditional_coverage", lambda b: risk.conditional_coverage(b).statistic),
    _breaches("acerbi_szekely_z2", lambda b: risk.acerbi_szekely_z2(b, 1.0, b)),
    Case(
        "risk.component_var",
        lambda s: risk.component_var(_shares(s), s).component,
        data="correlation",
        gives="else",
    ),
]
COVARIANCES = [
    *(_square(name) for name in ("sample_covariance", "denoised_covariance")),
    *(_square(name) for name in ("gerber_covariance", "semi_covariance")),
    _square("ewma_covariance", lambda x: c.ewma_covariance(x, halflife=9)),
    _square("ledoit_wolf", lambda x: c.ledoit_wolf(x).covariance),
    _square("oas", lambda x: c.oas(x).covariance),
    _square("nearest_psd", data="correlation", degree=1),
    _prices("covariance.returns_from_prices", c.returns_from_prices, gives="fewer rows"),
]
ALLOCATIONS = [
    *(_weights(name) for name in ("herc_weights", "nco_weights", "equal_weights")),
    *(_weights(name) for name in ("inverse_volatility", "inverse_variance", "min_variance")),
    *(_weights(name) for name in ("max_sharpe", "risk_parity", "max_diversification")),
    *(_weights(name, even=False) for name in ("hrp_weights", "min_cvar", "min_mad", "min_cdar")),
    _weights("mean_variance", None),
    Case(
        "allocators.efficient_return",
        lambda x: a.efficient_return(x, target_return=_middle(x)).weights,
        gives="weights",
        degree=0,
    ),
    Case(
        "allocators.efficient_frontier",
        lambda x: a.efficient_frontier(x).weights,
        gives="else",
        degree=0,
    ),
    Case(
        "allocators.black_litterman",
        lambda x: a.black_litterman(x, market_weights=_shares(x)).weights,
        gives="weights",
        degree=0,
    ),
]
PRICES = [
    *(_ohlc(name) for name in ("garman_klass", "rogers_satchell", "yang_zhang")),
    _prices("volatility.realized_volatility", volatility.realized_volatility),
    _prices("volatility.parkinson", lambda p: volatility.parkinson(_up(p), p)),
    _prices("microstructure.roll_spread", micro.roll_spread, degree=1),
    _prices(
        "microstructure.amihud_illiquidity", lambda p: micro.amihud_illiquidity(p, p), degree=-2
    ),
    _prices(
        "microstructure.vpin",
        lambda p: micro.vpin(p, p, bucket_volume=_top(p), window=2),
        gives="else",
        one=True,
    ),
    _prices(
        "microstructure.cusum_filter",
        lambda p: micro.cusum_filter(p, threshold=_top(p) / 100),
        gives="else",
        one=True,
    ),
    _prices(
        "universe_filters.average_daily_volume",
        lambda v: filters.average_daily_volume(v, window=3),
        gives="rows",
        degree=1,
        gaps=True,
    ),
    _prices(
        "universe_filters.passes_adv_filter",
        lambda v: filters.passes_adv_filter(v, minimum=100.0, window=3),
        gives="rows",
        degree=None,
        gaps=True,
    ),
]
SECTIONS = [
    _section("zscore_cross_sectional"),
    _section("rank_cross_sectional"),
    _section("winsorize", degree=1),
    _section("neutralize", lambda x: f.neutralize(x, [1.0, 2.0, 0.0, -1.0]), degree=1, even=False),
    _section("information_coefficient", lambda x: f.information_coefficient(x, x), gives="past"),
    _section(
        "quantile_returns",
        lambda x: f.quantile_returns(x, x, n_quantiles=2),
        gives="past",
        degree=1,
    ),
    _section("turnover", gives="past", degree=1),
    _section(
        "information_coefficient_summary",
        lambda x: f.information_coefficient_summary(x).t_newey_west,
        gives="else",
        one=True,
    ),
]
CASES = [*METRICS, *RISK, *COVARIANCES, *ALLOCATIONS, *PRICES, *SECTIONS]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "cases(**traits): run for the cases with these traits")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for a case the cases that it chooses."""
    if "case" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("cases")
    wanted = {} if marker is None else marker.kwargs
    chosen = [
        case
        for case in CASES
        if all(getattr(case, trait) in values for trait, values in wanted.items())
    ]
    metafunc.parametrize("case", chosen, ids=[case.name for case in chosen])


@pytest.fixture(scope="session")
def all_cases() -> list[Case]:
    """Return every case."""
    return CASES
