"""Allocation between and within clusters of correlated assets."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.allocators.bounds import read_pair
from mts1b_quantkit.allocators.hierarchical import correlation_distance
from mts1b_quantkit.allocators.inputs import Problem, condition_number, read_problem
from mts1b_quantkit.allocators.quadratic import Programme
from mts1b_quantkit.allocators.result import Allocation, Later, allocation, exact_sum, to_budget
from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.scalars import read_choice, read_count

__all__ = ["herc_weights", "nco_weights"]

_LINKAGES = ("single", "complete", "average", "weighted", "centroid", "median", "ward")
Measure = Literal["variance", "standard_deviation"]


def herc_weights(
    returns: Any,
    *,
    covariance: Any = None,
    linkage: str = "ward",
    n_clusters: int | None = None,
    risk: Measure = "variance",
) -> Allocation:
    """Split the budget down the correlation tree, at each fork by the risk of the clusters below.

    Hierarchical equal risk contribution (Raffinot 2018): the tree of sqrt((1 - rho) / 2) is cut
    into clusters; within one, assets are weighed by inverse risk; at each fork above them, a side
    gets the share of the OTHER side's total risk.

    :param n_clusters: None for the number with the largest gap (Yue, Wang and Wei 2008).
    :param risk: of an asset, and of a cluster under its inverse-risk weights.
    :return: diagnostics ``clusters``: the number of each asset's cluster, from 0.
    :raises BadInput: for an unknown option, or an asset without variance.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import herc_weights
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> herc_weights(None, covariance=covariance).weights.round(6).tolist()
    [0.692308, 0.307692]
    """
    read_choice("risk", risk, ("variance", "standard_deviation"))
    problem = read_problem(returns, covariance)
    tree, clusters = _clusters(problem, linkage, n_clusters)
    weights = np.ones(problem.size)
    own = problem.variances if risk == "variance" else np.sqrt(problem.variances)
    totals: list[float] = []
    for number in range(clusters.max() + 1):
        members = np.flatnonzero(clusters == number)
        within = 1.0 / own[members]
        weights[members] = within / within.sum()
        held = weights[members]
        variance = float(held @ problem.covariance[np.ix_(members, members)] @ held)
        totals.append(variance if risk == "variance" else math.sqrt(variance))
    for left, right in _forks(tree, clusters):
        below = [sum(totals[number] for number in side) for side in (left, right)]
        share = 1.0 - below[0] / (below[0] + below[1])
        weights[np.isin(clusters, left)] *= share
        weights[np.isin(clusters, right)] *= 1.0 - share
    return allocation(problem.assets, to_budget(weights), clusters=tuple(clusters.tolist()))


def nco_weights(
    returns: Any,
    *,
    covariance: Any = None,
    linkage: str = "ward",
    n_clusters: int | None = None,
    bounds: tuple[float | None, float | None] = (0.0, 1.0),
) -> Allocation:
    """Minimise variance within each cluster, then between the clusters.

    Nested clustered optimisation (Lopez de Prado 2019): the weights of an asset are its weight in
    its cluster times the weight of the cluster, each the exact minimum-variance solution.

    :param bounds: of every weight, at both levels; None for no limit.
    :return: diagnostics ``clusters`` and ``condition_number``.
    :raises NotPositiveDefinite: when a cluster's covariance has no inverse.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import nco_weights
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> nco_weights(None, covariance=covariance).weights.round(6).tolist()
    [0.727273, 0.272727]
    """
    limits = read_pair(bounds)
    problem = read_problem(returns, covariance)
    _ = problem.variances
    _, clusters = _clusters(problem, linkage, n_clusters)
    count = int(clusters.max()) + 1
    inside = np.zeros((problem.size, count))
    for number in range(count):
        members = np.flatnonzero(clusters == number)
        block = problem.covariance[np.ix_(members, members)]
        inside[members, number] = _least_variance(block, limits)
    between = inside.T @ problem.covariance @ inside
    weights = inside @ _least_variance((between + between.T) / 2.0, limits)
    return allocation(
        problem.assets,
        exact_sum(weights, 1.0),
        clusters=tuple(clusters.tolist()),
        condition_number=Later(lambda: condition_number(problem.covariance)),
    )


def _least_variance(covariance: FloatArray, limits: tuple[float, float]) -> FloatArray:
    size = len(covariance)
    low, high = limits
    programme = Programme(covariance, lower=np.full(size, low), upper=np.full(size, high))
    return programme.solve(np.zeros(size)).weights


def _clusters(
    problem: Problem, linkage: str, n_clusters: int | None
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Return the linkage matrix and the cluster of each asset, numbered by first appearance."""
    read_choice("linkage", linkage, _LINKAGES)
    size = problem.size
    if n_clusters is not None:
        wanted = f"a whole number from 1 to {size}"
        n_clusters = read_count("n_clusters", n_clusters, most=size, wanted=wanted)
    if size == 1:
        return np.empty((0, 4)), np.zeros(1, dtype=np.intp)
    from scipy.cluster import hierarchy  # a third of a second, needed by these functions alone
    from scipy.spatial.distance import squareform

    distance = correlation_distance(problem)
    tree = hierarchy.linkage(squareform(distance, checks=False), method=linkage)
    count = _best_count(distance, tree) if n_clusters is None else int(n_clusters)
    flat = hierarchy.cut_tree(tree, n_clusters=count)[:, 0]
    _, numbers = np.unique(flat, return_inverse=True)
    first: dict[int, int] = {}
    renamed = [first.setdefault(int(number), len(first)) for number in numbers]
    return tree, np.array(renamed, dtype=np.intp)


def _best_count(distance: FloatArray, tree: FloatArray) -> int:
    """Return the number of clusters with the largest second difference of the dispersion."""
    from scipy.cluster import hierarchy

    most = min(len(distance), max(8, round(math.sqrt(len(distance)))))
    if most < 3:
        return most
    cuts = hierarchy.cut_tree(tree, n_clusters=list(range(1, most + 1)))
    squared = distance**2
    spread = np.array([_dispersion(squared, cuts[:, place]) for place in range(most)])
    return int((spread[2:] + spread[:-2] - 2.0 * spread[1:-1]).argmax()) + 2


def _dispersion(squared: FloatArray, labels: NDArray[np.intp]) -> float:
    """Return the sum of squared distances to the cluster's middle (Tibshirani et al. 2001)."""
    total = 0.0
    for number in np.unique(labels):
        members = np.flatnonzero(labels == number)
        total += float(squared[np.ix_(members, members)].sum()) / (2.0 * len(members))
    return total


def _forks(tree: FloatArray, clusters: NDArray[np.intp]) -> list[tuple[list[int], list[int]]]:
    """Return the clusters left and right of every fork that lies above whole clusters."""
    below: list[list[int]] = [[int(number)] for number in clusters]
    forks: list[tuple[list[int], list[int]]] = []
    for row in tree:
        left, right = below[int(row[0])], below[int(row[1])]
        if left != right:
            forks.append((left, right))
        below.append(sorted({*left, *right}))
    return forks
