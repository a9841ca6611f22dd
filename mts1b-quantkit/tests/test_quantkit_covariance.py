"""Covariances against scikit-learn, pandas, and the papers' sums written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_quantkit import BadInput
from mts1b_quantkit.covariance import (
    ewma_covariance,
    ledoit_wolf,
    oas,
    sample_covariance,
)
from sklearn.covariance import OAS, LedoitWolf

TARGETS = ("identity", "constant_correlation", "single_factor")


def sample(seed: int = 0, rows: int = 60, columns: int = 7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factor = rng.standard_t(5, size=(rows, 1))
    return 0.01 * (rng.normal(size=(rows, columns)) * np.linspace(0.5, 2, columns) + factor)


def test_sample_covariance_is_numpys() -> None:
    returns = sample()
    np.testing.assert_allclose(sample_covariance(returns), np.cov(returns.T), rtol=1e-13)
    np.testing.assert_allclose(
        sample_covariance(returns, ddof=0), np.cov(returns.T, ddof=0), rtol=1e-13
    )
    with pytest.raises(BadInput, match="ddof"):
        sample_covariance(returns[:1])
    with pytest.raises(BadInput, match="one series"):
        sample_covariance(returns[:, 0])


@pytest.mark.parametrize("halflife", [3.0, 21.0, 200.0])
def test_ewma_covariance_is_pandas_last_block(halflife: float) -> None:
    returns = sample()
    peer = pd.DataFrame(returns).ewm(halflife=halflife).cov().iloc[-7:].to_numpy()
    np.testing.assert_allclose(ewma_covariance(returns, halflife=halflife), peer, rtol=1e-11)


def test_an_endless_halflife_is_the_sample_covariance() -> None:
    returns = sample()
    np.testing.assert_allclose(
        ewma_covariance(returns, halflife=1e12), sample_covariance(returns), rtol=1e-9
    )
    with pytest.raises(BadInput):
        ewma_covariance(returns, halflife=0.0)


@pytest.mark.parametrize("rows", [5, 60, 500])
def test_biased_identity_target_is_scikit_learns(rows: int) -> None:
    returns = sample(rows=rows)
    ours, peer = ledoit_wolf(returns, ddof=0), LedoitWolf().fit(returns)
    assert ours.shrinkage == pytest.approx(peer.shrinkage_, rel=1e-10)
    np.testing.assert_allclose(np.asarray(ours), peer.covariance_, rtol=1e-10, atol=1e-18)


def test_oas_is_scikit_learns_and_the_paper_differs_by_its_small_terms() -> None:
    returns = sample()
    peer = OAS().fit(returns)
    assert oas(returns).shrinkage == pytest.approx(peer.shrinkage_, rel=1e-10)
    np.testing.assert_allclose(oas(returns).covariance, peer.covariance_, rtol=1e-10)
    covariance = np.cov(returns.T, ddof=0)
    p, n = 7, 60
    square, trace = np.trace(covariance @ covariance), np.trace(covariance)
    printed = ((1 - 2 / p) * square + trace**2) / ((n + 1 - 2 / p) * (square - trace**2 / p))
    assert oas(returns, formula="paper").shrinkage == pytest.approx(printed, rel=1e-12)


def asymptotic_covariances(x: np.ndarray, s: np.ndarray, n: int) -> np.ndarray:
    """AsyCov[sqrt(n) s_ij, sqrt(n) s_kl], estimated as a mean over rows: (N, N, N, N)."""
    products = x[:, :, None] * x[:, None, :] - s
    return np.einsum("tij,tkl->ijkl", products, products) / n


def intensity_by_definition(returns: np.ndarray, target: str) -> float:
    """(pi - rho) / gamma / T with rho from the gradient of the target (delta method)."""
    t, size = returns.shape
    x = returns - returns.mean(axis=0)
    s = x.T @ x / t
    cov = asymptotic_covariances(x, s, t)
    pi = sum(cov[i, j, i, j] for i in range(size) for j in range(size))
    sd = np.sqrt(np.diag(s))
    corr = s / np.outer(sd, sd)
    mean = (corr.sum() - size) / size / (size - 1)
    rho = 0.0
    if target == "identity":
        prior = np.eye(size) * np.trace(s) / size
    elif target == "constant_correlation":
        prior = mean * np.outer(sd, sd)
        np.fill_diagonal(prior, np.diag(s))
        for i in range(size):
            rho += cov[i, i, i, i]
            for j in range(size):
                if i != j:
                    own, other = cov[i, i, i, j], cov[j, j, i, j]
                    rho += mean / 2 * (sd[j] / sd[i] * own + sd[i] / sd[j] * other)
    else:
        beta, variance = s.mean(axis=1), s.mean()
        prior = np.outer(beta, beta) / variance
        np.fill_diagonal(prior, np.diag(s))
        with_factor = cov.mean(axis=1)  # [i, k, l]: covariance of s_i0 with s_kl
        factor = cov.mean(axis=(0, 1))  # [k, l]: covariance of s_00 with s_kl
        for i in range(size):
            rho += cov[i, i, i, i]
            for j in range(size):
                if i != j:
                    rho += beta[j] / variance * with_factor[i, i, j]
                    rho += beta[i] / variance * with_factor[j, i, j]
                    rho -= beta[i] * beta[j] / variance**2 * factor[i, j]
    return (pi - rho) / ((s - prior) ** 2).sum() / t


@pytest.mark.parametrize("target", TARGETS)
def test_intensity_follows_from_the_definition(target: str) -> None:
    returns = sample(rows=120, columns=5)
    result = ledoit_wolf(returns, target=target, ddof=0)
    assert 0.0 < result.shrinkage < 1.0
    assert result.shrinkage == pytest.approx(intensity_by_definition(returns, target), rel=1e-9)


@pytest.mark.parametrize("target", TARGETS)
def test_the_authors_divisor_replaces_t_by_t_minus_one_throughout(target: str) -> None:
    returns = sample(rows=40)
    one, zero = ledoit_wolf(returns, target=target), ledoit_wolf(returns, target=target, ddof=0)
    assert one.shrinkage != zero.shrinkage
    assert one.shrinkage == pytest.approx(zero.shrinkage, rel=0.1)
    diagonal = np.diag(np.asarray(one))
    if target != "identity":
        np.testing.assert_allclose(diagonal, returns.var(axis=0, ddof=1), rtol=1e-12)
    else:
        assert diagonal.sum() == pytest.approx(returns.var(axis=0, ddof=1).sum(), rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    target=st.sampled_from(TARGETS),
    scale=st.floats(1e-3, 1e3),
    rows=st.integers(4, 40),
)
def test_shrinkage_is_equivariant_and_lies_in_its_range(
    seed: int, target: str, scale: float, rows: int
) -> None:
    returns = sample(seed, rows)
    order = np.random.default_rng(seed).permutation(7)
    base = ledoit_wolf(returns, target=target)
    assert 0.0 <= base.shrinkage <= 1.0
    assert np.linalg.eigvalsh(base.covariance)[0] > -1e-16
    scaled = ledoit_wolf(returns * scale, target=target)
    np.testing.assert_allclose(scaled.covariance, base.covariance * scale**2, rtol=1e-7)
    permuted = ledoit_wolf(returns[:, order], target=target)
    np.testing.assert_allclose(
        permuted.covariance, base.covariance[np.ix_(order, order)], rtol=1e-7, atol=1e-15
    )


def test_bad_shrinkage_calls_are_refused() -> None:
    returns = sample()
    with pytest.raises(BadInput, match="identity"):
        ledoit_wolf(returns, target="diagonal")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="formula"):
        oas(returns, formula="other")  # type: ignore[arg-type]
    returns[:, 2] = 0.0
    with pytest.raises(BadInput, match="asset 2 has no variance"):
        ledoit_wolf(returns, target="constant_correlation")
