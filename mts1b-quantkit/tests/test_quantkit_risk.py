"""Risk measures are positive losses and agree with scipy and with integration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mts1b_quantkit import BadInput, metrics
from mts1b_quantkit.risk import (
    ewma_volatility,
    expected_shortfall,
    expected_shortfall_from_moments,
    value_at_risk,
    value_at_risk_from_moments,
)
from scipy import integrate, stats

RETURNS = np.random.default_rng(5).standard_t(5, size=400) * 0.01 + 0.0005
METHODS = [("gaussian", {}), ("student_t", {"df": 5.0}), ("cornish_fisher", {})]


def test_historical_is_the_metric_with_the_other_sign() -> None:
    assert value_at_risk(RETURNS) == -metrics.value_at_risk(RETURNS) > 0
    assert (
        expected_shortfall(RETURNS) == -metrics.expected_shortfall(RETURNS) > value_at_risk(RETURNS)
    )


def test_gaussian_and_student_t_quantiles_are_scipys() -> None:
    mean, sd = 0.001, 0.02
    for confidence in (0.9, 0.99):
        tail = 1 - confidence
        assert value_at_risk_from_moments(mean, sd, confidence=confidence) == pytest.approx(
            -stats.norm.ppf(tail, mean, sd)
        )
        scale = sd * np.sqrt(3 / 5)
        assert value_at_risk_from_moments(
            mean, sd, confidence=confidence, method="student_t", df=5
        ) == pytest.approx(-stats.t.ppf(tail, 5, mean, scale))


@pytest.mark.parametrize(("method", "extra"), METHODS)
def test_expected_shortfall_is_the_mean_value_at_risk_of_the_tail(
    method: str, extra: dict[str, float]
) -> None:
    shape = {"skewness": -0.4, "excess_kurtosis": 1.5} if method == "cornish_fisher" else {}
    options = {"method": method, **extra, **shape}
    area, _ = integrate.quad(
        lambda u: value_at_risk_from_moments(0.001, 0.02, confidence=1 - u, **options), 0, 0.05
    )
    shortfall = expected_shortfall_from_moments(0.001, 0.02, confidence=0.95, **options)
    assert shortfall == pytest.approx(area / 0.05, rel=1e-6)


@pytest.mark.parametrize(("method", "extra"), METHODS)
def test_samples_go_through_their_moments(method: str, extra: dict[str, float]) -> None:
    frame = pd.DataFrame({"A": RETURNS, "B": RETURNS**2 * np.sign(RETURNS)})
    for measure, from_moments in (
        (value_at_risk, value_at_risk_from_moments),
        (expected_shortfall, expected_shortfall_from_moments),
    ):
        result = measure(frame, method=method, **extra)
        for name, column in frame.items():
            assert result[name] == pytest.approx(
                from_moments(
                    column.mean(),
                    column.std(),
                    method=method,
                    skewness=stats.skew(column),
                    excess_kurtosis=stats.kurtosis(column),
                    **extra,
                )
            )


def test_bad_calls_are_refused() -> None:
    for call in (
        lambda: value_at_risk(RETURNS, method="student_t"),
        lambda: value_at_risk(RETURNS, method="student_t", df=2.0),
        lambda: value_at_risk(RETURNS, method="gaussian", df=5.0),
        lambda: value_at_risk(RETURNS, df=5.0),
        lambda: expected_shortfall(RETURNS, method="order"),  # type: ignore[arg-type]
        lambda: value_at_risk_from_moments(0.0, -1.0),
        lambda: ewma_volatility(RETURNS, decay=1.0),
    ):
        with pytest.raises(BadInput):
            call()


def test_ewma_volatility_follows_the_recursion_and_looks_back_only() -> None:
    frame = pd.DataFrame({"A": [0.01, -0.02, 0.03]})
    variance = [0.0001]
    for r in (-0.02, 0.03):
        variance.append(0.94 * variance[-1] + 0.06 * r * r)
    np.testing.assert_allclose(ewma_volatility(frame)["A"], np.sqrt(variance))
    whole = ewma_volatility(RETURNS)
    np.testing.assert_array_equal(ewma_volatility(RETURNS[:100]), whole[:100])
    pandas = np.sqrt((pd.Series(RETURNS) ** 2).ewm(alpha=0.1, adjust=False).mean())
    np.testing.assert_allclose(ewma_volatility(RETURNS, decay=0.9), pandas)
