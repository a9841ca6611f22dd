"""Which position the risk comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mts1b_quantkit.arrays import LARGEST, as_table, as_vector
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.metrics.columns import require_confidence
from mts1b_quantkit.special import ndtri

__all__ = ["ComponentVar", "component_var"]


@dataclass(frozen=True, slots=True, eq=False)
class ComponentVar:
    """Gaussian value at risk of a portfolio, as positive losses per period, and its parts.

    ``marginal`` is the change for each unit of weight; ``component`` (marginal times weight) sums
    to ``total``; ``incremental`` is the total less the value at risk with that weight at zero. All
    but the total are (N,) in the covariance's kind.
    """

    total: float
    marginal: Any
    component: Any
    incremental: Any


def component_var(weights: Any, covariance: Any, confidence: float = 0.95) -> ComponentVar:
    """Split z sqrt(w'Sw) among the positions (Garman 1996); the mean is ignored.

    :param weights: (N,). :param covariance: (N, N) per period.
    :raises BadInput: for shapes or labels that do not fit, or a portfolio without risk.

    >>> import numpy as np
    >>> from mts1b_quantkit.risk import component_var
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> component_var([0.6, 0.4], covariance).component.round(6).tolist()
    [0.150753, 0.150753]
    """
    quantile = float(ndtri(require_confidence(confidence)))
    table = as_table(covariance, what="covariance", largest=LARGEST**2)
    matrix = table.matrix
    if matrix.shape[0] != matrix.shape[1]:
        raise BadInput(f"covariance has shape {matrix.shape}; give an (N, N) matrix")
    w = as_vector(weights, table, what="weights")
    across = matrix @ w
    variance = float(w @ across)
    if not variance > 0.0:
        raise BadInput(f"the variance of the portfolio is {variance:.3g}; it has no risk to split")
    deviation = math.sqrt(variance)
    marginal = quantile * across / deviation
    without = np.maximum(variance - 2.0 * w * across + w**2 * np.diag(matrix), 0.0)
    total = quantile * deviation
    return ComponentVar(
        total=total,
        marginal=table.per_column(marginal),
        component=table.per_column(marginal * w),
        incremental=table.per_column(total - quantile * np.sqrt(without)),
    )
