"""The sleeves that the settings describe: a strategy each, with the pipeline that trades it."""

from __future__ import annotations

from mts1b_foundation.orders import ExecutionMode
from mts1b_platform.config import Settings

from mts1b_research.mandates import Mandate
from mts1b_research.pipeline import IntentPipeline
from mts1b_research.registry import StrategyRegistry
from mts1b_research.runner import Sleeve

__all__ = ["check_settings", "sleeves_of"]


def sleeves_of(settings: Settings, registry: StrategyRegistry) -> list[Sleeve]:
    """Return the sleeves of every strategy that is enabled."""
    brokers = {fund.fund.fund_id: fund.fund.broker for fund in settings.funds}
    return [
        Sleeve(
            registry.build(entry),
            IntentPipeline(
                Mandate.from_settings(entry),
                mode=ExecutionMode(settings.mode),
                broker=brokers[entry.fund_id],
            ),
        )
        for entry in settings.strategies
        if entry.enabled
    ]


def check_settings(settings: Settings) -> None:
    """Refuse settings whose strategies could not be built; part of ``mts config check``.

    :raises UnknownStrategy, StrategyConfigError, PluginBroken: as the service's start would.
    """
    sleeves_of(settings, StrategyRegistry())
