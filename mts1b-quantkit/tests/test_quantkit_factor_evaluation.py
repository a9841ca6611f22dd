"""What a factor was worth: coefficients, quantiles, turnover, neutral scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mts1b_quantkit import BadInput
from mts1b_quantkit import factors as f
from scipy import stats


class TestEvaluation:
    """Coefficients, quantiles, turnover, neutral scores."""

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(4)
        factor = rng.normal(size=(30, 12))
        forward = 0.01 * factor + rng.normal(0, 0.03, (30, 12))
        factor[3, :10] = np.nan
        factor[5, 4], forward[6, 2] = np.nan, np.nan
        return factor, forward

    @pytest.mark.parametrize("method", ["spearman", "pearson"])
    def test_coefficients_are_scipys(self, method: str) -> None:
        factor, forward = self.pairs()
        found = f.information_coefficient(factor, forward, method=method)  # type: ignore[arg-type]
        assert np.isnan(found[3])
        for row in (0, 5, 6):
            known = ~np.isnan(factor[row]) & ~np.isnan(forward[row])
            function = stats.spearmanr if method == "spearman" else stats.pearsonr
            expected = function(factor[row][known], forward[row][known]).statistic
            assert found[row] == pytest.approx(expected, rel=1e-9)

    def test_the_summary(self) -> None:
        factor, forward = self.pairs()
        ic = f.information_coefficient(factor, forward)
        known = ic[~np.isnan(ic)]
        found = f.information_coefficient_summary(ic, lags=3)
        assert found.mean == pytest.approx(known.mean())
        assert found.information_ratio == pytest.approx(known.mean() / known.std(ddof=1))
        assert found.t_statistic == pytest.approx(stats.ttest_1samp(known, 0.0).statistic)
        rest, n = known - known.mean(), len(known)
        variance = rest @ rest / n + sum(
            2 * (1 - k / 4) * (rest[k:] @ rest[:-k]) / n for k in (1, 2, 3)
        )
        assert found.t_newey_west == pytest.approx(known.mean() / np.sqrt(variance / n))

    @pytest.mark.parametrize("level", [0.1, -1 / 3, 0.7])
    def test_constant_coefficients_have_no_error(self, level: float) -> None:
        found = f.information_coefficient_summary([level] * 60)
        assert (found.mean, found.standard_deviation) == (level, 0.0)
        endless = math.copysign(math.inf, level)
        assert found.information_ratio == found.t_statistic == found.t_newey_west == endless

    def test_coefficients_of_zero_have_no_t_statistic(self) -> None:
        found = f.information_coefficient_summary([0.0] * 60)
        assert math.isnan(found.t_statistic)
        assert math.isnan(found.t_newey_west)

    def test_quantiles_by_hand(self) -> None:
        factor, forward = [[1.0, 2.0, 3.0, 4.0, np.nan]], [[0.1, 0.2, 0.3, 0.5, 9.0]]
        np.testing.assert_allclose(
            f.quantile_returns(factor, forward, n_quantiles=2), [[0.15, 0.4]]
        )
        tied = f.quantile_returns([[1.0, 1.0, 2.0]], [[0.1, 0.3, 0.5]], n_quantiles=3)
        np.testing.assert_allclose(tied, [[np.nan, 0.2, 0.5]][0:1])

    def test_turnover_by_hand(self) -> None:
        weights = pd.DataFrame([[1.0, 0.0], [0.0, 1.0], [0.5, np.nan]])
        assert f.turnover(weights).tolist()[1:] == [1.0, 0.75]

    def test_neutral_scores_know_nothing_of_the_exposure(self) -> None:
        factor, _ = self.pairs()
        size = np.random.default_rng(5).normal(size=12)
        rest = f.neutralize(factor, size)
        for row, line in enumerate(rest):
            known = ~np.isnan(line)
            if known.sum() > 2:
                assert line[known].mean() == pytest.approx(0.0, abs=1e-12)
                assert line[known] @ size[known] == pytest.approx(0.0, abs=1e-12)
            np.testing.assert_array_equal(known, ~np.isnan(factor[row]))
        groups = np.repeat(np.eye(3), 4, axis=0)
        by_group = f.neutralize(factor[:1], groups)[0].reshape(3, 4).mean(axis=1)
        np.testing.assert_allclose(by_group, 0.0, atol=1e-12)

    @pytest.mark.parametrize("level", [0.1, 0.3, 0.7, 5.0])
    @pytest.mark.parametrize("method", ["spearman", "pearson"])
    def test_a_side_that_does_not_vary_has_no_coefficient(self, level: float, method: Any) -> None:
        moves, still = [[1.0, 2.0, 3.0, 5.0, 1.0, 2.0, 9.0]], [[level] * 7]
        assert np.isnan(f.information_coefficient(still, moves, method=method)).all()
        assert np.isnan(f.information_coefficient(moves, still, method=method)).all()

    def test_market_values_in_dollars_leave_no_mean(self) -> None:
        rng = np.random.default_rng(0)
        values, size = rng.normal(1.0, 1.0, 3000), np.exp(rng.normal(26.0, 1.5, 3000))
        rest = f.neutralize(values, size)
        assert rest.mean() == pytest.approx(0.0, abs=1e-12)
        assert rest @ size / size.max() == pytest.approx(0.0, abs=1e-9)

    def test_an_exposure_that_moves_may_have_as_many_rows_as_assets(self) -> None:
        rng = np.random.default_rng(0)
        values, exposure = rng.normal(size=(4, 4)), rng.normal(size=(4, 4))
        np.testing.assert_array_equal(
            f.neutralize(values, exposure)[:3], f.neutralize(values[:3], exposure[:3])
        )

    def test_bad_input(self) -> None:
        factor, forward = self.pairs()
        for call in (
            lambda: f.information_coefficient(factor, forward[:5]),
            lambda: f.information_coefficient(factor, forward, method="kendall"),  # type: ignore[arg-type]
            lambda: f.information_coefficient_summary([0.1]),
            lambda: f.information_coefficient_summary([0.1, 0.2], lags=-1),
            lambda: f.quantile_returns(factor, forward, n_quantiles=1),
            lambda: f.turnover([0.1, 0.2]),
            lambda: f.neutralize(factor, np.ones(3)),
        ):
            with pytest.raises(BadInput):
                call()
