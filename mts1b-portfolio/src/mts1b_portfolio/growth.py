"""Weights that maximise the mean log growth of observed returns (Kelly 1956; Breiman 1961)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mts1b_quantkit.allocators.bounds import read_bounds
from mts1b_quantkit.allocators.quadratic import Programme
from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.errors import BadInput, Infeasible

from mts1b_portfolio.inputs import read_number

__all__ = ["kelly_log_optimal"]

_STEPS = 200
_TOLERANCE = 1e-12
_SMALLEST = 1e-140


def kelly_log_optimal(returns: Any, *, bounds: Any = (0, 1), budget: float | None = 1.0) -> Any:
    """Maximise mean(log(1 + r'w)) over the rows, exactly.

    Damped Newton steps; each solves the quadratic model within bounds and budget, so the result
    meets the optimality conditions to 1e-9 of the growth's slope.

    :param returns: (T, A) simple returns; rows are equally likely outcomes.
    :param bounds: one pair for all, or one for each; (0, None) lets leverage go up to ruin.
    :param budget: the sum of the weights; None leaves it free (the rest is cash without interest,
        or borrowed).
    :return: (A,) weights in the input's kind, per column.
    :raises BadInput: for one series, or returns that are all zero.
    :raises Infeasible: when no allowed weights survive every row, the bounds do not allow the
        budget, or nothing ever loses, so that growth has no bound.

    >>> import numpy as np
    >>> from mts1b_portfolio import kelly_log_optimal
    >>> kelly_log_optimal(np.array([[0.1, 0.0], [-0.05, 0.0], [0.1, 0.0]])).round(6).tolist()
    [1.0, 0.0]
    """
    table = as_table(returns)
    if table.is_vector:
        raise BadInput("returns is one series; give a (T, A) matrix")
    values = table.values
    largest = float(np.abs(values).max(initial=0.0))
    if largest < _SMALLEST:
        raise BadInput(
            f"the largest return is {largest:g}; nothing below {_SMALLEST:g} can be told from "
            "standing still: drop the rows, or use larger units"
        )
    lower, upper = read_bounds(bounds, table)
    total = None if budget is None else read_number("budget", budget)
    weights = _start(values, lower, upper, total)
    for _ in range(_STEPS):
        wealth = 1.0 + values @ weights
        scaled = values / wealth[:, None]
        gradient = scaled.mean(axis=0)
        hessian = scaled.T @ scaled / len(values)
        hessian += np.eye(len(hessian)) * 1e-13 * max(float(np.trace(hessian)), 1e-300)
        programme = Programme(hessian, lower=lower, upper=upper, budget=total)
        target = programme.solve(hessian @ weights + gradient).weights
        direction = target - weights
        gain = float(gradient @ direction)
        if gain <= _TOLERANCE * max(1e-16, abs(float(np.log(wealth).mean()))):
            return table.per_column(target)  # the last step squares the error that is left
        weights = weights + _length(values, weights, direction, gain) * direction
        if np.abs(weights).max() > 1e8:
            raise Infeasible("growth has no bound: some weights gain in every row; give bounds")
    return table.per_column(weights)


def _start(
    values: FloatArray, lower: FloatArray, upper: FloatArray, budget: float | None
) -> FloatArray:
    """Return allowed weights under which every row leaves some capital."""
    size = len(lower)
    programme = Programme(np.eye(size), lower=lower, upper=upper, budget=budget)
    weights = programme.solve(np.zeros(size)).weights
    if _lowest(values, weights) > 0.0:
        return weights
    from scipy.optimize import linprog  # needed only where the plain start is ruined

    # maximise s with 1 + r'w >= s
    found = linprog(
        np.concatenate((np.zeros(size), [-1.0])),
        A_ub=np.hstack((-values, np.ones((len(values), 1)))),
        b_ub=np.ones(len(values)),
        A_eq=None if budget is None else np.concatenate((np.ones(size), [0.0]))[None, :],
        b_eq=None if budget is None else [budget],
        bounds=[
            *(
                (None if np.isinf(a) else a, None if np.isinf(b) else b)
                for a, b in zip(lower, upper, strict=True)
            ),
            (None, 1.0),
        ],
        method="highs",
    )
    if found.status != 0 or _lowest(values, found.x[:size]) <= 0.0:
        raise Infeasible("every allowed portfolio is ruined in some row; allow more cash")
    return np.asarray(found.x[:size])


def _lowest(values: FloatArray, weights: FloatArray) -> float:
    return float((1.0 + values @ weights).min())


def _length(values: FloatArray, weights: FloatArray, direction: FloatArray, gain: float) -> float:
    """Return how far to go: within survival, and at least a part of the promised gain."""
    wealth, change = 1.0 + values @ weights, values @ direction
    falling = change < 0.0
    reach = float((-wealth[falling] / change[falling]).min()) if falling.any() else math.inf
    step = min(1.0, 0.99 * reach)
    now = float(np.log(wealth).mean())
    while step > 1e-16:
        if float(np.log(wealth + step * change).mean()) >= now + 1e-4 * step * gain:
            return step
        step /= 2.0
    return 0.0
