"""Numbers as papers and handbooks print them, to the digits they print."""

from __future__ import annotations

import numpy as np
import pytest
from mts1b_quantkit import allocators as a
from mts1b_quantkit import metrics as m
from mts1b_quantkit import risk

MONTHS = np.array(
    [
        *(0.3, 2.6, 1.1, -1.0, 1.5, 2.5, 1.6, 6.7, -1.4, 4.0, -0.5, 8.1),
        *(4.0, -3.7, -6.1, 1.7, -4.9, -2.2, 7.0, 5.8, -6.5, 2.4, -0.5, -0.9),
    ]
)


class TestRockafellarUryasev:
    """Rockafellar and Uryasev 2000, section 4: S&P 500, long government bonds, small caps."""

    MEAN = (0.0101110, 0.0043532, 0.0137058)
    COVARIANCE = np.array(
        [
            [0.00324625, 0.00022983, 0.00420395],
            [0.00022983, 0.00049937, 0.00019247],
            [0.00420395, 0.00019247, 0.00764097],
        ]
    )

    def test_the_least_variance_at_a_return(self) -> None:
        """Tables 2 to 4: weights at a mean return of 0.011, and their variance 0.00378529."""
        found = a.efficient_return(
            None, covariance=self.COVARIANCE, expected_returns=self.MEAN, target_return=0.011
        )
        np.testing.assert_allclose(found.weights, [0.452013, 0.115573, 0.432414], atol=2e-6)
        assert found.diagnostics["objective"] == pytest.approx(0.00378529, abs=5e-9)

    @pytest.mark.parametrize(
        ("confidence", "value_at_risk", "shortfall"),
        [(0.90, 0.067847, 0.096975), (0.95, 0.090200, 0.115908), (0.99, 0.132128, 0.152977)],
    )
    def test_its_tail(self, confidence: float, value_at_risk: float, shortfall: float) -> None:
        """Table 4: VaR and CVaR of that portfolio under the normal distribution."""
        spread = np.sqrt(0.00378529)
        terms = {"confidence": confidence}
        found = risk.value_at_risk_from_moments(0.011, spread, **terms)
        assert found == pytest.approx(value_at_risk, abs=1e-6)
        found = risk.expected_shortfall_from_moments(0.011, spread, **terms)
        assert found == pytest.approx(shortfall, abs=1e-6)


class TestMaillardRoncalliTeiletche:
    """Maillard, Roncalli and Teiletche 2010, section "an example with four assets"."""

    def covariance(self) -> np.ndarray:
        volatility = np.array([0.1, 0.2, 0.3, 0.4])
        correlation = np.array([[1, 0.8, 0, 0], [0.8, 1, 0, 0], [0, 0, 1, -0.5], [0, 0, -0.5, 1]])
        return correlation * np.outer(volatility, volatility)

    def test_equal_risk(self) -> None:
        found = a.risk_parity(None, covariance=self.covariance())
        np.testing.assert_allclose(found.weights * 100, [38.4, 19.2, 24.3, 18.2], atol=0.06)

    def test_least_variance(self) -> None:
        found = a.min_variance(None, covariance=self.covariance())
        np.testing.assert_allclose(found.weights * 100, [74.5, 0.0, 15.2, 10.3], atol=0.051)


class TestIdzorek:
    """Idzorek 2005: eight asset classes, three views (tables 1 to 6).

    The risk aversion is printed as about 3.07. What the printed returns and weights have is 3.065:
    the market's implied return over its variance.
    """

    AVERSION = 3.065

    COVARIANCE = np.array(
        [
            [1.005, 1.328, -0.579, -0.675, 0.121, 0.128, -0.445, -0.437],
            [1.328, 7.277, -1.307, -0.610, -2.237, -0.989, 1.442, -1.535],
            [-0.579, -1.307, 59.852, 27.588, 63.497, 23.036, 32.967, 48.039],
            [-0.675, -0.610, 27.588, 29.609, 26.572, 21.465, 20.697, 29.854],
            [0.121, -2.237, 63.497, 26.572, 102.488, 42.744, 39.943, 65.994],
            [0.128, -0.989, 23.036, 21.465, 42.744, 32.056, 19.881, 32.235],
            [-0.445, 1.442, 32.967, 20.697, 39.943, 19.881, 28.355, 35.064],
            [-0.437, -1.535, 48.039, 29.854, 65.994, 32.235, 35.064, 79.958],
        ]
    )
    MARKET = np.array([19.34, 26.13, 12.09, 12.09, 1.34, 1.34, 24.18, 3.49]) / 100
    VIEWS = (
        {"symbols": [6], "weights": [1], "expected": 0.0525},
        {"symbols": [1, 0], "weights": [1, -1], "expected": 0.0025},
        {"symbols": [2, 4, 3, 5], "weights": [0.9, 0.1, -0.9, -0.1], "expected": 0.02},
    )

    def test_three_views(self) -> None:
        covariance = self.COVARIANCE / 1000
        found = a.black_litterman(
            None,
            covariance=covariance,
            market_weights=self.MARKET,
            views=self.VIEWS,
            risk_aversion=self.AVERSION,
            tau=0.025,
        ).diagnostics
        implied = [0.08, 0.67, 6.41, 4.08, 7.43, 3.70, 4.80, 6.60]
        np.testing.assert_allclose(found["prior_mean"] * 100, implied, atol=0.0051)
        market = self.MARKET @ np.array(implied) / 100 / (self.MARKET @ covariance @ self.MARKET)
        assert market == pytest.approx(self.AVERSION, abs=5e-4)
        doubt = np.diag(found["omega"])
        np.testing.assert_allclose(doubt, [0.000709, 0.000141, 0.000866], atol=6e-7)
        combined = [0.07, 0.50, 6.50, 4.32, 7.59, 3.94, 4.93, 6.84]
        np.testing.assert_allclose(found["posterior_mean"] * 100, combined, atol=0.0051)
        weights = np.linalg.solve(self.AVERSION * covariance, found["posterior_mean"])
        printed = [29.88, 15.59, 9.35, 14.82, 1.04, 1.65, 27.81, 3.49]
        np.testing.assert_allclose(weights * 100, printed, atol=0.01)


class TestBaileyLopezDePrado:
    """The critical line (2013) and the probabilistic Sharpe ratio (2012)."""

    MEAN = (1.175, 1.19, 0.396, 1.12, 0.346, 0.679, 0.089, 0.73, 0.481, 1.08)
    LOWER = (
        (0.40755159,),
        (0.03175842, 0.9063047),
        (0.05183923, 0.03136385, 0.19490901),
        (0.05663904, 0.02687256, 0.04408485, 0.19528471),
        (0.0330226, 0.01917172, 0.03006772, 0.02777345, 0.34059105),
        (0.00827775, 0.00934384, 0.01322738, 0.00526665, 0.00777055, 0.15983874),
        (0.02165938, 0.02495043, 0.03525971, 0.01375808, 0.02067844, 0.02105575, 0.68056711),
        (
            *(0.01332419, 0.00761036, 0.0115493, 0.00780878, 0.00736409, 0.00518686),
            *(0.01377882, 0.95526918),
        ),
        (
            *(0.0343476, 0.02874874, 0.0427563, 0.02914176, 0.02542657, 0.01723737),
            *(0.04627027, 0.0106553, 0.31681584),
        ),
        (
            *(0.02249903, 0.01336866, 0.02057303, 0.01640377, 0.01284075, 0.00723779),
            *(0.01926088, 0.00760955, 0.01854318, 0.11079287),
        ),
    )

    def covariance(self) -> np.ndarray:
        matrix = np.zeros((10, 10))
        for i, row in enumerate(self.LOWER):
            matrix[i, : i + 1] = matrix[: i + 1, i] = row
        return matrix

    def test_the_turning_points(self) -> None:
        """Table 2: return, risk and lambda of ten turning points, and the weights of the last."""
        found = a.efficient_frontier(None, covariance=self.covariance(), expected_returns=self.MEAN)
        returns = [1.190, 1.180, 1.160, 1.111, 1.108, 1.022, 1.015, 0.973, 0.950, 0.803]
        spreads = [0.952, 0.546, 0.417, 0.267, 0.265, 0.230, 0.228, 0.220, 0.216, 0.205]
        lambdas = [58.303, 4.174, 1.946, 0.165, 0.147, 0.056, 0.052, 0.037, 0.031, 0.0]
        last = [0.037, 0.027, 0.095, 0.126, 0.077, 0.219, 0.030, 0.036, 0.061, 0.292]
        np.testing.assert_allclose(found.expected_returns, returns, atol=6e-4)
        np.testing.assert_allclose(np.sqrt(found.variances), spreads, atol=6e-4)
        np.testing.assert_allclose(found.lambdas, lambdas, atol=6e-4)
        np.testing.assert_allclose(found.weights[-1], last, atol=6e-4)

    def test_the_highest_ratio(self) -> None:
        """Section "a numerical example": 4.4535."""
        found = a.max_sharpe(None, covariance=self.covariance(), expected_returns=self.MEAN)
        assert found.diagnostics["objective"] == pytest.approx(4.4535, abs=5e-5)

    def test_two_years_of_a_hedge_fund(self) -> None:
        """24 months at 0.458 a month: 0.982 if normal, 0.913 with skewness -2.448 and kurtosis
        10.164, 0.953 (cut from 0.9535) after 36 months."""
        normal = m.probabilistic_sharpe_from_moments(0.458, 24)
        assert normal == pytest.approx(0.982, abs=5e-4)
        shaped = m.probabilistic_sharpe_from_moments(
            0.458, 24, skewness=-2.448, excess_kurtosis=7.164
        )
        assert shaped == pytest.approx(0.913, abs=6e-4)
        longer = m.probabilistic_sharpe_from_moments(
            0.458, 36, skewness=-2.448, excess_kurtosis=7.164
        )
        assert longer == pytest.approx(0.953, abs=6e-4)


def test_bacon_two_years() -> None:
    """Bacon 2008: pain index 0.04, Martin ratio 1.70, skewness over kurtosis -0.034."""
    returns = MONTHS / 100
    assert m.pain_index(returns) == pytest.approx(0.04, abs=5e-3)
    growth = m.cagr(returns, periods_per_year=12)
    assert growth / m.ulcer_index(returns) == pytest.approx(1.70, abs=6e-3)
    assert m.skewness(returns) / (m.kurtosis(returns) + 3) == pytest.approx(-0.034, abs=5e-4)
