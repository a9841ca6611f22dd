"""Who may trade what: the mandates of the configuration, or one for each strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mts1b_foundation import AssetClass, Symbol
from mts1b_foundation.limits import Mandate
from mts1b_platform.config import Settings

__all__ = ["MandateTable", "mandates_of"]

_SELF = "configuration"


@dataclass(frozen=True, slots=True)
class MandateTable:
    """Find mandates by fund and strategy.

    ``required``: an order without a mandate is denied. ``implicit``: they follow from the
    strategies of the configuration and no one wrote them down. ``classes``: what each fund trades
    at all; a fund that is not in it trades what its envelope allows. ``members``: who may trade
    for a fund; for one that is not in it, who has a mandate.
    """

    mandates: tuple[Mandate, ...] = ()
    required: bool = False
    implicit: bool = False
    classes: Mapping[str, frozenset[AssetClass]] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _by_key: dict[tuple[str, str], Mandate] = field(init=False, default_factory=dict)
    _symbols: dict[str, frozenset[Symbol]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for mandate in self.mandates:
            self._by_key[mandate.fund_id, mandate.strategy_id] = mandate
            self._symbols[mandate.mandate_id] = frozenset(mandate.symbols)

    def find(self, fund_id: str, strategy_id: str) -> Mandate | None:
        """Return the mandate of a strategy for a fund, or None."""
        return self._by_key.get((fund_id, strategy_id))

    def covers(self, mandate: Mandate, symbol: Symbol) -> bool:
        """Return whether the mandate lists a symbol."""
        return symbol in self._symbols[mandate.mandate_id]


def mandates_of(settings: Settings) -> MandateTable:
    """Return the configured mandates; without any, each strategy may trade its own symbols."""
    funds = [row.fund for row in settings.funds]
    classes = {fund.fund_id: frozenset(fund.asset_classes) for fund in funds}
    members = {fund.fund_id: frozenset(fund.strategies) for fund in funds if fund.strategies}
    if settings.mandates:
        known = tuple(settings.mandates)
        return MandateTable(known, required=True, classes=classes, members=members)
    implied = tuple(
        Mandate(
            mandate_id=f"strategy:{row.strategy_id}",
            strategy_id=row.strategy_id,
            fund_id=row.fund_id,
            symbols=[Symbol(name) for name in row.symbols],
            owner=_SELF,
        )
        for row in settings.strategies
    )
    return MandateTable(
        implied,
        required=bool(implied),
        implicit=bool(implied),
        classes=classes,
        members=members,
    )
