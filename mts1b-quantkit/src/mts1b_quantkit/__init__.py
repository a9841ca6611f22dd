"""The mathematics of systematic trading: allocators, metrics, costs and factors.

Import the room you need: ``mts1b_quantkit.covariance``, ``allocators``, ``metrics``, ``risk``,
``factors``, ``cost_models`` or ``universe_filters``. Here are only the errors that they share.
"""

from mts1b_quantkit.errors import (
    BadInput,
    Infeasible,
    NaNInput,
    NotPositiveDefinite,
    QuantError,
)

__all__ = ["BadInput", "Infeasible", "NaNInput", "NotPositiveDefinite", "QuantError"]
