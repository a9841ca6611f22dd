"""Equal, or given, contributions to risk.

Maillard, Roncalli and Teiletche 2010 (equal contributions); the convex form and its cyclical
coordinate descent are Griveau-Billion, Richard and Roncalli 2013; the damped Newton steps follow
Spinu 2013, solved by conjugate gradients where there are many assets (Dembo, Eisenstat and Steihaug
1982: no closer than the step needs).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.allocators import cholesky
from mts1b_quantkit.allocators.inputs import condition_number, read_problem
from mts1b_quantkit.allocators.result import Allocation, Later, allocation, to_budget
from mts1b_quantkit.arrays import FloatArray, Table, as_vector
from mts1b_quantkit.errors import BadInput, NotPositiveDefinite

__all__ = ["risk_parity"]

_TOLERANCE = 1e-10
_CANCELLED = 1e-13
"""Variance, over what it would be without hedges, of which rounding leaves no digit."""
_MAX_SWEEPS = 30
_MAX_STEPS = 200
_LARGE = 400
"""From so many assets on a product with the matrix is cheaper than a sweep, and than a factor."""
_LARGE_SWEEPS = 2
_MAX_PRODUCTS = 400


def risk_parity(returns: Any, *, covariance: Any = None, budgets: Any = None) -> Allocation:
    """Find the long-only weights whose contributions to variance are the ``budgets``.

    Minimises x'Cx / 2 - sum(b log x) on the correlation matrix C, divides x by the standard
    deviations and scales to a sum of one.

    :param returns: (T, N) simple returns, or None with ``covariance``.
    :param budgets: positive shares that sum to one, one per asset; None for 1/N each.
    :return: diagnostics ``objective``, ``kkt_residual`` (largest |w_i (Sw)_i / w'Sw - b_i|, below
        1e-10, or below 2.2e-16 times the condition number where assets are nearly the same and
        rounding leaves more), ``iterations`` (sweeps plus steps), ``sweeps``, ``newton_steps``,
        ``risk_contributions`` and ``condition_number``.
    :raises BadInput: for budgets that are not positive or do not sum to one.
    :raises NotPositiveDefinite: when long-only weights without any risk exist, or the matrix has
        a negative eigenvalue: there is nothing to share, shrink the covariance first.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import risk_parity
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> risk_parity(None, covariance=covariance).weights.round(6).tolist()
    [0.6, 0.4]
    """
    problem = read_problem(returns, covariance)
    shares = _read_budgets(budgets, problem.assets)
    deviation = np.sqrt(problem.variances)
    correlation = problem.covariance / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 1.0)
    _require_semidefinite(correlation)
    large = len(shares) >= _LARGE
    scaled, sweeps = _descend(correlation, shares, _LARGE_SWEEPS if large else _MAX_SWEEPS)
    scaled, first = _approach(correlation, shares, scaled) if large else (scaled, 0)
    scaled, last = _newton(correlation, shares, scaled)
    steps = first + last
    weights = to_budget(scaled / deviation)
    contributions = _contributions(problem.covariance, weights)
    residual = float(np.abs(contributions - shares).max())
    if not residual < _TOLERANCE:
        _require_risk(problem.covariance, weights)
    return allocation(
        problem.assets,
        weights,
        objective=_objective(correlation, shares, scaled),
        kkt_residual=residual,
        iterations=sweeps + steps,
        sweeps=sweeps,
        newton_steps=steps,
        risk_contributions=problem.assets.per_column(contributions),
        condition_number=Later(lambda: condition_number(problem.covariance)),
    )


def _read_budgets(budgets: Any, assets: Table) -> FloatArray:
    size = len(assets.labels)
    if budgets is None:
        return np.full(size, 1.0 / size)
    shares = as_vector(budgets, assets, what="budgets")
    if (shares <= 0.0).any():
        name = assets.labels[int(np.argmax(shares <= 0.0))]
        raise BadInput(f"the budget of {name!r} is not positive; drop the asset instead")
    if abs(float(shares.sum()) - 1.0) > 1e-9:
        raise BadInput(f"budgets sum to {float(shares.sum())}; they are shares of one")
    return np.asarray(shares / shares.sum())


def _require_semidefinite(correlation: FloatArray) -> None:
    slack = 1e-10 * len(correlation)
    lifted = correlation.copy()
    lifted[np.diag_indices_from(lifted)] += slack
    try:
        np.linalg.cholesky(lifted)  # a tenth of the time of the eigenvalues
    except np.linalg.LinAlgError:
        lowest = float(np.linalg.eigvalsh(correlation)[0])
    else:
        return
    if lowest < -slack:
        raise NotPositiveDefinite(
            f"the correlation matrix has the eigenvalue {lowest:.3g}; shrink or repair it"
        )


def _contributions(matrix: FloatArray, weights: FloatArray) -> FloatArray:
    parts = weights * (matrix @ weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(parts / parts.sum())


def _require_risk(matrix: FloatArray, weights: FloatArray) -> None:
    """Refuse weights whose risks cancel so far that what is left is rounding."""
    gross = float(weights @ np.abs(matrix) @ weights)
    if not float(weights @ matrix @ weights) > _CANCELLED * gross:
        raise _no_risk()


def _gap(matrix: FloatArray, shares: FloatArray, x: FloatArray) -> float:
    """Return the largest error of a contribution; infinite when there is no risk to share."""
    parts = x * (matrix @ x)
    total = float(parts.sum())
    return float(np.abs(parts / total - shares).max()) if total > 0.0 else float("inf")


def _objective(matrix: FloatArray, shares: FloatArray, x: FloatArray) -> float:
    return 0.5 * float(x @ matrix @ x) - float(shares @ np.log(x))


def _descend(matrix: FloatArray, shares: FloatArray, most: int) -> tuple[FloatArray, int]:
    """Minimise over one coordinate at a time, with a rescaling to x'Cx = 1 after each sweep."""
    x = np.sqrt(shares)
    sweeps = 0
    while sweeps < most:
        sweeps += 1
        for i, share in enumerate(shares):
            rest = float(matrix[i] @ x) - x[i]
            root = np.sqrt(rest * rest + 4.0 * share)
            x[i] = (root - rest) / 2.0 if rest <= 0.0 else 2.0 * share / (root + rest)
        total = float(x @ matrix @ x)
        if not total > 0.0:
            raise _no_risk()
        x /= np.sqrt(total)
        if _gap(matrix, shares, x) < _TOLERANCE / 10.0:
            break
    return x, sweeps


def _approach(matrix: FloatArray, shares: FloatArray, x: FloatArray) -> tuple[FloatArray, int]:
    """Take damped Newton steps without a factor; stop where they do not help, the rest is exact."""
    for step in range(_MAX_STEPS):
        if _gap(matrix, shares, x) < _TOLERANCE / 10.0:
            return x, step
        gradient, added = matrix @ x - shares / x, shares / x**2
        error = float(np.sqrt((gradient * gradient / added).sum()))
        direction = _conjugate(matrix, added, -gradient, min(0.1, error))
        decrease = float(np.sqrt(max(-float(gradient @ direction), 0.0)))
        size = 1.0 if decrease < 0.25 else 1.0 / (1.0 + decrease)
        steepest = float(np.max(-direction / x))  # beyond its inverse a weight is not positive
        room = 1.0 / steepest if steepest > 0.0 else np.inf
        further = x + min(size, 0.9 * room) * direction
        if not _descends(matrix, shares, further, _objective(matrix, shares, x)) and not _closes(
            matrix, shares, further, _gap(matrix, shares, x)
        ):
            return x, step
        x = further
    return x, _MAX_STEPS


def _conjugate(
    matrix: FloatArray, added: FloatArray, right: FloatArray, tolerance: float
) -> FloatArray:
    """Solve (C + diag(added)) x = right to a relative ``tolerance``, scaled by the diagonal."""
    inverse = 1.0 / (1.0 + added)
    x, left = np.zeros_like(right), right.copy()
    scaled = inverse * left
    way, size = scaled.copy(), float(left @ scaled)
    goal = tolerance * tolerance * size
    for _ in range(_MAX_PRODUCTS):
        product = matrix @ way + added * way
        bend = float(way @ product)
        if not bend > 0.0:
            break
        pace = size / bend
        x += pace * way
        left -= pace * product
        scaled = inverse * left
        before, size = size, float(left @ scaled)
        if size <= goal:
            break
        way = scaled + (size / before) * way
    return x


def _newton(matrix: FloatArray, shares: FloatArray, x: FloatArray) -> tuple[FloatArray, int]:
    """Finish by Newton steps, halved while they leave the positive side or do not descend."""
    for step in range(_MAX_STEPS):
        if _gap(matrix, shares, x) < _TOLERANCE / 10.0:
            return x, step
        gradient = matrix @ x - shares / x
        direction = -_solve(matrix, shares / x**2, gradient)
        slope = float(gradient @ direction)
        before = _objective(matrix, shares, x)
        size = 1.0
        gap = _gap(matrix, shares, x)
        while not (
            _descends(matrix, shares, x + size * direction, before + 1e-4 * size * slope)
            or _closes(matrix, shares, x + size * direction, gap)
        ):
            size /= 2.0
            if size < 1e-12:
                break
        x = x + size * direction if size >= 1e-12 else x
        if size < 1e-12:
            break
    if _gap(matrix, shares, x) < _TOLERANCE:
        return x, step
    raise _no_risk()


def _solve(matrix: FloatArray, added: FloatArray, right: FloatArray) -> FloatArray:
    """Solve (C + diag(added)) x = right; such a matrix is positive definite."""
    hessian = matrix.copy()
    hessian[np.diag_indices_from(hessian)] += added
    try:
        return cholesky.solve(cholesky.factor(hessian), right)
    except np.linalg.LinAlgError as error:
        raise _no_risk() from error


def _descends(matrix: FloatArray, shares: FloatArray, x: FloatArray, limit: float) -> bool:
    if (x <= 0.0).any():
        return False
    value = _objective(matrix, shares, x)
    return value <= limit + 1e-15 * abs(limit)


def _closes(matrix: FloatArray, shares: FloatArray, x: FloatArray, gap: float) -> bool:
    """Return whether the contributions are closer to the budgets.

    Near the minimum the objective can not tell two points apart any more; the contributions can.
    """
    return bool((x > 0.0).all()) and _gap(matrix, shares, x) < 0.5 * gap


def _no_risk() -> NotPositiveDefinite:
    return NotPositiveDefinite(
        "no risk parity weights exist: some long-only weights have no risk at all "
        "(perfect hedges, or fewer rows than assets); shrink the covariance first"
    )
