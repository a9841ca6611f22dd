"""Turn signals into target positions: choose, size, scale, compose, net into orders."""

from mts1b_portfolio.arbitration import Arbitration, ScoredSignal, arbitrate, arbitration_score
from mts1b_portfolio.capacity import (
    FundCapacity,
    PositionCapacity,
    fund_capacity,
    position_capacity,
)
from mts1b_portfolio.composite import kelly_voltarget_12
from mts1b_portfolio.errors import AllocatorFailed, BadTarget, MissingPrice, PortfolioError
from mts1b_portfolio.failures import (
    AllocationOutcome,
    AllocationSettings,
    FailurePolicy,
    allocate,
)
from mts1b_portfolio.growth import kelly_log_optimal
from mts1b_portfolio.kelly import (
    kelly_binary,
    kelly_binary_growth,
    kelly_fraction,
    kelly_growth,
)
from mts1b_portfolio.multi_sleeve import Composition, compose
from mts1b_portfolio.netting import OrderDelta, net_to_orders, weights_to_quantities
from mts1b_portfolio.sessions import SessionMatrix, SessionRule
from mts1b_portfolio.sizers import equal_weight_long, equal_weight_ls, fixed_weight
from mts1b_portfolio.strategy_netting import Crossing, NetOrder, NettedBook, net_strategies
from mts1b_portfolio.volatility_target import vol_target_weights

__all__ = [
    "AllocationOutcome",
    "AllocationSettings",
    "AllocatorFailed",
    "Arbitration",
    "BadTarget",
    "Composition",
    "Crossing",
    "FailurePolicy",
    "FundCapacity",
    "MissingPrice",
    "NetOrder",
    "NettedBook",
    "OrderDelta",
    "PortfolioError",
    "PositionCapacity",
    "ScoredSignal",
    "SessionMatrix",
    "SessionRule",
    "allocate",
    "arbitrate",
    "arbitration_score",
    "compose",
    "equal_weight_long",
    "equal_weight_ls",
    "fixed_weight",
    "fund_capacity",
    "kelly_binary",
    "kelly_binary_growth",
    "kelly_fraction",
    "kelly_growth",
    "kelly_log_optimal",
    "kelly_voltarget_12",
    "net_strategies",
    "net_to_orders",
    "position_capacity",
    "vol_target_weights",
    "weights_to_quantities",
]
