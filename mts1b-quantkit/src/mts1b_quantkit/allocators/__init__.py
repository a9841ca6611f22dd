"""From past returns to weights: each allocator is a function with a stated definition.

Call any of them on a (T, N) matrix of simple returns, or on ``None`` with ``covariance=``.
"""

from mts1b_quantkit.allocators.clusters import herc_weights, nco_weights
from mts1b_quantkit.allocators.frontier import Frontier, efficient_frontier
from mts1b_quantkit.allocators.hierarchical import hrp_weights
from mts1b_quantkit.allocators.linear import min_cdar, min_cvar, min_mad
from mts1b_quantkit.allocators.mean_variance import (
    efficient_return,
    max_diversification,
    max_sharpe,
    mean_variance,
    min_variance,
)
from mts1b_quantkit.allocators.result import Allocation
from mts1b_quantkit.allocators.risk_parity import risk_parity
from mts1b_quantkit.allocators.simple import (
    equal_weights,
    inverse_variance,
    inverse_volatility,
)
from mts1b_quantkit.allocators.views import (
    Posterior,
    black_litterman,
    black_litterman_posterior,
)

__all__ = [
    "Allocation",
    "Frontier",
    "Posterior",
    "black_litterman",
    "black_litterman_posterior",
    "efficient_frontier",
    "efficient_return",
    "equal_weights",
    "herc_weights",
    "hrp_weights",
    "inverse_variance",
    "inverse_volatility",
    "max_diversification",
    "max_sharpe",
    "mean_variance",
    "min_cdar",
    "min_cvar",
    "min_mad",
    "min_variance",
    "nco_weights",
    "risk_parity",
]
