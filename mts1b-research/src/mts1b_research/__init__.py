"""Run strategies and promote them."""

from mts1b_research.errors import (
    ResearchError,
    StrategyConfigError,
    UnknownStrategy,
)
from mts1b_research.mandates import Mandate
from mts1b_research.pipeline import STAGES, IntentPipeline, PlannedOrder
from mts1b_research.registry import StrategyRegistry
from mts1b_research.strategy import MarketView, Strategy, StrategyBook

__all__ = [
    "STAGES",
    "IntentPipeline",
    "Mandate",
    "MarketView",
    "PlannedOrder",
    "ResearchError",
    "Strategy",
    "StrategyBook",
    "StrategyConfigError",
    "StrategyRegistry",
    "UnknownStrategy",
]
