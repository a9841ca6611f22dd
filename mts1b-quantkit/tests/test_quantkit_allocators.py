"""Allocators against the paper's printed example, their definitions, and their invariants."""

from __future__ import annotations

import math
import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mts1b_foundation.protocols import Allocator
from mts1b_quantkit import BadInput, NotPositiveDefinite
from mts1b_quantkit.allocators import (
    equal_weights,
    hrp_weights,
    inverse_variance,
    inverse_volatility,
    risk_parity,
)
from mts1b_quantkit.allocators.hierarchical import (
    _condensed_distance,
    _row_distances,
    correlation_distance,
)
from mts1b_quantkit.allocators.inputs import read_problem
from mts1b_quantkit.allocators.risk_parity import _newton
from mts1b_quantkit.covariance import ledoit_wolf, sample_covariance
from scipy.spatial.distance import pdist, squareform

ALL = (equal_weights, inverse_volatility, inverse_variance, hrp_weights, risk_parity)


def sample(seed: int = 0, rows: int = 120, columns: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(columns, columns)) * 0.5 + np.eye(columns)
    return 0.01 * rng.normal(size=(rows, columns)) @ mixing


def paper_returns() -> np.ndarray:
    """The numerical example of Lopez de Prado 2016: five series, five noisy copies."""
    normal, uniform = np.random.RandomState(12345), random.Random(12345)
    base = normal.normal(0, 1, size=(10_000, 5))
    copied = [int(uniform.random() * 5) for _ in range(5)]
    return np.hstack([base, base[:, copied] + normal.normal(0, 0.25, size=(10_000, 5))])


def test_hrp_reproduces_the_paper() -> None:
    result = hrp_weights(paper_returns())
    assert [i + 1 for i in result.diagnostics["leaf_order"]] == [9, 2, 10, 1, 7, 3, 6, 4, 5, 8]
    printed = [7.00, 7.59, 10.84, 19.03, 9.72, 10.19, 6.62, 9.10, 7.12, 12.79]
    np.testing.assert_allclose(result.weights * 100, printed, atol=0.005)


def test_inverse_variance_reproduces_the_paper() -> None:
    printed = [10.36, 10.28, 10.36, 10.25, 10.31, 9.74, 9.80, 9.65, 9.64, 9.61]
    np.testing.assert_allclose(
        inverse_variance(paper_returns()).weights * 100, printed, atol=0.0051
    )


def hrp_by_definition(covariance: np.ndarray, order: list[int]) -> np.ndarray:
    def variance(items: list[int]) -> float:
        weights = 1.0 / covariance[items, items]
        weights /= weights.sum()
        return float(weights @ covariance[np.ix_(items, items)] @ weights)

    def split(items: list[int]) -> dict[int, float]:
        if len(items) == 1:
            return {items[0]: 1.0}
        left, right = items[: len(items) // 2], items[len(items) // 2 :]
        a, b = variance(left), variance(right)
        parts = {i: w * b / (a + b) for i, w in split(left).items()}
        return parts | {i: w * a / (a + b) for i, w in split(right).items()}

    parts = split(order)
    return np.array([parts[i] for i in range(len(parts))])


@pytest.mark.parametrize("distance", ["euclidean", "condensed"])
@pytest.mark.parametrize("linkage", ["single", "average", "ward"])
@pytest.mark.parametrize("leaf_order", [False, True])
@pytest.mark.parametrize("columns", [2, 7, 12])
def test_hrp_bisects_its_leaf_order(
    distance: str, linkage: str, leaf_order: bool, columns: int
) -> None:
    returns = sample(columns=columns)
    result = hrp_weights(returns, distance=distance, linkage=linkage, leaf_order=leaf_order)
    order = list(result.diagnostics["leaf_order"])
    assert sorted(order) == list(range(columns))
    expected = hrp_by_definition(np.cov(returns.T), order)
    np.testing.assert_allclose(result.weights, expected, rtol=1e-12)


@pytest.mark.parametrize("columns", [1, 3, 64, 127, 128, 129, 257, 300, 513])
def test_hrp_of_many_assets_is_the_definition(columns: int) -> None:
    rng = np.random.default_rng(columns)
    common = rng.normal(0.0, 0.01, (60, 1)) * rng.choice([-1.0, 1.0], columns)
    returns = (common + rng.normal(0.0, 0.01, (60, columns))) * rng.uniform(0.01, 10.0, columns)
    result = hrp_weights(returns, distance="condensed")
    order = list(result.diagnostics["leaf_order"])
    expected = hrp_by_definition(np.cov(returns.T).reshape(columns, columns), order)
    np.testing.assert_allclose(result.weights, expected, rtol=1e-11)


def test_the_two_distances_are_different_methods() -> None:
    returns = paper_returns()
    condensed = hrp_weights(returns, distance="condensed")
    assert abs(condensed.weights - hrp_weights(returns).weights).max() > 0.01
    assert condensed.weights[0] == pytest.approx(0.1309, abs=5e-5)


def test_distances_by_one_product_are_pdists() -> None:
    rows = np.abs(sample(rows=60, columns=60))
    np.testing.assert_allclose(
        _row_distances(rows @ rows.T), squareform(pdist(rows @ rows.T)), atol=1e-12
    )


def test_inverse_weights_by_hand() -> None:
    covariance = np.diag([1.0, 4.0])
    assert inverse_variance(None, covariance=covariance).weights.tolist() == [0.8, 0.2]
    np.testing.assert_allclose(
        inverse_volatility(None, covariance=covariance).weights, [2 / 3, 1 / 3]
    )
    assert equal_weights(None, covariance=covariance).weights.tolist() == [0.5, 0.5]


def test_risk_parity_of_uncorrelated_assets_is_inverse_volatility() -> None:
    covariance = np.diag([1.0, 4.0, 25.0])
    np.testing.assert_allclose(
        risk_parity(None, covariance=covariance).weights,
        inverse_volatility(None, covariance=covariance).weights,
        rtol=1e-9,
    )


def test_two_assets_have_equal_risk_at_inverse_volatility_whatever_the_correlation() -> None:
    for correlation in (-0.9, 0.0, 0.7, 1.0):
        covariance = np.array([[4.0, 6.0 * correlation], [6.0 * correlation, 9.0]])
        np.testing.assert_allclose(
            risk_parity(None, covariance=covariance).weights, [0.6, 0.4], rtol=1e-9
        )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 100_000), columns=st.integers(2, 12), given_budgets=st.booleans())
@example(seed=1942, columns=3, given_budgets=False)
def test_risk_contributions_are_the_budgets(seed: int, columns: int, given_budgets: bool) -> None:
    returns = sample(seed, columns=columns)
    rng = np.random.default_rng(seed)
    budgets = rng.dirichlet(np.full(columns, 2.0)) * 0.9 + 0.1 / columns if given_budgets else None
    result = risk_parity(returns, budgets=budgets)
    weights, covariance = result.weights, np.cov(returns.T)
    shares = weights * (covariance @ weights) / (weights @ covariance @ weights)
    wanted = np.full(columns, 1.0 / columns) if budgets is None else budgets
    assert (weights > 0).all()
    most = max(1e-10, np.finfo(float).eps * np.linalg.cond(covariance))
    assert np.abs(shares - wanted).max() < most
    assert result.diagnostics["kkt_residual"] < most
    assert result.diagnostics["condition_number"] == pytest.approx(
        np.linalg.cond(covariance), rel=1e-6
    )


def test_newton_finishes_what_coordinate_descent_can_not() -> None:
    rng = np.random.default_rng(3)
    loadings = rng.normal(size=(80, 20))
    covariance = loadings @ loadings.T + 0.01 * np.eye(80)
    result = risk_parity(None, covariance=covariance)
    assert result.diagnostics["newton_steps"] > 0
    assert result.diagnostics["kkt_residual"] < 1e-10


def _many(kind: str, size: int) -> np.ndarray:
    rng = np.random.default_rng(11)
    if kind == "market":  # one factor that all follow, hardly anything beside it
        loadings = rng.uniform(0.5, 1.5, (size, 1))
        return loadings @ loadings.T + np.diag(rng.uniform(1e-4, 1e-3, size))
    loadings = rng.normal(size=(size, 15))
    own = 1e-4 if kind == "hedges" else 1.0
    return loadings @ loadings.T + own * np.diag(rng.uniform(0.5, 2.0, size))


@pytest.mark.parametrize("kind", ["market", "signed", "hedges"])
def test_many_assets_are_solved_as_few_are(kind: str) -> None:
    size = 420
    covariance = _many(kind, size) * 1e-4
    budgets = np.random.default_rng(5).dirichlet(np.full(size, 5.0)) * 0.9 + 0.1 / size
    result = risk_parity(None, covariance=covariance, budgets=budgets)
    assert result.diagnostics["kkt_residual"] < 1e-10
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    x, _ = _newton(correlation, budgets, np.sqrt(budgets))  # every step by a factor
    np.testing.assert_allclose(result.weights, x / deviation / (x / deviation).sum(), rtol=1e-7)


def test_many_assets_without_risk_are_refused() -> None:
    rng = np.random.default_rng(2)
    half = rng.normal(size=(60, 210))
    with pytest.raises(NotPositiveDefinite, match="shrink"):
        risk_parity(np.hstack([half, -half]))


def test_risk_parity_without_risk_is_refused() -> None:
    with pytest.raises(NotPositiveDefinite, match="shrink"):
        risk_parity(None, covariance=np.array([[1.0, -1.0], [-1.0, 1.0]]))
    with pytest.raises(NotPositiveDefinite, match="eigenvalue"):
        risk_parity(None, covariance=np.array([[1.0, 2.0], [2.0, 1.0]]))


def test_budgets_are_checked_and_labelled() -> None:
    frame = pd.DataFrame(sample(columns=2), columns=["A", "B"])
    by_label = risk_parity(frame, budgets=pd.Series({"A": 0.3, "B": 0.7}))
    assert by_label.diagnostics["risk_contributions"]["A"] == pytest.approx(0.3, abs=1e-10)
    for budgets in ([0.5, 0.6], [0.0, 1.0], [1.0], {"B": 0.7, "A": 0.3}):
        with pytest.raises(BadInput):
            risk_parity(frame, budgets=budgets)


@settings(max_examples=30, deadline=None)
@example(seed=390, columns=6, method=risk_parity, scale=1.0)
@given(
    seed=st.integers(0, 100_000),
    columns=st.integers(1, 11),
    method=st.sampled_from(ALL),
    scale=st.floats(1e-3, 1e3),
)
def test_weights_are_exact_positive_equivariant_and_free_of_scale(
    seed: int, columns: int, method: Allocator, scale: float
) -> None:
    returns = sample(seed, columns=columns)
    weights = method(returns).weights
    assert math.fsum(weights) == 1.0
    assert (weights > 0).all()
    np.testing.assert_allclose(method(returns * scale).weights, weights, rtol=1e-6)
    order = np.random.default_rng(seed).permutation(columns)
    if method is not hrp_weights:
        np.testing.assert_allclose(method(returns[:, order]).weights, weights[order], rtol=1e-8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100_000), columns=st.integers(2, 11))
def test_hrp_depends_on_the_assets_not_on_their_order_where_the_halves_agree(
    seed: int, columns: int
) -> None:
    """A permutation may mirror a fork of the tree; the weights follow the leaves either way."""
    returns = sample(seed, columns=columns)
    order = np.random.default_rng(seed).permutation(columns)
    permuted = hrp_weights(returns[:, order])
    leaves = [int(order[i]) for i in permuted.diagnostics["leaf_order"]]
    expected = hrp_by_definition(np.cov(returns.T), leaves)
    np.testing.assert_allclose(permuted.weights, expected[order], rtol=1e-10)


@pytest.mark.parametrize("method", ALL)
def test_a_covariance_overrides_the_estimate(method: Allocator) -> None:
    returns = pd.DataFrame(sample(), columns=list("abcdefgh"))
    shrunk = ledoit_wolf(returns)
    from_result = method(returns, covariance=shrunk).weights
    from_matrix = method(None, covariance=shrunk.covariance).weights
    pd.testing.assert_series_equal(from_result, from_matrix)
    if method is not equal_weights:
        assert np.abs(from_result - method(returns).weights).max() > 1e-6


def test_a_covariance_that_does_not_fit_is_refused() -> None:
    frame = pd.DataFrame(sample(columns=3), columns=["A", "B", "C"])
    covariance = sample_covariance(frame)
    swapped = covariance[["B", "A", "C"]]
    for wrong in (
        swapped,
        swapped.loc[["B", "A", "C"]],
        covariance.iloc[:2, :2],
        covariance.iloc[:2],
        covariance + np.triu(np.ones((3, 3))),
    ):
        with pytest.raises(BadInput):
            hrp_weights(frame, covariance=wrong)
    with pytest.raises(BadInput, match="order"):
        hrp_weights(None, covariance=swapped)
    with pytest.raises(NotPositiveDefinite, match="'B'"):
        hrp_weights(None, covariance=pl.DataFrame({"A": [1.0, 0.0], "B": [0.0, -1.0]}))
    with pytest.raises(BadInput, match="covariance="):
        hrp_weights(None)


def test_an_asset_without_variance_is_named() -> None:
    frame = pd.DataFrame(sample(columns=3), columns=["A", "B", "C"]).assign(B=0.0)
    for method in (hrp_weights, inverse_variance, inverse_volatility, risk_parity):
        with pytest.raises(BadInput, match="'B'"):
            method(frame)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(BadInput, match="linkage"):
        hrp_weights(sample(), linkage="nearest")
    with pytest.raises(BadInput, match="distance"):
        hrp_weights(sample(), distance="manhattan")  # type: ignore[arg-type]


def test_an_allocation_is_frozen_and_reads_by_name() -> None:
    result = hrp_weights(sample())
    assert result["weights"] is result.weights
    assert isinstance(hrp_weights, Allocator)
    with pytest.raises(KeyError):
        result["objective"]
    with pytest.raises(AttributeError):
        result.weights = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        result.diagnostics["leaf_order"] = ()  # type: ignore[index]


@pytest.mark.parametrize("size", [2, 3, 300, 810])
def test_condensed_distances_are_the_triangle_of_the_matrix(size: int) -> None:
    values = np.random.default_rng(size).normal(size=(50, size))
    problem = read_problem(values, None)
    whole = correlation_distance(problem)
    np.testing.assert_array_equal(_condensed_distance(problem), whole[np.triu_indices(size, 1)])
