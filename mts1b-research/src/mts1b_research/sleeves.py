"""The sleeves that the settings describe: a strategy each, with the pipeline that trades it."""

from __future__ import annotations

from collections.abc import Sequence

from mts1b_foundation.orders import ExecutionMode
from mts1b_platform.config import Settings

from mts1b_research.errors import StrategyConfigError
from mts1b_research.mandates import Mandate
from mts1b_research.pipeline import IntentPipeline
from mts1b_research.registry import StrategyRegistry
from mts1b_research.runner import Sleeve
from mts1b_research.strategies.webhook import Webhook

__all__ = ["check_settings", "sleeves_of"]


def sleeves_of(settings: Settings, registry: StrategyRegistry) -> list[Sleeve]:
    """Return the sleeves of every strategy that is enabled.

    :raises StrategyConfigError: when signals from outside are for one that takes none.
    """
    brokers = {fund.fund.fund_id: fund.fund.broker for fund in settings.funds}
    lots = {one.symbol: one.lot_size for one in settings.instruments}
    made = [
        Sleeve(
            registry.build(entry),
            IntentPipeline(
                Mandate.from_settings(entry),
                mode=ExecutionMode(settings.mode),
                broker=brokers[entry.fund_id],
                lots=lots,
            ),
        )
        for entry in settings.strategies
        if entry.enabled
    ]
    _signals_are_traded(settings, made)
    return made


def _signals_are_traded(settings: Settings, made: Sequence[Sleeve]) -> None:
    takes_none = {
        sleeve.strategy.strategy_id for sleeve in made if not isinstance(sleeve.strategy, Webhook)
    }
    for index, source in enumerate(settings.api.signals):
        if source.strategy_id in takes_none:
            raise StrategyConfigError(
                f"api.signals.{index}.strategy_id: {source.strategy_id} is not of kind webhook, so "
                f"it would trade no signal of {source.source}; name one that is"
            )


def check_settings(settings: Settings) -> None:
    """Refuse settings whose strategies could not be built; part of ``mts config check``.

    :raises UnknownStrategy, StrategyConfigError, PluginBroken: as the service's start would.
    """
    sleeves_of(settings, StrategyRegistry())
