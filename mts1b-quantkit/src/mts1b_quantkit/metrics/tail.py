"""The bad end of the distribution, as a (usually negative) RETURN.

``mts1b_quantkit.risk`` states the same quantities as positive losses.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from mts1b_quantkit.arrays import FloatArray
from mts1b_quantkit.metrics.columns import Measure, reduce_columns, require_confidence
from mts1b_quantkit.metrics.sample import Sample
from mts1b_quantkit.metrics.spread import excess_kurtosis, skew
from mts1b_quantkit.scalars import read_choice
from mts1b_quantkit.special import ndtri

__all__ = [
    "cornish_fisher",
    "entropic_value_at_risk",
    "entropic_value_at_risk_of",
    "expected_shortfall",
    "expected_shortfall_of",
    "fractional_tail",
    "normal_density",
    "value_at_risk",
    "value_at_risk_of",
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

    >>> from mts1b_quantkit.metrics import value_at_risk
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(value_at_risk(returns), 6)
    -0.018
    """
    return reduce_columns(returns, value_at_risk_of(confidence, method))


def value_at_risk_of(confidence: float, method: str) -> Measure:
    """Return the measure with its parameters."""
    tail = 1.0 - require_confidence(confidence)
    read_choice("method", method, _QUANTILES)
    return lambda sample: _QUANTILES[method](sample, tail)


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

    >>> from mts1b_quantkit.metrics import expected_shortfall
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(expected_shortfall(returns), 6)
    -0.02
    """
    return reduce_columns(returns, expected_shortfall_of(confidence, method))


def expected_shortfall_of(confidence: float, method: str) -> Measure:
    """Return the measure with its parameters."""
    tail = 1.0 - require_confidence(confidence)
    read_choice("method", method, _SHORTFALLS)
    return lambda sample: _SHORTFALLS[method](sample, tail)


def entropic_value_at_risk(returns: Any, *, confidence: float = 0.95) -> Any:
    """Return the entropic value at risk as a (usually negative) return.

    -inf over z > 0 of z log(mean(exp(-r / z)) / (1 - confidence)): the tightest Chernoff bound of
    the value at risk, never above the expected shortfall (Ahmadi-Javid 2012).

    :raises BadInput: for a confidence outside (0, 1).

    >>> from mts1b_quantkit.metrics import entropic_value_at_risk
    >>> returns = [0.03, -0.02, 0.01, 0.04, -0.01]
    >>> round(entropic_value_at_risk(returns), 6)
    -0.02
    """
    return reduce_columns(returns, entropic_value_at_risk_of(confidence))


def entropic_value_at_risk_of(confidence: float) -> Measure:
    """Return the measure with its parameter."""
    tail = 1.0 - require_confidence(confidence)
    return lambda sample: np.array([-_entropic(series, tail) for series in sample.values])


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


def fractional_tail(sample: Sample, tail: float) -> FloatArray:
    """Return the mean of the ``tail`` * T smallest values of each series, the last in part."""
    amount = _settle(tail * sample.rows)
    whole = math.floor(amount)
    ordered = sample.lowest(min(whole + 1, sample.rows))
    total = ordered[:, :whole].sum(axis=1)
    if amount > whole:
        total = total + (amount - whole) * ordered[:, whole]
    return np.asarray(total / amount)


def _settle(amount: float) -> float:
    """Undo the rounding of products like (1 - 0.95) * 20 = 1.0000000000000009."""
    nearest = round(amount)
    return float(nearest) if nearest and abs(amount - nearest) < 1e-9 * nearest else amount


def _historical(sample: Sample, tail: float) -> FloatArray:
    return sample.quantile(tail)


def _order(sample: Sample, tail: float) -> FloatArray:
    position = max(1, math.ceil(_settle(tail * sample.rows)))
    return np.array(sample.lowest(position)[:, -1])


def _gaussian(sample: Sample, tail: float) -> FloatArray:
    return np.asarray(sample.mean + float(ndtri(tail)) * sample.deviation)


def _cornish_fisher(sample: Sample, tail: float) -> FloatArray:
    z = cornish_fisher(float(ndtri(tail)), skew(sample), excess_kurtosis(sample))
    return np.asarray(sample.mean + z * sample.deviation)


def _empirical(sample: Sample, tail: float) -> FloatArray:
    count = int(_settle((sample.rows - 1) * tail)) + 1
    return np.asarray(sample.lowest(count).mean(axis=1))


def _below_var(sample: Sample, tail: float) -> FloatArray:
    inside = sample.values <= _historical(sample, tail)[:, None]
    return np.asarray(np.where(inside, sample.values, 0.0).sum(axis=1) / inside.sum(axis=1))


def _gaussian_shortfall(sample: Sample, tail: float) -> FloatArray:
    density = normal_density(float(ndtri(tail)))
    return np.asarray(sample.mean - density / tail * sample.deviation)


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
