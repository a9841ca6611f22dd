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
from mts1b_quantkit.scalars import read_choice, read_flag

__all__ = ["correlation_distance", "hrp_weights"]

_LINKAGES = ("single", "complete", "average", "weighted", "centroid", "median", "ward")
_GRAM_FROM = 1000
"""Number of assets from which one matrix product replaces N^2/2 separate distances."""
_GATHER_TO = 800
"""Number of assets up to which a whole matrix of distances stays in the processor's cache."""
_CACHED = 1 << 15
"""Distances that are worked on together, so that they stay in the processor's cache."""
_TOGETHER = 64
"""Clusters of up to so many assets are gathered from the matrix pair by pair."""


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
    read_choice("linkage", linkage, _LINKAGES)
    read_choice("distance", distance, ("euclidean", "condensed"))
    reorder = read_flag("leaf_order", leaf_order)
    problem = read_problem(returns, covariance)
    _ = problem.variances
    order = _leaves(problem, linkage, distance, reorder)
    weights = np.empty(problem.size)
    weights[order] = _bisect(problem.covariance, order)
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
    deviation, size = np.sqrt(problem.variances), problem.size
    if size < _GATHER_TO:
        from scipy.spatial.distance import squareform

        scale = squareform(np.outer(deviation, deviation), checks=False)
        result = squareform(problem.covariance, checks=False)
        result /= scale
        return _distances(result)
    result = np.empty(size * (size - 1) // 2)
    start = 0
    for row in range(size - 1):
        part = result[start : start + size - 1 - row]
        np.multiply(deviation[row], deviation[row + 1 :], out=part)
        np.divide(problem.covariance[row, row + 1 :], part, out=part)
        start += len(part)
    return _distances(result)


def _distances(correlations: FloatArray) -> FloatArray:
    """Turn rho into sqrt((1 - rho) / 2), in place."""
    for start in range(0, len(correlations), _CACHED):
        part = correlations[start : start + _CACHED]
        np.clip(part, -1.0, 1.0, out=part)
        np.subtract(1.0, part, out=part)
        part *= 0.5
        np.sqrt(part, out=part)
    return correlations


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


def _bisect(covariance: FloatArray, order: NDArray[np.intp]) -> FloatArray:
    """Return the weights along ``order``: at each halving by inverse cluster variance.

    With v = 1 / variance, the inverse-variance portfolio of a cluster has the variance
    sum_ij(v_i C_ij v_j) / sum(v)^2. These sums of small clusters add up to those of large ones,
    so that the matrix is neither reordered nor read again at every level.
    """
    sizes = _halvings(len(order))
    depth = next(n for n, size in enumerate(sizes) if size.max() <= _TOGETHER)
    inverse = np.zeros(len(sizes[-1]))
    places = np.zeros(len(inverse), dtype=np.intp)
    used = np.flatnonzero(sizes[-1])
    places[used] = order
    inverse[used] = 1.0 / np.diag(covariance)[order]
    sums = _cluster_sums(covariance, places, inverse, depth)
    masses = [inverse]
    while len(masses[0]) > 1:
        masses.insert(0, masses[0][0::2] + masses[0][1::2])
    weights = np.ones(1)
    for total, mass in zip(sums[1:], masses[1:], strict=True):
        held = np.where(mass > 0.0, mass, 1.0)
        variance = total / held / held
        left, both = variance[0::2], variance[0::2] + variance[1::2]
        share = np.where(both > 0.0, 1.0 - left / np.where(both > 0.0, both, 1.0), 0.5)
        share = np.where(mass[0::2] > 0.0, share, 0.0)  # one asset is not halved
        weights = np.column_stack([weights * share, weights * (1.0 - share)]).ravel()
    return np.asarray(weights[used])


def _halvings(count: int) -> list[NDArray[np.intp]]:
    """Return the sizes of the parts at each level, from the whole down to single assets.

    A level has 2^level parts; the left half is the smaller one, and may be empty.
    """
    levels = [np.array([count])]
    while levels[-1].max() > 1:
        left = levels[-1] // 2
        levels.append(np.column_stack([left, levels[-1] - left]).ravel())
    return levels


def _cluster_sums(
    covariance: FloatArray, places: NDArray[np.intp], inverse: FloatArray, depth: int
) -> list[FloatArray]:
    """Return sum_ij(v_i C_ij v_j) of every part of every level, from the whole to single assets.

    :param places: the asset in each slot of the last level, any where ``inverse`` is zero.
    :param depth: the level whose parts, with all their pairs, are gathered from the matrix.
    """
    parts = 1 << depth
    at, scale = places.reshape(parts, -1), inverse.reshape(parts, -1)
    inside = at[:, :, None] * len(covariance) + at[:, None, :]
    pairs = np.take(covariance.reshape(-1), inside, mode="clip")  # half the time of two indices
    pairs *= scale[:, :, None]
    pairs *= scale[:, None, :]
    sums = [np.diagonal(pairs, axis1=1, axis2=2).ravel()]
    while pairs.shape[1] > 1:
        pairs = _paired(pairs)
        sums.insert(0, np.diagonal(pairs, axis1=1, axis2=2).ravel())
    if depth:
        held = np.zeros((len(covariance), parts))
        for number in range(parts):
            used = scale[number] > 0.0
            held[at[number][used], number] = scale[number][used]
        between = held.T @ (covariance @ held)
        while len(between) > 1:
            between = _paired(between)
            sums.insert(0, np.diag(between))
    return sums


def _paired(matrix: FloatArray) -> FloatArray:
    """Return the sums of blocks of 2 x 2 along the last two axes."""
    rows = matrix[..., 0::2, :] + matrix[..., 1::2, :]
    return np.asarray(rows[..., 0::2] + rows[..., 1::2])
