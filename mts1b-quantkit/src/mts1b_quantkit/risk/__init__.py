"""Measures of risk for limits and reports: LOSSES are positive here."""

from mts1b_quantkit.risk.measures import (
    expected_shortfall,
    expected_shortfall_from_moments,
    value_at_risk,
    value_at_risk_from_moments,
)
from mts1b_quantkit.risk.volatility import ewma_volatility

__all__ = [
    "ewma_volatility",
    "expected_shortfall",
    "expected_shortfall_from_moments",
    "value_at_risk",
    "value_at_risk_from_moments",
]
