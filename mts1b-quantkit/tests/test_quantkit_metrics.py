"""Metrics by hand, by their definitions, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mts1b_quantkit import BadInput
from mts1b_quantkit import metrics as m
from scipy import stats

returns_strategy = arrays(
    float,
    st.tuples(st.integers(2, 60), st.integers(1, 4)),
    # Digits are promised to 1e-300; of smaller numbers a mean has none left.
    elements=st.floats(-0.5, 0.5).map(lambda value: value if abs(value) >= 1e-300 else 0.0),
)
REDUCTIONS = [getattr(m, name) for name in sorted(m.ROLLING_METRICS - {"deflated_sharpe"})]

# 24 monthly returns in per cent: the example of Bacon 2008.
YEAR_ONE = [0.3, 2.6, 1.1, -1.0, 1.5, 2.5, 1.6, 6.7, -1.4, 4.0, -0.5, 8.1]
YEAR_TWO = [4.0, -3.7, -6.1, 1.7, -4.9, -2.2, 7.0, 5.8, -6.5, 2.4, -0.5, -0.9]
MONTHS = np.array([*YEAR_ONE, *YEAR_TWO]) / 100.0


def test_growth_by_hand() -> None:
    assert m.total_return([0.1, -0.5, 1.0]) == pytest.approx(0.1)
    assert m.cagr([0.1, 0.1], periods_per_year=2) == pytest.approx(0.21)
    assert m.cagr([0.1, 0.1], periods_per_year=1) == pytest.approx(0.1)
    assert m.cagr([0.21], years=2.0) == pytest.approx(0.1)
    assert m.cagr([0.5, -1.0, 0.2]) == -1.0
    assert math.isnan(m.cagr([-2.0]))


def test_bacon_example() -> None:
    """Bacon 2008: downside deviation at 0.5 % a month and raw kurtosis."""
    downside = m.downside_deviation(MONTHS, threshold=0.005, periods_per_year=1)
    assert downside == pytest.approx(0.0255, abs=5e-5)
    assert m.kurtosis(MONTHS) + 3.0 == pytest.approx(2.43, abs=5e-3)


def test_downside_deviation_counts_all_rows() -> None:
    assert m.downside_deviation([0.1, -0.2, 0.0, 0.3], periods_per_year=1) == pytest.approx(0.1)
    assert m.downside_deviation([0.1, -0.2, 0.0, 0.3], periods_per_year=4) == pytest.approx(0.2)
    per_row = m.downside_deviation([0.1, 0.1], threshold=[0.0, 0.3], periods_per_year=1)
    assert per_row == pytest.approx(math.sqrt(0.02))


def test_sharpe_and_sortino_by_hand() -> None:
    returns = [0.03, -0.01, 0.04]
    assert m.sharpe(returns, periods_per_year=1) == pytest.approx(0.02 / math.sqrt(0.0007))
    assert m.sharpe(returns, risk_free_rate=0.01, periods_per_year=4) == pytest.approx(
        2 * 0.01 / math.sqrt(0.0007)
    )
    assert m.sharpe(returns, risk_free_rate=[0.01, 0.01, 0.01]) == pytest.approx(
        m.sharpe(returns, risk_free_rate=0.01)
    )
    expected = 0.02 / math.sqrt(0.0001 / 3)
    assert m.sortino(returns, periods_per_year=1) == pytest.approx(expected)
    assert m.sortino(returns, threshold=0.01) == m.sortino(returns, risk_free_rate=0.01)
    with pytest.raises(BadInput, match="one target"):
        m.sortino(returns, threshold=0.0, risk_free_rate=0.01)


def test_drawdown_starts_at_the_starting_capital() -> None:
    assert m.max_drawdown([-0.1, 0.05]) == pytest.approx(-0.1)
    np.testing.assert_allclose(m.drawdown_series([-0.1, 0.5, -0.2]), [-0.1, 0.0, -0.2], atol=1e-15)
    assert m.max_drawdown([0.1, 0.2]) == 0.0
    assert m.max_drawdown([0.1, -1.0, 0.5]) == -1.0


def test_average_drawdown_over_periods_and_episodes() -> None:
    returns = [-0.1, 1 / 9, 0.1, -0.2, -0.1]
    path = m.drawdown_series(returns)
    np.testing.assert_allclose(path, [-0.1, 0.0, 0.0, -0.2, -0.28], atol=1e-15)
    assert m.average_drawdown(returns) == pytest.approx(-0.58 / 5)
    assert m.average_drawdown(np.array(path), over="episodes") <= 0.0
    assert m.average_drawdown([-0.1, 0.2, -0.2, -0.1], over="episodes") == pytest.approx(-0.19)
    assert m.average_drawdown([0.1, 0.2], over="episodes") == 0.0


def test_calmar_is_cagr_over_the_deepest_drawdown() -> None:
    assert m.calmar(MONTHS, periods_per_year=12) == pytest.approx(
        m.cagr(MONTHS, periods_per_year=12) / -m.max_drawdown(MONTHS)
    )
    assert m.calmar([0.1, 0.1]) == math.inf
    assert math.isnan(m.calmar([0.0, 0.0]))


@pytest.mark.parametrize("bias", [True, False])
def test_moments_are_scipys(bias: bool) -> None:
    assert m.skewness(MONTHS, bias=bias) == pytest.approx(stats.skew(MONTHS, bias=bias))
    assert m.kurtosis(MONTHS, bias=bias) == pytest.approx(stats.kurtosis(MONTHS, bias=bias))


def test_value_at_risk_methods() -> None:
    returns = np.arange(-10, 30) / 100.0  # 40 values: 5 % are exactly two
    assert m.value_at_risk(returns) == pytest.approx(np.percentile(returns, 5))
    assert m.value_at_risk(returns, method="order") == -0.09
    assert m.value_at_risk(returns, method="gaussian") == pytest.approx(
        returns.mean() - 1.6448536269514722 * returns.std(ddof=1)
    )
    z = -1.6448536269514722
    s, k = stats.skew(MONTHS), stats.kurtosis(MONTHS)
    corrected = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    assert m.value_at_risk(MONTHS, method="cornish_fisher") == pytest.approx(
        MONTHS.mean() + corrected * MONTHS.std(ddof=1)
    )


def test_expected_shortfall_methods() -> None:
    returns = np.arange(-10, 20) / 100.0  # 30 values: 5 % are one and a half
    assert m.expected_shortfall(returns) == pytest.approx((-0.10 - 0.5 * 0.09) / 1.5)
    assert m.expected_shortfall(returns, method="empirical") == pytest.approx(-0.095)
    assert m.expected_shortfall(returns, method="below_var") == pytest.approx(-0.095)
    assert m.expected_shortfall(returns, method="gaussian") == pytest.approx(
        returns.mean() - returns.std(ddof=1) * stats.norm.pdf(1.6448536269514722) / 0.05
    )
    assert m.expected_shortfall([-0.3, 0.1], confidence=0.95) == pytest.approx(-0.3)


def test_an_exact_number_of_tail_rows_is_not_spoilt_by_rounding() -> None:
    returns = np.arange(20.0)
    assert m.value_at_risk(returns, method="order") == 0.0
    assert m.expected_shortfall(returns) == 0.0


@settings(max_examples=40, deadline=None)
@given(returns=returns_strategy)
def test_many_series_at_once_are_each_series_alone(returns: np.ndarray) -> None:
    frame = pd.DataFrame(returns)
    for metric in REDUCTIONS:
        together = metric(frame)
        for j in range(returns.shape[1]):
            alone = metric(returns[:, j])
            assert together[j] == pytest.approx(alone, rel=1e-9, abs=1e-12, nan_ok=True), metric


@settings(max_examples=40, deadline=None)
@given(returns=returns_strategy)
def test_orders_between_measures(returns: np.ndarray) -> None:
    assert (m.max_drawdown(returns) <= m.average_drawdown(returns) + 1e-15).all()
    assert (m.drawdown_series(returns) <= 0.0).all()
    assert (m.expected_shortfall(returns) <= m.value_at_risk(returns, method="order") + 1e-12).all()
    scaled = m.sharpe(returns * 2.0, periods_per_year=1)
    np.testing.assert_allclose(scaled, m.sharpe(returns, periods_per_year=1), rtol=1e-9)


def test_undefined_ratios_are_nan_or_infinite_without_a_warning() -> None:
    assert math.isnan(m.sharpe([0.01]))
    assert math.isnan(m.annual_volatility([0.01]))
    assert m.sharpe([0.001] * 10) == math.inf
    assert m.sharpe([-0.3 + 0.2] * 7) == -math.inf
    assert math.isnan(m.sharpe([0.0, 0.0]))
    assert m.sortino([0.1, 0.2]) == math.inf
    assert math.isnan(m.sortino([0.0, 0.0]))
    assert math.isnan(m.skewness([0.1, 0.1, 0.1]))
    assert math.isnan(m.kurtosis([0.1, 0.2, 0.4], bias=False))
    assert math.isnan(m.skewness([0.1, 0.2], bias=False))
    assert math.isnan(m.value_at_risk([0.1], method="gaussian"))


def test_bad_calls_are_refused() -> None:
    for metric in REDUCTIONS:
        with pytest.raises(BadInput):
            metric([])
    for call in (
        lambda: m.sharpe([0.1, 0.2], periods_per_year=0),
        lambda: m.sharpe([0.1, 0.2], risk_free_rate=[0.1]),
        lambda: m.cagr([0.1], years=0.0),
        lambda: m.value_at_risk([0.1], confidence=95),
        lambda: m.value_at_risk([0.1], method="normal"),  # type: ignore[arg-type]
        lambda: m.expected_shortfall([0.1], method="normal"),  # type: ignore[arg-type]
        lambda: m.average_drawdown([0.1], over="years"),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadInput):
            call()
