"""Turn signals into target positions: size, scale to a volatility, net into orders."""

from mts1b_portfolio.errors import BadTarget, MissingPrice, PortfolioError
from mts1b_portfolio.growth import kelly_log_optimal
from mts1b_portfolio.kelly import (
    kelly_binary,
    kelly_binary_growth,
    kelly_fraction,
    kelly_growth,
)
from mts1b_portfolio.netting import OrderDelta, net_to_orders, weights_to_quantities
from mts1b_portfolio.sizers import equal_weight_long, equal_weight_ls, fixed_weight
from mts1b_portfolio.volatility_target import vol_target_weights

__all__ = [
    "BadTarget",
    "MissingPrice",
    "OrderDelta",
    "PortfolioError",
    "equal_weight_long",
    "equal_weight_ls",
    "fixed_weight",
    "kelly_binary",
    "kelly_binary_growth",
    "kelly_fraction",
    "kelly_growth",
    "kelly_log_optimal",
    "net_to_orders",
    "vol_target_weights",
    "weights_to_quantities",
]
