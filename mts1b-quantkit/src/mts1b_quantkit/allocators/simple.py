"""Weights that look at no more than each asset's own variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.allocators.inputs import read_assets, read_problem
from mts1b_quantkit.allocators.result import Allocation, allocation, to_budget

__all__ = ["equal_weights", "inverse_variance", "inverse_volatility"]


def equal_weights(returns: Any, *, covariance: Any = None) -> Allocation:
    """Give each of the N columns 1/N.

    >>> from mts1b_quantkit.allocators import equal_weights
    >>> equal_weights({"SPY": [0.01, 0.02], "TLT": [0.0, -0.01]}).weights
    {'SPY': 0.5, 'TLT': 0.5}
    """
    assets = read_assets(returns, covariance)
    return allocation(assets, to_budget(np.ones(len(assets.labels))))


def inverse_volatility(returns: Any, *, covariance: Any = None) -> Allocation:
    """Weigh each asset by one over its standard deviation.

    :raises BadInput: naming an asset without variance.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import inverse_volatility
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> inverse_volatility(None, covariance=covariance).weights.round(6).tolist()
    [0.6, 0.4]
    """
    problem = read_problem(returns, covariance)
    return allocation(problem.assets, to_budget(1.0 / np.sqrt(problem.variances)))


def inverse_variance(returns: Any, *, covariance: Any = None) -> Allocation:
    """Weigh each asset by one over its variance.

    :raises BadInput: naming an asset without variance.

    >>> import numpy as np
    >>> from mts1b_quantkit.allocators import inverse_variance
    >>> covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    >>> inverse_variance(None, covariance=covariance).weights.round(6).tolist()
    [0.692308, 0.307692]
    """
    problem = read_problem(returns, covariance)
    return allocation(problem.assets, to_budget(1.0 / problem.variances))
