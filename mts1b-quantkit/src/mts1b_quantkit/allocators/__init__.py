"""From past returns to weights: each allocator is a function with a stated definition.

Call any of them on a (T, N) matrix of simple returns, or on ``None`` with ``covariance=``.
"""

from mts1b_quantkit.allocators.hierarchical import hrp_weights
from mts1b_quantkit.allocators.result import Allocation
from mts1b_quantkit.allocators.risk_parity import risk_parity
from mts1b_quantkit.allocators.simple import (
    equal_weights,
    inverse_variance,
    inverse_volatility,
)

__all__ = [
    "Allocation",
    "equal_weights",
    "hrp_weights",
    "inverse_variance",
    "inverse_volatility",
    "risk_parity",
]
