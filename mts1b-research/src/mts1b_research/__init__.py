"""Run strategies and promote them.

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "STAGES": "pipeline",
    "IntentPipeline": "pipeline",
    "Mandate": "mandates",
    "MarketView": "strategy",
    "PlannedOrder": "pipeline",
    "ResearchError": "errors",
    "Strategy": "strategy",
    "StrategyBook": "strategy",
    "StrategyConfigError": "errors",
    "StrategyRegistry": "registry",
    "UnknownStrategy": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mts1b_research.{_HOMES[name]}"), name)
