"""The strategies that come with the package."""

from mts1b_research.strategies.factor import FactorStrategy
from mts1b_research.strategies.risk_parity import RiskParityRebalance
from mts1b_research.strategies.rule import RuleStrategy
from mts1b_research.strategies.trend_following import TrendFollowing
from mts1b_research.strategies.webhook import Webhook

__all__ = ["FactorStrategy", "RiskParityRebalance", "RuleStrategy", "TrendFollowing", "Webhook"]
