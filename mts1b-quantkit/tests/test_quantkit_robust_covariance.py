"""Denoised, Gerber and semi covariance, the nearest matrix; clustered allocators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput
from mts1b_quantkit import allocators as a
from mts1b_quantkit import covariance as c


def sample(seed: int = 0, rows: int = 200, columns: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.01, (rows, 3)) @ rng.normal(0, 1, (3, columns))
    return factors + rng.normal(0, 0.01, (rows, columns))


class TestDenoised:
    """The edge of Marchenko and Pastur."""

    def test_noise_becomes_flat_and_signal_stays(self) -> None:
        returns = sample()
        clean = c.denoised_covariance(returns)
        np.testing.assert_allclose(np.diag(clean), np.diag(np.cov(returns.T)), rtol=1e-12)
        deviation = np.sqrt(np.diag(clean))
        before = np.linalg.eigvalsh(np.corrcoef(returns.T))
        after = np.linalg.eigvalsh(clean / np.outer(deviation, deviation))
        edge = (1 + np.sqrt(12 / 200)) ** 2
        assert (before > edge).sum() == 3
        assert after[-3:] == pytest.approx(before[-3:], rel=0.05)
        assert np.linalg.cond(clean) < np.linalg.cond(np.cov(returns.T))

    def test_pure_noise_is_diagonal(self) -> None:
        returns = np.random.default_rng(1).normal(0, 0.01, (4000, 5))
        clean = c.denoised_covariance(returns, ratio=100.0)
        np.testing.assert_allclose(clean, np.diag(np.diag(clean)), atol=1e-18)

    def test_bad_input(self) -> None:
        with pytest.raises(BadInput, match="ratio"):
            c.denoised_covariance(sample(), ratio=0.0)
        with pytest.raises(BadInput, match="no variance"):
            c.denoised_covariance(np.column_stack((sample()[:, 0], np.ones(200))))


class TestGerber:
    """Counting joint moves."""

    def test_by_hand(self) -> None:
        """Two assets, deviation one: four joint rows, three with both beyond half of it."""
        x = np.array([1.0, -1.0, 1.0, -1.0, 0.1])
        y = np.array([1.0, -1.0, -1.0, 0.1, 0.1])
        returns = np.column_stack((x, y))
        deviation = returns.std(axis=0, ddof=1)
        agree, differ, both_still = 2, 1, 1
        expected = (agree - differ) / (5 - both_still)
        matrix = c.gerber_covariance(returns, threshold=0.5)
        assert matrix[0, 1] == pytest.approx(expected * deviation.prod())
        np.testing.assert_allclose(np.diag(matrix), deviation**2)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 1000), threshold=st.sampled_from([0.0, 0.3, 0.7, 1.5]))
    def test_it_is_positive_semidefinite(self, seed: int, threshold: float) -> None:
        matrix = c.gerber_covariance(sample(seed, 30, 8), threshold=threshold)
        assert np.linalg.eigvalsh(matrix)[0] >= -1e-12 * np.trace(matrix)
        scaled = c.gerber_covariance(sample(seed, 30, 8) * 5.0, threshold=threshold)
        np.testing.assert_allclose(scaled, matrix * 25.0, rtol=1e-9)

    def test_a_negative_threshold_is_refused(self) -> None:
        with pytest.raises(BadInput, match="threshold"):
            c.gerber_covariance(sample(), threshold=-0.1)


def test_semi_covariance_by_hand() -> None:
    returns = pd.DataFrame({"a": [0.1, -0.2, -0.1], "b": [-0.1, -0.2, 0.3]})
    matrix = c.semi_covariance(returns)
    assert matrix.loc["a", "a"] == pytest.approx(0.05 / 3)
    assert matrix.loc["a", "b"] == pytest.approx(0.04 / 3)
    shifted = c.semi_covariance(returns, benchmark=0.1)
    assert shifted.loc["b", "b"] == pytest.approx((0.04 + 0.09) / 3)
    with pytest.raises(BadInput, match="benchmark"):
        c.semi_covariance(returns, benchmark=float("nan"))


class TestNearest:
    """Higham's example and what it promises."""

    def test_the_example_of_higham(self) -> None:
        """Higham 2002, section 3: a 3 x 3 matrix of ones with two zeros; 0.7607 and 0.1573."""
        broken = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])
        found = c.nearest_psd(broken)
        assert found[0, 1] == pytest.approx(0.7607, abs=5e-5)
        assert found[0, 2] == pytest.approx(0.1573, abs=5e-5)

    @settings(max_examples=30, deadline=None)
    @given(seed=st.integers(0, 1000))
    def test_it_is_semidefinite_keeps_the_diagonal_and_what_is_right(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        broken = np.corrcoef(sample(seed, 30, 6).T)
        noise = rng.normal(0, 0.3, (6, 6))
        broken = np.clip(broken + noise + noise.T, -1, 1)
        np.fill_diagonal(broken, rng.uniform(1, 3, 6))
        found = c.nearest_psd(broken)
        assert np.linalg.eigvalsh(found)[0] >= -1e-10
        np.testing.assert_allclose(np.diag(found), np.diag(broken), rtol=1e-9)
        np.testing.assert_allclose(c.nearest_psd(found), found, atol=1e-7)
        clipped = c.nearest_psd(broken, method="clip")
        assert np.linalg.norm(clipped - broken) <= np.linalg.norm(found - broken) + 1e-9

    def test_bad_input(self) -> None:
        with pytest.raises(BadInput, match="method"):
            c.nearest_psd(np.eye(2), method="cut")  # type: ignore[arg-type]
        with pytest.raises(BadInput, match=r"\(N, N\)"):
            c.nearest_psd(np.ones((2, 3)))
        with pytest.raises(BadInput, match="minimum"):
            c.nearest_psd(np.eye(2), minimum=1.0)


class TestClusters:
    """HERC and NCO."""

    def blocks(self) -> np.ndarray:
        rng = np.random.default_rng(3)
        common = rng.normal(0, 0.01, (500, 3))
        return np.repeat(common, [4, 3, 2], axis=1) + rng.normal(0, 0.004, (500, 9))

    def test_planted_clusters_are_found(self) -> None:
        for method in (a.herc_weights, a.nco_weights):
            found = method(self.blocks()).diagnostics["clusters"]
            assert found == (0, 0, 0, 0, 1, 1, 1, 2, 2)

    def test_two_clusters_by_hand(self) -> None:
        returns = self.blocks()[:, [0, 1, 4, 5]]
        covariance = np.cov(returns.T)
        variance = np.diag(covariance)

        def group(items: list[int]) -> tuple[np.ndarray, float]:
            inside = 1 / variance[items] / (1 / variance[items]).sum()
            return inside, float(inside @ covariance[np.ix_(items, items)] @ inside)

        (left, first), (right, second) = group([0, 1]), group([2, 3])
        share = second / (first + second)
        expected = np.concatenate((left * share, right * (1 - share)))
        result = a.herc_weights(returns, n_clusters=2)
        np.testing.assert_allclose(result.weights, expected, rtol=1e-12)

    def test_nco_is_min_variance_where_there_is_one_cluster(self) -> None:
        returns = self.blocks()
        one = a.nco_weights(returns, n_clusters=1)
        np.testing.assert_allclose(one.weights, a.min_variance(returns).weights, atol=1e-12)
        each = a.nco_weights(returns, n_clusters=9)
        np.testing.assert_allclose(each.weights, a.min_variance(returns).weights, atol=1e-12)

    @pytest.mark.parametrize("method", [a.herc_weights, a.nco_weights])
    def test_order_kind_and_sum(self, method: object) -> None:
        returns = self.blocks()
        weights = method(returns).weights  # type: ignore[operator]
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        turned = np.random.default_rng(0).permutation(9)
        np.testing.assert_allclose(
            method(returns[:, turned]).weights,
            weights[turned],
            atol=1e-10,  # type: ignore[operator]
        )
        assert method(returns[:, :1]).weights.tolist() == [1.0]  # type: ignore[operator]
        for bad in ({"linkage": "wood"}, {"n_clusters": 0}, {"n_clusters": 10}):
            with pytest.raises(BadInput):
                method(returns, **bad)  # type: ignore[operator]

    def test_standard_deviation_as_risk(self) -> None:
        weights = a.herc_weights(self.blocks(), risk="standard_deviation").weights
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        with pytest.raises(BadInput, match="risk"):
            a.herc_weights(self.blocks(), risk="range")  # type: ignore[arg-type]
