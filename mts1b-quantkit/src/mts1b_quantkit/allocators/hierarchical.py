"""Hierarchical risk parity.

Lopez de Prado 2016, "Building diversified portfolios that outperform out of sample", Journal of
Portfolio Management 42(4): tree clustering, quasi-diagonalisation, recursive bisection.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.allocators.inputs import Problem, read_problem
from mts1b_quantkit.allocators.result import Allocation, allocation, to_budget
from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput

__all__ = ["correlation_distance", "hrp_weights"]

_LINKAGES = ("single", "complete", "average", "weighted", "centroid", "median", "ward")
_GRAM_FROM = 1000
"""Number of assets from which one matrix product replaces N^2/2 separate distances."""


def hrp_weights(
    returns: Any,
    *,
    covariance: Any = None,
    linkage: str = "single",
    distance: Literal["euclidean", "condensed"] = "euclidean",
    leaf_order: bool = False,
) -> Allocation:
    """Split the budget down a correlation tree, at each fork by inverse cluster variance.

    With d_ij = sqrt((1 - rho_ij) / 2), the paper clusters on the Euclidean distance between the
    columns of d (``distance="euclidean"``); ``"condensed"`` clusters on d itself. The assets are
    then ordered as the leaves of the tree, left to right, and the ordered list is halved again
    and again. Ties in the distances decide the tree; scipy's order is used.

    :param returns: (T, N) simple returns, or None with ``covariance``.
    :param linkage: any method of ``scipy.cluster.hierarchy.linkage``.
    :param leaf_order: reorder the leaves so that neighbours are closest (slow above N = 2000).
    :return: diagnostics ``leaf_order``: input positions from 0, left to right.
    :raises BadInput: for an unknown option, or an asset without variance.
    """
    if linkage not in _LINKAGES:
        raise BadInput(f"linkage is {linkage!r}; use one of {', '.join(_LINKAGES)}")
    if distance not in ("euclidean", "condensed"):
        raise BadInput(f"distance is {distance!r}; use 'euclidean' or 'condensed'")
    problem = read_problem(returns, covariance)
    order = _leaves(correlation_distance(problem), linkage, distance, leaf_order)
    ordered = np.ascontiguousarray(problem.covariance[np.ix_(order, order)])
    weights = np.empty(problem.size)
    weights[order] = _bisect(ordered)
    return allocation(problem.assets, to_budget(weights), leaf_order=tuple(order.tolist()))


def correlation_distance(problem: Problem) -> FloatArray:
    """Return sqrt((1 - rho) / 2) (N, N), zero on the diagonal."""
    deviation = np.sqrt(problem.variances)
    distance = problem.covariance / np.outer(deviation, deviation)
    np.clip(distance, -1.0, 1.0, out=distance)
    np.subtract(1.0, distance, out=distance)
    distance *= 0.5
    np.sqrt(distance, out=distance)
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance)


def _leaves(distance: FloatArray, method: str, kind: str, leaf_order: bool) -> NDArray[np.intp]:
    if len(distance) == 1:
        return np.zeros(1, dtype=np.intp)
    from scipy.cluster import hierarchy  # a third of a second, needed by this function alone
    from scipy.spatial.distance import pdist, squareform

    if kind == "condensed":
        condensed = squareform(distance, checks=False)
    elif len(distance) < _GRAM_FROM:
        condensed = pdist(distance)
    else:
        condensed = squareform(_row_distances(distance), checks=False)
    tree = hierarchy.linkage(condensed, method=method, optimal_ordering=leaf_order)
    return np.asarray(hierarchy.leaves_list(tree), dtype=np.intp)


def _row_distances(rows: FloatArray) -> FloatArray:
    """Return the Euclidean distances between rows through one symmetric product."""
    gram = rows @ rows.T
    norms = np.diag(gram).copy()
    gram *= -2.0
    gram += norms[:, None]
    gram += norms[None, :]
    np.clip(gram, 0.0, None, out=gram)
    np.fill_diagonal(gram, 0.0)
    return np.asarray(np.sqrt(gram, out=gram))


def _bisect(ordered: FloatArray) -> FloatArray:
    weights = np.ones(len(ordered))
    pending = [(0, len(ordered))]
    while pending:
        start, stop = pending.pop()
        if stop - start < 2:
            continue
        middle = start + (stop - start) // 2
        left = _cluster_variance(ordered[start:middle, start:middle])
        right = _cluster_variance(ordered[middle:stop, middle:stop])
        share = 0.5 if left + right <= 0.0 else 1.0 - left / (left + right)
        weights[start:middle] *= share
        weights[middle:stop] *= 1.0 - share
        pending += [(start, middle), (middle, stop)]
    return weights


def _cluster_variance(block: FloatArray) -> float:
    """Return the variance of the inverse-variance portfolio of a cluster."""
    inverse = 1.0 / np.diag(block)
    inverse /= inverse.sum()
    return float(inverse @ block @ inverse)
