"""Weights that look at no more than each asset's own variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from mts1b_quantkit.allocators.inputs import read_assets, read_problem
from mts1b_quantkit.allocators.result import Allocation, allocation, to_budget

__all__ = ["equal_weights", "inverse_variance", "inverse_volatility"]


def equal_weights(returns: Any, *, covariance: Any = None) -> Allocation:
    """Give each of the N columns 1/N."""
    assets = read_assets(returns, covariance)
    return allocation(assets, to_budget(np.ones(len(assets.labels))))


def inverse_volatility(returns: Any, *, covariance: Any = None) -> Allocation:
    """Weigh each asset by one over its standard deviation.

    :raises BadInput: naming an asset without variance.
    """
    problem = read_problem(returns, covariance)
    return allocation(problem.assets, to_budget(1.0 / np.sqrt(problem.variances)))


def inverse_variance(returns: Any, *, covariance: Any = None) -> Allocation:
    """Weigh each asset by one over its variance.

    :raises BadInput: naming an asset without variance.
    """
    problem = read_problem(returns, covariance)
    return allocation(problem.assets, to_budget(1.0 / problem.variances))
