"""Signals from outside become target positions, on the same path as every other strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self

from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol

from mts1b_research.parameters import read_parameters
from mts1b_research.strategy import MarketView, make_signal

__all__ = ["Webhook"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Hold what the last signal of each symbol says.

    A signal is left alone when it waited longer than ``max_age_s``, when its price is further than
    ``max_price_gap`` (a fraction) from the last close that we know, or when its weight is beyond
    ``max_weight``.
    """

    kind: ClassVar[str] = "webhook"
    history: ClassVar[int] = 1

    strategy_id: str
    symbols: tuple[Symbol, ...]
    max_weight: float = 1.0
    max_price_gap: float = 0.05
    max_age_s: float = 300.0

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build the strategy from its parameters."""
        known = read_parameters(
            strategy_id,
            params,
            integers={},
            fractions={
                "max_weight": (0.0, 10.0),
                "max_price_gap": (0.0001, 1.0),
                "max_age_s": (1.0, 86_400.0),
            },
        )
        return cls(strategy_id=strategy_id, symbols=tuple(symbols), **known)

    def is_due(self, bars_seen: int) -> bool:
        """Never act on a bar: signals come when they come."""
        return False

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return nothing: see :meth:`answer`."""
        return []

    def objection(
        self, view: MarketView | None, sent: Signal, now: datetime
    ) -> tuple[str, str] | None:
        """Return (code, reason) when a signal is to be left alone, else None.

        :param view: the market of the signal's symbol; None where no bar of it is known.
        """
        age = (now - sent.created_at).total_seconds()
        if age > self.max_age_s:
            return "SIGNAL_STALE", f"it waited {age:.0f} s, at most {self.max_age_s:g} s"
        weight = sent.target_weight
        if weight is None:
            return "SIGNAL_WEIGHT", "it names no weight"
        if abs(weight) > self.max_weight:
            return "SIGNAL_WEIGHT", f"weight {weight:g} is beyond {self.max_weight:g}"
        if view is None:
            return "SIGNAL_NO_PRICE", f"no bar of {sent.symbol} is known"
        close = view.last_prices[str(sent.symbol)]
        gap = abs(float(sent.reference_price) / close - 1.0)
        if not gap <= self.max_price_gap:
            return (
                "SIGNAL_PRICE_GAP",
                f"its price {sent.reference_price} is {gap:.1%} from the last close {close:g}, "
                f"at most {self.max_price_gap:.1%}",
            )
        return None

    def answer(self, view: MarketView, sent: Signal) -> Signal:
        """Return the strategy's own signal: the weight that was sent, at the price we know."""
        own = make_signal(
            view,
            strategy_id=self.strategy_id,
            symbol=sent.symbol,
            weight=sent.target_weight or 0.0,
            thesis=sent.thesis,
            confidence=sent.confidence,
            horizon_minutes=sent.horizon_minutes,
            regime=sent.regime,
        )
        return own.with_(signal_id=sent.signal_id, agent_id=sent.agent_id, fund_id=sent.fund_id)
