"""Measures of risk for limits and reports: LOSSES are positive here."""

from mts1b_quantkit.risk.backtests import (
    CoverageTest,
    TrafficLight,
    acerbi_szekely_z2,
    basel_traffic_light,
    christoffersen,
    conditional_coverage,
    kupiec,
)
from mts1b_quantkit.risk.components import ComponentVar, component_var
from mts1b_quantkit.risk.garch import GarchForecast, GarchParameters, garch_forecast
from mts1b_quantkit.risk.measures import (
    expected_shortfall,
    expected_shortfall_from_moments,
    value_at_risk,
    value_at_risk_from_moments,
)
from mts1b_quantkit.risk.volatility import ewma_volatility

__all__ = [
    "ComponentVar",
    "CoverageTest",
    "GarchForecast",
    "GarchParameters",
    "TrafficLight",
    "acerbi_szekely_z2",
    "basel_traffic_light",
    "christoffersen",
    "component_var",
    "conditional_coverage",
    "ewma_volatility",
    "expected_shortfall",
    "expected_shortfall_from_moments",
    "garch_forecast",
    "kupiec",
    "value_at_risk",
    "value_at_risk_from_moments",
]
