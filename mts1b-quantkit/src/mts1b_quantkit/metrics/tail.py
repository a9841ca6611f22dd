"""The bad end of the distribution, as a (usually negative) RETURN.

``mts1b_quantkit.risk`` states the same quantities as positive losses.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import (
    deviation,
    quantiles,
    reduce_columns,
    require_confidence,
)
from mts1b_quantkit.metrics.spread import excess_kurtosis, skew
from mts1b_quantkit.special import ndtri

__all__ = [
    "cornish_fisher",
    "entropic_value_at_risk",
    "expected_shortfall",
    "fractional_tail",
    "normal_density",
    "value_at_risk",
]


def value_at_risk(
    returns: Any,
    *,
    confidence: float = 0.95,
    method: Literal["historical", "order", "gaussian", "cornish_fisher"] = "historical",
) -> Any:
    """Return the return that is undercut with probability 1 - ``confidence``.

    ``historical``: the linearly interpolated quantile. ``order``: the ceil((1 - confidence) T)-th
    smallest return. ``gaussian``: mean + z sd (ddof=1). ``cornish_fisher``: z corrected for the
    population skewness and excess kurtosis (Favre and Galeano 2002).

    :raises BadInput: for an unknown method or a confidence outside (0, 1).
    """
    tail = 1.0 - require_confidence(confidence)
    if method not in _QUANTILES:
        raise BadInput(f"method is {method!r}; use one of {', '.join(_QUANTILES)}")
    return reduce_columns(returns, lambda values: _QUANTILES[method](values, tail))


def expected_shortfall(
    returns: Any,
    *,
    confidence: float = 0.95,
    method: Literal["fractional", "empirical", "below_var", "gaussian"] = "fractional",
) -> Any:
    """Return the mean return of the worst 1 - ``confidence`` of the cases.

    ``fractional``: exactly (1 - confidence) T observations, the last one in part (Rockafellar and
    Uryasev 2002; coherent). ``empirical``: the int((T - 1)(1 - confidence)) + 1 worst.
    ``below_var``: all returns at or below the historical value at risk. ``gaussian``: mean - sd
    phi(z) / (1 - confidence).

    :raises BadInput: for an unknown method or a confidence outside (0, 1).
    """
    tail = 1.0 - require_confidence(confidence)
    if method not in _SHORTFALLS:
        raise BadInput(f"method is {method!r}; use one of {', '.join(_SHORTFALLS)}")
    return reduce_columns(returns, lambda values: _SHORTFALLS[method](values, tail))


def entropic_value_at_risk(returns: Any, *, confidence: float = 0.95) -> Any:
    """Return the entropic value at risk as a (usually negative) return.

    -inf over z > 0 of z log(mean(exp(-r / z)) / (1 - confidence)): the tightest Chernoff bound of
    the value at risk, never above the expected shortfall (Ahmadi-Javid 2012).

    :raises BadInput: for a confidence outside (0, 1).
    """
    tail = 1.0 - require_confidence(confidence)
    return reduce_columns(
        returns, lambda values: np.array([-_entropic(column, tail) for column in values.T])
    )


def _entropic(returns: FloatArray, tail: float) -> float:
    """Minimise over 1/z, in units of the largest loss's distance from the mean."""
    from scipy.optimize import minimize_scalar  # slow to import, needed here alone

    losses = -returns
    worst, scale = float(losses.max()), float(losses.max() - losses.mean())
    at_worst = int((losses == worst).sum())
    if scale <= 8.0 * np.finfo(float).eps * abs(worst) or at_worst >= tail * len(losses):
        return worst  # the bound falls towards the worst loss as z goes to zero
    behind = (losses - worst) / scale

    def bound(rate: float) -> float:
        return float((np.log(np.exp(rate * behind).mean()) - math.log(tail)) / rate)

    found = minimize_scalar(
        lambda log_rate: bound(math.exp(log_rate)),
        bounds=(-20.0, 20.0),
        method="bounded",
        options={"xatol": 1e-11, "maxiter": 500},
    )
    return worst + scale * min(float(found.fun), 0.0)


def cornish_fisher(z: float, skewness: Any, kurtosis: Any) -> Any:
    """Return the third-order Cornish-Fisher quantile at the normal quantile ``z``."""
    return (
        z
        + (z**2 - 1.0) * skewness / 6.0
        + (z**3 - 3.0 * z) * kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
    )


def normal_density(z: float) -> float:
    """Return the standard normal density."""
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def fractional_tail(values: FloatArray, tail: float) -> FloatArray:
    """Return the mean of the ``tail`` * T smallest values of each column, the last in part."""
    amount = _settle(tail * len(values))
    whole = math.floor(amount)
    ordered = _smallest(values, min(whole + 1, len(values)))
    total = ordered[:whole].sum(axis=0)
    if amount > whole:
        total = total + (amount - whole) * ordered[whole]
    return np.asarray(total / amount)


def _smallest(values: FloatArray, count: int) -> FloatArray:
    """Return the ``count`` smallest of each column in rising order."""
    columns = np.ascontiguousarray(values.T)
    if count < len(values):
        columns = np.partition(columns, count - 1, axis=1)[:, :count]
    return np.ascontiguousarray(np.sort(columns, axis=1).T)


def _settle(amount: float) -> float:
    """Undo the rounding of products like (1 - 0.95) * 20 = 1.0000000000000009."""
    nearest = round(amount)
    return float(nearest) if nearest and abs(amount - nearest) < 1e-9 * nearest else amount


def _historical(values: FloatArray, tail: float) -> FloatArray:
    return quantiles(values, tail)[0]


def _order(values: FloatArray, tail: float) -> FloatArray:
    position = max(1, math.ceil(_settle(tail * len(values))))
    return np.asarray(_smallest(values, position)[-1])


def _gaussian(values: FloatArray, tail: float) -> FloatArray:
    return np.asarray(values.mean(axis=0) + float(ndtri(tail)) * deviation(values))


def _cornish_fisher(values: FloatArray, tail: float) -> FloatArray:
    z = cornish_fisher(float(ndtri(tail)), skew(values), excess_kurtosis(values))
    return np.asarray(values.mean(axis=0) + z * deviation(values))


def _empirical(values: FloatArray, tail: float) -> FloatArray:
    count = int(_settle((len(values) - 1) * tail)) + 1
    return np.asarray(_smallest(values, count).mean(axis=0))


def _below_var(values: FloatArray, tail: float) -> FloatArray:
    inside = values <= _historical(values, tail)
    return np.asarray(np.where(inside, values, 0.0).sum(axis=0) / inside.sum(axis=0))


def _gaussian_shortfall(values: FloatArray, tail: float) -> FloatArray:
    density = normal_density(float(ndtri(tail)))
    return np.asarray(values.mean(axis=0) - density / tail * deviation(values))


_QUANTILES = {
    "historical": _historical,
    "order": _order,
    "gaussian": _gaussian,
    "cornish_fisher": _cornish_fisher,
}
_SHORTFALLS = {
    "fractional": fractional_tail,
    "empirical": _empirical,
    "below_var": _below_var,
    "gaussian": _gaussian_shortfall,
}
