"""The whole efficient frontier: the critical line (Markowitz 1956; Bailey and Lopez de Prado 2013).

Between two turning points the same assets are free and the weights are linear in lambda, so the
turning points are the frontier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mts1b_quantkit.allocators.bounds import read_bounds, read_budget
from mts1b_quantkit.allocators.inputs import read_expected_returns, read_problem
from mts1b_quantkit.allocators.quadratic import Programme
from mts1b_quantkit.arrays import FloatArray, Table
from mts1b_quantkit.errors import BadInput

__all__ = ["Frontier", "efficient_frontier"]

_MOST = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """The turning points, from the highest return to the least variance.

    ``weights`` (K, N) in the input's kind; ``lambdas``, ``expected_returns`` and ``variances``
    (K,), per period. A mix of two neighbours is efficient too.
    """

    weights: Any
    lambdas: FloatArray
    expected_returns: FloatArray
    variances: FloatArray


def efficient_frontier(
    returns: Any,
    *,
    covariance: Any = None,
    expected_returns: Any = None,
    bounds: Any = (0, 1),
    budget: float = 1.0,
) -> Frontier:
    """Return all turning points of min w'Sw / 2 - lambda m'w over lambda >= 0.

    :param returns: (T, N) simple returns, or None with ``covariance`` and ``expected_returns``.
    :param bounds: finite: without them the return has no highest value.
    :raises BadInput: for an infinite bound, or expected returns that are all equal.
    :raises Infeasible, NotPositiveDefinite: as :func:`min_variance` does.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import efficient_frontier
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> line = efficient_frontier(None, covariance=covariance, expected_returns=[0.05, 0.08])
    >>> line.weights.round(6).tolist()
    [[0.0, 1.0], [0.727273, 0.272727]]
    """
    problem = read_problem(returns, covariance)
    _ = problem.variances
    mean = read_expected_returns(expected_returns, problem, returns)
    lower, upper = read_bounds(bounds, problem.assets)
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise BadInput("the frontier has no end without finite bounds; give e.g. bounds=(0, 1)")
    programme = Programme(problem.covariance, lower=lower, upper=upper, budget=read_budget(budget))
    points = _trace(programme, mean)
    weights = np.array([point[1] for point in points])
    shaped = Table(weights, problem.assets.kind, problem.assets.columns).rows(weights)
    return Frontier(
        weights=shaped,
        lambdas=np.array([point[0] for point in points]),
        expected_returns=np.asarray(weights @ mean),
        variances=np.einsum("ki,ij,kj->k", weights, problem.covariance, weights),
    )


def _trace(programme: Programme, mean: FloatArray) -> list[tuple[float, FloatArray]]:
    """Go down from a lambda beyond the last event, one event at a time."""
    spread = float(mean.max() - mean.min())
    if spread == 0.0:
        raise BadInput("the expected returns are all equal; the frontier is the minimum variance")
    at = 1e8 * programme.scale / spread
    side = programme.solve(at * mean).side
    points: list[tuple[float, FloatArray]] = []
    for _ in range(_MOST):
        at, moved = _next_event(programme, mean, side, at)
        if at <= 0.0:
            break
        points.append((at, programme.solve(at * mean, start=side).weights))
        # The asset is moved by hand: so close to the event no tolerance would see that it must.
        side = programme.solve(at * (1.0 - 1e-9) * mean, start=moved).side
    points.append((0.0, programme.solve(0.0 * mean, start=side).weights))
    return points


def _next_event(
    programme: Programme, mean: FloatArray, side: NDArray[np.int8], below: float
) -> tuple[float, NDArray[np.int8]]:
    """Return the highest lambda below ``below`` at which an asset changes side, and the sides
    after it; 0 where there is none."""
    constant, slope = programme.line(side, mean)
    free = side == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        at_lower = np.where(slope.weights > 0.0, programme.lower - constant.weights, np.nan)
        at_upper = np.where(slope.weights < 0.0, programme.upper - constant.weights, np.nan)
        reached = np.where(np.isnan(at_lower), at_upper, at_lower) / slope.weights
        released = -constant.gradient / slope.gradient
    events = np.where(free, reached, released)
    usable = np.isfinite(events) & (events < below * (1.0 - 1e-10)) & (events > 0.0)
    if not usable.any():
        return 0.0, side
    first = int(np.where(usable, events, -1.0).argmax())
    moved = side.copy()
    moved[first] = (-1 if slope.weights[first] > 0.0 else 1) if free[first] else 0
    return float(events[first]), moved
