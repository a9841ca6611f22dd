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
_GATHER_TO = 800
"""Number of assets up to which a whole matrix of distances stays in the processor's cache."""
_CACHED = 1 << 15
"""Distances that are worked on together, so that they stay in the processor's cache."""
_TOGETHER_TO = 64
_TOGETHER_FROM = 16
"""Clusters of up to so many assets are computed together where there are so many of one size."""


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

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import hrp_weights
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> hrp_weights(None, covariance=covariance).weights.round(6).tolist()
    [0.692308, 0.307692]
    """
    if linkage not in _LINKAGES:
        raise BadInput(f"linkage is {linkage!r}; use one of {', '.join(_LINKAGES)}")
    if distance not in ("euclidean", "condensed"):
        raise BadInput(f"distance is {distance!r}; use 'euclidean' or 'condensed'")
    problem = read_problem(returns, covariance)
    order = _leaves(problem, linkage, distance, leaf_order)
    ordered = _reordered(problem.covariance, order)
    weights = np.empty(problem.size)
    weights[order] = _bisect(ordered)
    return allocation(problem.assets, to_budget(weights), leaf_order=tuple(order.tolist()))


def correlation_distance(problem: Problem) -> FloatArray:
    """Return sqrt((1 - rho) / 2) (N, N), zero on the diagonal."""
    deviation = np.sqrt(problem.variances)
    distance = np.outer(deviation, deviation)
    np.divide(problem.covariance, distance, out=distance)
    np.clip(distance, -1.0, 1.0, out=distance)
    np.subtract(1.0, distance, out=distance)
    distance *= 0.5
    np.sqrt(distance, out=distance)
    np.fill_diagonal(distance, 0.0)
    return np.asarray(distance)


def _condensed_distance(problem: Problem) -> FloatArray:
    """Return the upper triangle of :func:`correlation_distance`, row after row, to the same bits.

    At thousands of assets the whole matrix would cost several passes over main memory.
    """
    if problem.size < _GATHER_TO:
        from scipy.spatial.distance import squareform

        return np.asarray(squareform(correlation_distance(problem), checks=False))
    deviation, size = np.sqrt(problem.variances), problem.size
    result = np.empty(size * (size - 1) // 2)
    start = 0
    for row in range(size - 1):
        part = result[start : start + size - 1 - row]
        np.multiply(deviation[row], deviation[row + 1 :], out=part)
        np.divide(problem.covariance[row, row + 1 :], part, out=part)
        start += len(part)
    for start in range(0, len(result), _CACHED):
        part = result[start : start + _CACHED]
        np.clip(part, -1.0, 1.0, out=part)
        np.subtract(1.0, part, out=part)
        part *= 0.5
        np.sqrt(part, out=part)
    return result


def _leaves(problem: Problem, method: str, kind: str, leaf_order: bool) -> NDArray[np.intp]:
    if problem.size == 1:
        return np.zeros(1, dtype=np.intp)
    from scipy.cluster import hierarchy  # a third of a second, needed by this function alone
    from scipy.spatial.distance import pdist, squareform

    if kind == "condensed":
        condensed = _condensed_distance(problem)
    elif problem.size < _GRAM_FROM:
        condensed = pdist(correlation_distance(problem))
    else:
        condensed = squareform(_row_distances(correlation_distance(problem)), checks=False)
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


def _reordered(matrix: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    """Return matrix[order][:, order], row by row: half the time of fancy indexing at thousands."""
    result = np.empty_like(matrix, order="C")
    for row, place in zip(result, order.tolist(), strict=True):
        np.take(matrix[place], order, out=row, mode="clip")  # without a mode, numpy buffers out
    return result


def _bisect(ordered: FloatArray) -> FloatArray:
    weights = np.ones(len(ordered))
    pending = [(0, len(ordered))]
    while pending:  # one level of the tree after the other
        halves = [
            (start, start + (stop - start) // 2, stop)
            for start, stop in pending
            if stop - start > 1
        ]
        pending = [part for a, b, c in halves for part in ((a, b), (b, c))]
        variances = _cluster_variances(ordered, pending)
        for number, (start, middle, stop) in enumerate(halves):
            left, right = variances[2 * number], variances[2 * number + 1]
            share = 0.5 if left + right <= 0.0 else 1.0 - left / (left + right)
            weights[start:middle] *= share
            weights[middle:stop] *= 1.0 - share
    return weights


def _cluster_variances(ordered: FloatArray, parts: list[tuple[int, int]]) -> list[float]:
    """Return the variance of each part; many small ones of one size are computed together."""
    by_size: dict[int, list[int]] = {}
    for number, (start, stop) in enumerate(parts):
        by_size.setdefault(stop - start, []).append(number)
    result = [0.0] * len(parts)
    for size, numbers in by_size.items():
        if size > _TOGETHER_TO or len(numbers) < _TOGETHER_FROM:
            for number in numbers:
                start, stop = parts[number]
                result[number] = _cluster_variance(ordered[start:stop, start:stop])
            continue
        rows = np.array([parts[number][0] for number in numbers])[:, None] + np.arange(size)
        blocks = ordered[rows[:, :, None], rows[:, None, :]]
        inverse = 1.0 / np.diagonal(blocks, axis1=1, axis2=2)
        inverse /= inverse.sum(axis=1, keepdims=True)
        found = ((blocks @ inverse[:, :, None])[:, :, 0] * inverse).sum(axis=1)
        for number, value in zip(numbers, found.tolist(), strict=True):
            result[number] = value
    return result


def _cluster_variance(block: FloatArray) -> float:
    """Return the variance of the inverse-variance portfolio of a cluster."""
    inverse = 1.0 / np.diag(block)
    inverse /= inverse.sum()
    return float(inverse @ block @ inverse)
