"""GARCH(1, 1): the printed examples, the gradient, a simulated truth, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput, NaNInput
from mts1b_quantkit.risk import GarchParameters, garch_forecast
from mts1b_quantkit.risk.likelihood import Likelihood

HULL = GarchParameters(omega=0.000002, alpha=0.13, beta=0.86)


def simulated(parameters: GarchParameters, rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    h, values = parameters.long_run_variance, []
    for noise in rng.standard_normal(rows):
        returned = parameters.mean + np.sqrt(h) * noise
        values.append(returned)
        h = parameters.following(h, returned)
    return np.array(values)


def test_hull_one_day_ahead() -> None:
    """Hull, Options, Futures and Other Derivatives, chapter "Estimating volatilities and
    correlations", the GARCH(1, 1) model: after a volatility of 1.6 % and a return of 1 % the
    variance is 0.00023516, 1.53 % a day; the long-run variance is 0.0002."""
    assert HULL.following(0.016**2, 0.01) == pytest.approx(0.00023516, abs=5e-9)
    assert HULL.long_run_variance == pytest.approx(0.0002, abs=1e-15)


def test_hull_ten_days_ahead() -> None:
    """The same chapter, using GARCH(1, 1) to forecast: S&P 500, the variance is 0.0003 now; the
    long-run variance is 0.0002075 and the variance in ten days 0.0002942."""
    model = GarchParameters(omega=0.0000013465, alpha=0.083394, beta=0.910116)
    assert model.long_run_variance == pytest.approx(0.0002075, abs=5e-8)
    assert model.ahead(0.0003, 10) == pytest.approx(0.0002942, abs=5e-8)


def test_a_practice_question_twenty_days_ahead() -> None:
    """Omega 0.000002, alpha 0.04, beta 0.95, volatility 1 %: the long-run variance is 0.0002, the
    variance in twenty days 0.000118."""
    model = GarchParameters(omega=0.000002, alpha=0.04, beta=0.95)
    assert model.long_run_variance == pytest.approx(0.0002, abs=1e-12)
    assert model.ahead(0.01**2, 20) == pytest.approx(0.000118, abs=5e-7)


def test_the_gradient_is_that_of_the_likelihood() -> None:
    returns = simulated(GarchParameters(omega=0.05, alpha=0.1, beta=0.85, mean=0.1), 300, 1)
    at = np.array([0.05, 0.08, 0.12, 0.8])
    for start in ("sample", "backcast"):
        likelihood = Likelihood(returns, start=start, centre=0.1)
        _, gradient = likelihood.negative(at)
        for k, step in enumerate(np.eye(4) * 1e-6):
            up, down = likelihood.negative(at + step)[0], likelihood.negative(at - step)[0]
            assert gradient[k] == pytest.approx((up - down) / 2e-6, rel=1e-6, abs=1e-5)


def test_the_truth_is_found_in_long_data() -> None:
    truth = GarchParameters(omega=2e-6, alpha=0.08, beta=0.9, mean=4e-4)
    found = garch_forecast(simulated(truth, 20_000, 3), horizon=5)
    assert found.parameters.alpha == pytest.approx(truth.alpha, abs=0.01)
    assert found.parameters.beta == pytest.approx(truth.beta, abs=0.015)
    assert found.parameters.mean == pytest.approx(truth.mean, abs=3e-4)


def test_the_forecast_is_the_recursion() -> None:
    returns = pd.Series(simulated(HULL, 200, 5), index=pd.date_range("2024-01-01", periods=200))
    found = garch_forecast(returns, horizon=30, parameters=HULL, mean="zero")
    h = float(np.mean(returns**2))
    for row, returned in enumerate([None, *returns[:-1]]):
        h = (
            HULL.omega + (HULL.alpha + HULL.beta) * h
            if returned is None
            else (HULL.following(h, returned))
        )
        assert found.conditional.iloc[row] == pytest.approx(np.sqrt(h), rel=1e-12)
    assert found.variance[0] == pytest.approx(HULL.following(h, float(returns.iloc[-1])), rel=1e-12)
    gaps = np.abs(found.variance - HULL.long_run_variance)
    assert all(later <= earlier for earlier, later in pairwise(gaps))
    assert list(found.conditional.index) == list(returns.index)
    np.testing.assert_allclose(found.volatility**2, found.variance)


@settings(max_examples=15, deadline=None)
@given(exponent=st.integers(-100, 100))
def test_the_scale_of_the_returns_is_no_matter(exponent: int) -> None:
    returns = simulated(HULL, 250, 7)
    one = garch_forecast(returns)
    other = garch_forecast(returns * 2.0**exponent)
    assert other.volatility[0] == pytest.approx(one.volatility[0] * 2.0**exponent, rel=1e-9)
    assert other.parameters.alpha == pytest.approx(one.parameters.alpha, rel=1e-9)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_neighbour_is_likelier(seed: int) -> None:
    returns = np.random.default_rng(seed).standard_t(5, 400) * 0.01
    found = garch_forecast(returns)
    model = found.parameters
    at = np.array([model.mean, model.omega, model.alpha, model.beta])
    likelihood = Likelihood(returns, start="sample", centre=0.0)
    least = likelihood.negative(at)[0]
    scales = np.array([1e-3, model.omega, 0.1, 0.1])
    rng = np.random.default_rng(0)
    for step in rng.normal(size=(40, 4)) * scales * 0.01:
        near = at + step
        inside = near[1] > 0 and near[2] >= 0 and near[3] >= 0 and near[2] + near[3] < 1
        if inside:
            assert likelihood.negative(near)[0] >= least - 1e-6


def test_against_arch_on_the_index() -> None:
    """arch 8.0 starts from the same backcast; the S&P 500 from 1999 to 2018."""
    arch = pytest.importorskip("arch")
    from arch.data import sp500

    returns = sp500.load()["Adj Close"].pct_change().dropna()
    for mean in ("zero", "constant"):
        found = garch_forecast(returns, horizon=10, mean=mean, start="backcast")
        model = arch.arch_model(returns * 100, mean=mean.title(), rescale=False)
        peer = model.fit(disp="off", tol=1e-14, options={"maxiter": 1000})
        ahead = peer.forecast(horizon=10, reindex=False).variance.to_numpy()[0] / 1e4
        np.testing.assert_allclose(found.variance, ahead, rtol=1e-5)
        ours = found.log_likelihood - len(returns) * np.log(100)
        assert ours == pytest.approx(peer.loglikelihood, abs=1e-6)


@pytest.mark.parametrize(
    ("returns", "keywords", "says"),
    [
        (np.zeros((60, 2)), {}, "one series"),
        (np.ones(60), {}, "never move"),
        (np.arange(10.0), {}, "50 or more"),
        (np.arange(60.0), {"horizon": 0}, "horizon is 0"),
        (np.arange(60.0), {"mean": "median"}, "median"),
        ([], {}, "at least one row"),
    ],
)
def test_what_is_refused(returns: Any, keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        garch_forecast(returns, **keywords)


def test_missing_and_impossible() -> None:
    with pytest.raises(NaNInput, match="row 3"):
        garch_forecast([0.1, 0.2, 0.1, float("nan")] * 20)
    with pytest.raises(BadInput, match="long-run"):
        GarchParameters(omega=1e-6, alpha=0.2, beta=0.8)
    with pytest.raises(BadInput, match="omega is 0"):
        GarchParameters(omega=0.0, alpha=0.1, beta=0.8)
