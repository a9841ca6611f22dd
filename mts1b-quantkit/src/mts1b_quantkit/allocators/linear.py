"""Allocations whose risk is piecewise linear: each is one linear programme over the scenarios.

The rows of the returns are equally likely scenarios. HiGHS solves the programmes, through scipy,
which is imported when it is first needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mts1b_quantkit.allocators.bounds import read_bounds, read_budget
from mts1b_quantkit.allocators.inputs import read_assets
from mts1b_quantkit.allocators.result import Allocation, allocation, exact_sum
from mts1b_quantkit.arrays import FloatArray, Table
from mts1b_quantkit.errors import BadInput, Infeasible
from mts1b_quantkit.metrics.columns import require_confidence

__all__ = ["min_cdar", "min_cvar", "min_mad"]


def min_cvar(
    returns: Any, *, confidence: float = 0.95, bounds: Any = (0, 1), budget: float = 1.0
) -> Allocation:
    """Find the weights of least expected shortfall (Rockafellar and Uryasev 2000).

    :param returns: (T, N) simple returns.
    :return: diagnostics ``objective`` (the mean loss of the worst 1 - confidence of the rows, the
        last one in part, positive), ``value_at_risk`` and ``iterations``.
    :raises Infeasible: when the bounds do not allow the budget, or nothing limits the risk.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import min_cvar
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> min_cvar(returns).weights.round(6).tolist()
    [0.285714, 0.714286]
    """
    from scipy import sparse

    budget = read_budget(budget)
    tail = 1.0 - require_confidence(confidence)
    assets, values, unit = _read(returns)
    rows, columns = values.shape
    # minimise a + sum(u) / (tail T), u_t >= -r_t'w - a, over (w, a, u)
    cost = np.concatenate((np.zeros(columns), [1.0], np.full(rows, 1.0 / (tail * rows))))
    above = sparse.hstack((-values, -np.ones((rows, 1)), -sparse.eye_array(rows)), format="csr")
    limits = [(None, None)] + [(0.0, None)] * rows
    found = _solve(assets, cost, above, np.zeros(rows), limits, bounds, budget)
    return allocation(
        assets,
        exact_sum(found.x[:columns], budget, *read_bounds(bounds, assets)),
        objective=float(found.fun) * unit,
        value_at_risk=float(found.x[columns]) * unit,
        iterations=int(found.nit),
    )


def min_mad(returns: Any, *, bounds: Any = (0, 1), budget: float = 1.0) -> Allocation:
    """Find the weights of least mean absolute deviation (Konno and Yamazaki 1991).

    :return: diagnostics ``objective`` (mean |r - mean|) and ``iterations``.
    :raises Infeasible: when the bounds do not allow the budget.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import min_mad
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> min_mad(returns).weights.round(6).tolist()
    [0.444444, 0.555556]
    """
    from scipy import sparse

    budget = read_budget(budget)
    assets, values, unit = _read(returns)
    rows, columns = values.shape
    centred = values - values.mean(axis=0)
    # The deviations sum to zero, so their mean size is twice the mean of the negative ones.
    cost = np.concatenate((np.zeros(columns), np.full(rows, 2.0 / rows)))
    above = sparse.hstack((-centred, -sparse.eye_array(rows)), format="csr")
    limits = [(0.0, None)] * rows
    found = _solve(assets, cost, above, np.zeros(rows), limits, bounds, budget)
    return allocation(
        assets,
        exact_sum(found.x[:columns], budget, *read_bounds(bounds, assets)),
        objective=float(found.fun) * unit,
        iterations=int(found.nit),
    )


def min_cdar(
    returns: Any, *, confidence: float = 0.95, bounds: Any = (0, 1), budget: float = 1.0
) -> Allocation:
    """Find the weights of least conditional drawdown at risk (Chekhlov, Uryasev, Zabarankin 2005).

    Drawdowns are of the uncompounded sum of returns, below its highest value so far; the start
    counts as zero.

    :return: diagnostics ``objective`` (the mean of the worst 1 - confidence of the drawdowns,
        positive) and ``iterations``.
    :raises Infeasible: when the bounds do not allow the budget.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import min_cdar
    >>> returns = np.array([[0.01, 0.02], [-0.02, 0.01], [0.03, -0.01], [0.0, 0.02]])
    >>> min_cdar(returns).weights.round(6).tolist()
    [0.333333, 0.666667]
    """
    from scipy import sparse

    budget = read_budget(budget)
    tail = 1.0 - require_confidence(confidence)
    assets, values, unit = _read(returns)
    rows, columns = values.shape
    # u_t = max(u_{t-1} - r_t'w, 0) is the drawdown; z_t >= u_t - a its part beyond the threshold
    cost = np.concatenate(
        (np.zeros(columns), [1.0], np.full(rows, 1.0 / (tail * rows)), np.zeros(rows))
    )
    one = sparse.eye_array(rows, format="csr")
    before = sparse.eye_array(rows, k=-1, format="csr")
    nothing = sparse.csr_array((rows, rows))
    beyond = sparse.hstack(
        (sparse.csr_array((rows, columns)), -np.ones((rows, 1)), -one, one), format="csr"
    )
    falls = sparse.hstack(
        (-values, sparse.csr_array((rows, 1)), nothing, before - one), format="csr"
    )
    limits = [(None, None)] + [(0.0, None)] * (2 * rows)
    found = _solve(
        assets,
        cost,
        sparse.vstack((beyond, falls), format="csr"),
        np.zeros(2 * rows),
        limits,
        bounds,
        budget,
    )
    return allocation(
        assets,
        exact_sum(found.x[:columns], budget, *read_bounds(bounds, assets)),
        objective=float(found.fun) * unit,
        iterations=int(found.nit),
    )


def _read(returns: Any) -> tuple[Table, FloatArray, float]:
    """Return the assets, and the returns in a unit (a power of two) in which they are near one.

    The solver's tolerances are absolute; the weights do not depend on the unit.
    """
    assets = read_assets(returns, None)
    largest = float(np.abs(assets.values).max())
    unit = math.ldexp(1.0, math.frexp(largest)[1]) if largest > 0.0 else 1.0
    return assets, assets.values / unit, unit


def _solve(
    assets: Table,
    cost: FloatArray,
    above: Any,
    right: FloatArray,
    limits: Sequence[tuple[float | None, float | None]],
    bounds: Any,
    total: float,
) -> Any:
    """Minimise cost'x with above x <= right, the weights first in x and summing to a total."""
    from scipy import sparse
    from scipy.optimize import linprog

    lower, upper = read_bounds(bounds, assets)
    columns = len(lower)
    weights = [
        (None if np.isinf(low) else low, None if np.isinf(high) else high)
        for low, high in zip(lower, upper, strict=True)
    ]
    weighs = np.zeros((1, len(cost)))
    weighs[0, :columns] = 1.0
    found = linprog(
        cost,
        A_ub=above,
        b_ub=right,
        A_eq=sparse.csr_array(weighs),
        b_eq=[total],
        bounds=[*weights, *limits],
        method="highs",
    )
    if found.status == 2:
        raise Infeasible(
            f"the bounds allow sums from {lower.sum():.6g} to {upper.sum():.6g}, the budget is "
            f"{total:.6g}; widen the bounds"
        )
    if found.status == 3:
        raise Infeasible("nothing limits the risk from below; give finite bounds")
    if found.status != 0:
        raise BadInput(f"the solver gave up: {found.message}")
    return found
