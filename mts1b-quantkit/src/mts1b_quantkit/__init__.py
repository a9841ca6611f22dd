"""The mathematics of systematic trading: allocators, metrics, costs and factors.

Import the room you need: ``mts1b_quantkit.covariance``, ``allocators``, ``metrics``, ``risk``,
``factors``, ``cv``, ``cost_models``, ``universe_filters``, ``microstructure``, ``volatility`` or
``options``. Here are only the errors that they share.
"""

from mts1b_quantkit.errors import (
    BadInput,
    Infeasible,
    NaNInput,
    NotConverged,
    NotPositiveDefinite,
    QuantError,
)

__all__ = [
    "BadInput",
    "Infeasible",
    "NaNInput",
    "NotConverged",
    "NotPositiveDefinite",
    "QuantError",
]
