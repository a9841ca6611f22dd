"""One definition per metric, on one series (T,) or on K series at once (T, K).

Returns are simple, as fractions, and never annualised on input; a risk-free rate or threshold is
per period. An undefined ratio is NaN or infinite. One series gives a float, a matrix one number
per column in the input's kind.
"""

from mts1b_quantkit.metrics.drawdown import average_drawdown, drawdown_series, max_drawdown
from mts1b_quantkit.metrics.growth import cagr, total_return
from mts1b_quantkit.metrics.ratios import calmar, sharpe, sortino
from mts1b_quantkit.metrics.spread import (
    annual_volatility,
    downside_deviation,
    kurtosis,
    skewness,
)
from mts1b_quantkit.metrics.tail import expected_shortfall, value_at_risk

__all__ = [
    "annual_volatility",
    "average_drawdown",
    "cagr",
    "calmar",
    "downside_deviation",
    "drawdown_series",
    "expected_shortfall",
    "kurtosis",
    "max_drawdown",
    "sharpe",
    "skewness",
    "sortino",
    "total_return",
    "value_at_risk",
]
