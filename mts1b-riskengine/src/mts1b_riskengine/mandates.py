"""Who may trade what: the mandates of the configuration, or one for each strategy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mts1b_foundation import Symbol
from mts1b_foundation.limits import Mandate
from mts1b_platform.config import Settings
from mts1b_platform.errors import FixConfiguration

__all__ = ["MandateTable", "mandates_of"]

_SELF = "configuration"


@dataclass(frozen=True, slots=True)
class MandateTable:
    """Find mandates by fund and strategy.

    ``required``: an order without a mandate is denied. ``implicit``: they follow from the
    strategies of the configuration and no one wrote them down.
    """

    mandates: tuple[Mandate, ...] = ()
    required: bool = False
    implicit: bool = False
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
    """Return the configured mandates; without any, each strategy may trade its own symbols.

    :raises FixConfiguration: when a strategy names what is no symbol.
    """
    if settings.mandates:
        return MandateTable(tuple(settings.mandates), required=True)
    implied = tuple(
        Mandate(
            mandate_id=f"strategy:{row.strategy_id}",
            strategy_id=row.strategy_id,
            fund_id=row.fund_id,
            symbols=_symbols(row.strategy_id, row.symbols),
            owner=_SELF,
        )
        for row in settings.strategies
    )
    return MandateTable(implied, required=bool(implied), implicit=bool(implied))


def _symbols(strategy_id: str, names: Iterable[str]) -> list[Symbol]:
    try:
        return [Symbol(name) for name in names]
    except ValueError as error:
        raise FixConfiguration(f"strategy {strategy_id}: {error}") from error
