"""Allocations on the efficient frontier (Markowitz 1952), solved exactly.

Each is the solution of w'Sw / 2 - lambda m'w over bounds and budget, for its own lambda.
"""

from __future__ import annotations

import bisect
import math
from typing import Any

import numpy as np

from mts1b_quantkit.allocators.bounds import read_bounds, read_budget
from mts1b_quantkit.allocators.inputs import (
    Problem,
    condition_number,
    read_expected_returns,
    read_problem,
)
from mts1b_quantkit.allocators.quadratic import Programme, Solution
from mts1b_quantkit.allocators.result import Allocation, Later, allocation, exact_sum
from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import Infeasible
from mts1b_quantkit.scalars import read_number, read_positive

__all__ = [
    "efficient_return",
    "max_diversification",
    "max_sharpe",
    "mean_variance",
    "min_variance",
]

_SETTLED = 1e-8
"""A larger optimality residual after all steps: the ratio rises without end."""
_RATIO_STEPS = 100
_RETURN_STEPS = 200


def min_variance(
    returns: Any, *, covariance: Any = None, bounds: Any = (0, 1), budget: float = 1.0
) -> Allocation:
    """Find the weights of least variance.

    :param returns: (T, N) simple returns, or None with ``covariance``.
    :param bounds: one pair, one for each asset, or None for no limits.
    :param budget: what the weights sum to.
    :return: diagnostics ``objective`` (w'Sw), ``kkt_residual``, ``iterations``,
        ``condition_number``.
    :raises Infeasible: when the bounds do not allow the budget.
    :raises NotPositiveDefinite: when the covariance has no inverse.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import min_variance
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> min_variance(None, covariance=covariance).weights.round(6).tolist()
    [0.727273, 0.272727]
    """
    problem = read_problem(returns, covariance)
    programme = _programme(problem, bounds, budget)
    linear = np.zeros(problem.size)
    solution = programme.solve(linear)
    return _result(problem, programme, solution, linear, lambda w, risk: risk)


def mean_variance(
    returns: Any,
    *,
    covariance: Any = None,
    expected_returns: Any = None,
    risk_aversion: float = 1.0,
    bounds: Any = (0, 1),
    budget: float = 1.0,
) -> Allocation:
    """Maximise m'w - ``risk_aversion`` / 2 w'Sw.

    :return: diagnostics as of :func:`min_variance`; ``objective`` is what was maximised.
    :raises BadInput: for a risk aversion that is not positive.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import mean_variance
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> found = mean_variance(None, covariance=covariance, expected_returns=[0.05, 0.08])
    >>> found.weights.round(6).tolist()
    [0.454545, 0.545455]
    """
    risk_aversion = read_positive("risk_aversion", risk_aversion)
    problem = read_problem(returns, covariance)
    mean = read_expected_returns(expected_returns, problem, returns)
    programme = _programme(problem, bounds, budget)
    linear = mean / risk_aversion
    solution = programme.solve(linear)
    return _result(
        problem,
        programme,
        solution,
        linear,
        lambda w, risk: float(mean @ w) - risk_aversion / 2.0 * risk,
    )


def max_sharpe(
    returns: Any,
    *,
    covariance: Any = None,
    expected_returns: Any = None,
    risk_free_rate: float = 0.0,
    bounds: Any = (0, 1),
    budget: float = 1.0,
) -> Allocation:
    """Find the weights of the highest (m'w - rf) / sqrt(w'Sw), per period.

    :param risk_free_rate: per period; it is earned on the whole budget.
    :return: diagnostics as of :func:`min_variance`; ``objective`` is the ratio.
    :raises Infeasible: when no weights within the bounds have a positive excess return.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import max_sharpe
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> found = max_sharpe(None, covariance=covariance, expected_returns=[0.05, 0.08])
    >>> found.weights.round(6).tolist()
    [0.578125, 0.421875]
    """
    rate = read_number("risk_free_rate", risk_free_rate, wanted="a finite rate per period")
    problem = read_problem(returns, covariance)
    excess = read_expected_returns(expected_returns, problem, returns) - rate
    return _best_ratio(problem, excess, bounds, budget)


def max_diversification(
    returns: Any, *, covariance: Any = None, bounds: Any = (0, 1), budget: float = 1.0
) -> Allocation:
    """Find the weights of the highest w's / sqrt(w'Sw), s being the standard deviations.

    Choueifaty and Coignard 2008.

    :return: diagnostics as of :func:`min_variance`; ``objective`` is the diversification ratio.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import max_diversification
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> max_diversification(None, covariance=covariance).weights.round(6).tolist()
    [0.6, 0.4]
    """
    problem = read_problem(returns, covariance)
    return _best_ratio(problem, np.sqrt(problem.variances), bounds, budget)


def efficient_return(
    returns: Any,
    *,
    target_return: float,
    covariance: Any = None,
    expected_returns: Any = None,
    bounds: Any = (0, 1),
    budget: float = 1.0,
) -> Allocation:
    """Find the weights of least variance among those with m'w = ``target_return`` per period.

    :return: diagnostics as of :func:`min_variance`; ``objective`` is w'Sw.
    :raises Infeasible: when the bounds do not allow the return.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import efficient_return
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> found = efficient_return(
    ...     None, covariance=covariance, expected_returns=[0.05, 0.08], target_return=0.06
    ... )
    >>> found.weights.round(6).tolist()
    [0.666667, 0.333333]
    """
    problem = read_problem(returns, covariance)
    target = read_number("target_return", target_return, wanted="a finite return per period")
    mean = read_expected_returns(expected_returns, problem, returns)
    programme = _programme(problem, bounds, budget)
    _require_reachable(programme, mean, target)
    trade_off, solution = _at_return(programme, mean, target)
    return _result(problem, programme, solution, trade_off * mean, lambda w, risk: risk)


def _programme(problem: Problem, bounds: Any, budget: float) -> Programme:
    _ = problem.variances
    lower, upper = read_bounds(bounds, problem.assets)
    total = read_budget(budget)
    return Programme(problem.covariance, lower=lower, upper=upper, budget=total)


def _best_ratio(problem: Problem, gain: FloatArray, bounds: Any, budget: float) -> Allocation:
    """Follow the frontier to the point where lambda is w'Sw / g'w: there the ratio is highest."""
    programme = _programme(problem, bounds, budget)
    if _extreme(programme, gain) <= 0.0:
        raise Infeasible(
            "no weights within bounds and budget earn more than risk_free_rate; lower it, or widen "
            "the bounds"
        )
    trade_off, solution = _tangency(programme, gain)
    if programme.residual(solution, trade_off * gain) > _SETTLED:
        raise Infeasible(
            "the ratio has no highest value within these bounds: it goes on rising with leverage; "
            "give finite bounds"
        )
    return _result(
        problem,
        programme,
        solution,
        trade_off * gain,
        lambda w, risk: float(gain @ w) / math.sqrt(risk),
    )


def _tangency(programme: Programme, gain: FloatArray) -> tuple[float, Solution]:
    """Iterate lambda -> w'Sw / g'w, by secants between a lambda that is too low and one too high.

    The gap w'Sw - lambda g'w is positive below the solution and negative above it.
    """

    def gap(trade_off: float, start: Any) -> tuple[float, Solution]:
        found = programme.solve(trade_off * gain, start=start)
        w = found.weights
        return float(w @ programme.covariance @ w) - trade_off * float(gain @ w), found

    low, (low_gap, solution) = 0.0, gap(0.0, None)
    high, high_gap = math.inf, -math.inf
    risk, earned = low_gap, float(gain @ solution.weights)
    guess = risk / earned if earned > 0.0 else 1e-3 * programme.scale / float(np.abs(gain).max())
    for _ in range(_RATIO_STEPS):
        value, solution = gap(guess, solution.side)
        earned = float(gain @ solution.weights)
        size = float(solution.weights @ programme.covariance @ solution.weights)
        if abs(value) <= 1e-14 * size:
            break
        if value > 0.0:
            low, low_gap = guess, value
        else:
            high, high_gap = guess, value
        fixed_point = size / earned if earned > 0.0 else 2.0 * guess
        if math.isinf(high):
            guess = max(fixed_point, 1.000001 * guess) if earned > 0.0 else 4.0 * guess
            continue
        secant = (low * high_gap - high * low_gap) / (high_gap - low_gap)
        inside = low < fixed_point < high
        following = fixed_point if inside else secant
        if not low < following < high or high - low <= 1e-15 * high:
            break
        guess = following
    return guess, solution


def _at_return(programme: Programme, mean: FloatArray, target: float) -> tuple[float, Solution]:
    """Find the lambda whose solution earns the target: the return rises with lambda."""

    def earned(trade_off: float, start: Any) -> tuple[float, Solution]:
        found = programme.solve(trade_off * mean, start=start)
        return float(mean @ found.weights) - target, found

    size = float(np.abs(mean).max()) or 1.0
    over, solution = earned(0.0, None)
    if over == 0.0:
        return 0.0, solution
    towards = -math.copysign(1.0, over)
    near, far = (0.0, over), (0.0, over)
    step = programme.scale / size
    close = 1e-14 * max(size, abs(target))
    while far[1] * over > 0.0 and step < 1e18 * programme.scale / size:
        near = far
        value, solution = earned(towards * step, solution.side)
        far = (towards * step, value)
        if abs(value) <= close:
            return far[0], solution
        step *= 4.0
    guess = far[0]
    for _ in range(_RETURN_STEPS):
        guess = (near[0] * far[1] - far[0] * near[1]) / (far[1] - near[1])
        if not min(near[0], far[0]) < guess < max(near[0], far[0]):
            guess = (near[0] + far[0]) / 2.0
        value, solution = earned(guess, solution.side)
        if abs(value) <= close / 10.0:
            return guess, solution
        if value * near[1] > 0.0:
            near, far = (guess, value), (far[0], far[1] / 2.0)
        else:
            near, far = (near[0], near[1] / 2.0), (guess, value)
        if abs(near[0] - far[0]) <= 1e-15 * abs(guess):
            break
    return guess, solution


def _extreme(programme: Programme, gain: FloatArray) -> float:
    """Return the highest g'w that bounds and budget allow; infinite where nothing limits it.

    There is a level of gain above which every asset sits at its upper bound, and below which every
    asset sits at its lower one; the assets at the level take what the budget leaves.
    """
    lower, upper, budget = programme.lower, programme.upper, float(programme.budget or 0.0)
    bought, sold = gain[np.isinf(upper)], gain[np.isinf(lower)]
    if len(bought) and len(sold) and bought.max() > sold.min():
        return math.inf
    levels = np.unique(gain)
    fits = bisect.bisect_left(
        levels, True, key=lambda level: np.where(gain > level, upper, lower).sum() <= budget
    )
    level = float(levels[min(fits, len(levels) - 1)])
    held = np.where(gain > level, upper, np.where(gain < level, lower, 0.0))
    return float(gain @ held) + level * (budget - float(held.sum()))


def _require_reachable(programme: Programme, mean: FloatArray, target: float) -> None:
    low, high = -_extreme(programme, -mean), _extreme(programme, mean)
    slack = 1e-12 * max((abs(end) for end in (low, high) if math.isfinite(end)), default=0.0)
    if not low - slack <= target <= high + slack:
        raise Infeasible(
            f"target_return is {target:.6g} a period; bounds and budget allow {low:.6g} to "
            f"{high:.6g}"
        )


def _result(
    problem: Problem,
    programme: Programme,
    solution: Solution,
    linear: FloatArray,
    objective: Any,
) -> Allocation:
    total = float(programme.budget or 0.0)
    weights = exact_sum(solution.weights, total, programme.lower, programme.upper)
    risk = float(weights @ problem.covariance @ weights)
    return allocation(
        problem.assets,
        weights,
        objective=objective(weights, risk),
        kkt_residual=programme.residual(solution, linear),
        iterations=solution.iterations,
        condition_number=Later(lambda: condition_number(problem.covariance)),
    )
