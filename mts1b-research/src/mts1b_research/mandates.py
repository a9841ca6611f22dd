"""Mandates: which strategy may trade what, for which fund."""

from __future__ import annotations

from dataclasses import dataclass

from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_platform.config import StrategySettings

__all__ = ["Mandate"]


@dataclass(frozen=True, slots=True)
class Mandate:
    """The permission of one strategy: its fund and its symbols."""

    strategy_id: str
    fund_id: str
    symbols: frozenset[Symbol]
    active: bool = True

    @classmethod
    def from_settings(cls, settings: StrategySettings) -> Mandate:
        """Return the mandate that a configuration entry grants."""
        symbols = frozenset(Symbol(text) for text in settings.symbols)
        return cls(settings.strategy_id, settings.fund_id, symbols, settings.enabled)

    def objection(self, signal: Signal, *, held: bool = False) -> tuple[str, str] | None:
        """Return (code, reason) when the mandate does not cover the signal, else None.

        What is held can be left whether or not the mandate lists it (any more).
        """
        if not self.active:
            return "MANDATE_INACTIVE", f"the mandate of {self.strategy_id} is not active"
        if signal.strategy != self.strategy_id:
            return "MANDATE_MISSING", f"no mandate for strategy {signal.strategy}"
        leaves = held and signal.target_weight == 0
        if signal.symbol not in self.symbols and not leaves:
            allowed = ", ".join(sorted(self.symbols))
            return "MANDATE_SYMBOL", f"{self.strategy_id} may trade {allowed}, not {signal.symbol}"
        return None
