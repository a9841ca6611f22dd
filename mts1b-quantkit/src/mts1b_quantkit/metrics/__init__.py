"""One definition per metric, on one series (T,) or on K series at once (T, K).

Returns are simple, as fractions, and never annualised on input; a risk-free rate or threshold is
per period. An undefined ratio is NaN or infinite. One series gives a float, a matrix one number
per column in the input's kind.
"""

from mts1b_quantkit.metrics.benchmark import (
    alpha,
    beta,
    capture_ratio,
    down_capture,
    information_ratio,
    tracking_error,
    up_capture,
)
from mts1b_quantkit.metrics.drawdown import average_drawdown, drawdown_series, max_drawdown
from mts1b_quantkit.metrics.growth import cagr, total_return
from mts1b_quantkit.metrics.outcomes import (
    omega,
    payoff_ratio,
    profit_factor,
    stability,
    tail_ratio,
    win_rate,
)
from mts1b_quantkit.metrics.overfitting import (
    Overfitting,
    probability_of_backtest_overfitting,
)
from mts1b_quantkit.metrics.ratios import calmar, sharpe, sortino
from mts1b_quantkit.metrics.significance import (
    annualise_sharpe,
    deflated_sharpe,
    deflated_sharpe_from_moments,
    expected_max_sharpe,
    min_backtest_length,
    min_track_record_length,
    min_track_record_length_from_moments,
    probabilistic_sharpe,
    probabilistic_sharpe_from_moments,
    sharpe_standard_error,
    sharpe_standard_error_from_moments,
)
from mts1b_quantkit.metrics.spread import (
    annual_volatility,
    downside_deviation,
    kurtosis,
    mean_absolute_deviation,
    semi_deviation,
    skewness,
)
from mts1b_quantkit.metrics.summary import SUMMARY_METRICS, summary
from mts1b_quantkit.metrics.tail import (
    entropic_value_at_risk,
    expected_shortfall,
    value_at_risk,
)
from mts1b_quantkit.metrics.under_water import (
    conditional_drawdown_at_risk,
    drawdown_table,
    pain_index,
    ulcer_index,
)
from mts1b_quantkit.metrics.windows import rolling

__all__ = [
    "ROLLING_METRICS",
    "SUMMARY_METRICS",
    "Overfitting",
    "alpha",
    "annual_volatility",
    "annualise_sharpe",
    "average_drawdown",
    "beta",
    "cagr",
    "calmar",
    "capture_ratio",
    "conditional_drawdown_at_risk",
    "deflated_sharpe",
    "deflated_sharpe_from_moments",
    "down_capture",
    "downside_deviation",
    "drawdown_series",
    "drawdown_table",
    "entropic_value_at_risk",
    "expected_max_sharpe",
    "expected_shortfall",
    "information_ratio",
    "kurtosis",
    "max_drawdown",
    "mean_absolute_deviation",
    "min_backtest_length",
    "min_track_record_length",
    "min_track_record_length_from_moments",
    "omega",
    "pain_index",
    "payoff_ratio",
    "probabilistic_sharpe",
    "probabilistic_sharpe_from_moments",
    "probability_of_backtest_overfitting",
    "profit_factor",
    "rolling",
    "semi_deviation",
    "sharpe",
    "sharpe_standard_error",
    "sharpe_standard_error_from_moments",
    "skewness",
    "sortino",
    "stability",
    "summary",
    "tail_ratio",
    "total_return",
    "tracking_error",
    "ulcer_index",
    "up_capture",
    "value_at_risk",
    "win_rate",
]

ROLLING_METRICS = frozenset(
    {
        "annual_volatility",
        "average_drawdown",
        "cagr",
        "calmar",
        "conditional_drawdown_at_risk",
        "deflated_sharpe",
        "downside_deviation",
        "entropic_value_at_risk",
        "expected_shortfall",
        "kurtosis",
        "max_drawdown",
        "mean_absolute_deviation",
        "min_track_record_length",
        "omega",
        "pain_index",
        "payoff_ratio",
        "probabilistic_sharpe",
        "profit_factor",
        "semi_deviation",
        "sharpe",
        "sharpe_standard_error",
        "skewness",
        "sortino",
        "stability",
        "tail_ratio",
        "total_return",
        "ulcer_index",
        "value_at_risk",
        "win_rate",
    }
)
"""The metrics that give one number a series from its returns alone."""
