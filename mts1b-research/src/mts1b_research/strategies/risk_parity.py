"""Risk parity, rebalanced at a fixed pace.

Source: Maillard, Roncalli and Teiletche 2010, "The properties of equally weighted risk
contribution portfolios", Journal of Portfolio Management 36(4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_quantkit.allocators import risk_parity

from mts1b_research.errors import StrategyConfigError
from mts1b_research.parameters import read_parameters
from mts1b_research.strategy import MarketView, make_signal

__all__ = ["RiskParityRebalance"]

_MINUTES_PER_SESSION = 390


@dataclass(frozen=True, slots=True)
class RiskParityRebalance:
    """Give each symbol the same share of the risk over ``window`` bars, ``gross`` in all.

    Acts every ``rebalance_every`` bars.
    """

    kind: ClassVar[str] = "risk_parity"

    strategy_id: str
    symbols: tuple[Symbol, ...]
    window: int = 126
    rebalance_every: int = 21
    gross: float = 0.9

    @property
    def history(self) -> int:
        """Return how many bars are needed."""
        return self.window + 1

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build the strategy from its parameters.

        Keys: ``window`` (10 to 2000 bars), ``rebalance_every`` (1 to 260 bars) and ``gross`` (sum
        of the weights, 0.01 to 5).

        :raises StrategyConfigError: for fewer than two symbols, and for any other parameter.
        """
        if len(symbols) < 2:
            raise StrategyConfigError(
                f"strategy {strategy_id}: risk parity needs two symbols or more, got {len(symbols)}"
            )
        known = read_parameters(
            strategy_id,
            params,
            integers={"window": (10, 2000), "rebalance_every": (1, 260)},
            fractions={"gross": (0.01, 5.0)},
        )
        return cls(strategy_id=strategy_id, symbols=tuple(symbols), **known)

    def is_due(self, bars_seen: int) -> bool:
        """Act on every ``rebalance_every``-th bar once there is enough history."""
        return bars_seen >= self.history and bars_seen % self.rebalance_every == 0

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return weights of equal risk contribution."""
        closes = np.asarray(view.panel.close, dtype=np.float64)
        returns = closes[1:] / closes[:-1] - 1.0
        allocation = risk_parity(returns[-self.window :])
        weights = np.asarray(allocation.weights, dtype=np.float64) * self.gross
        return [
            make_signal(
                view,
                strategy_id=self.strategy_id,
                symbol=symbol,
                weight=float(weights[i]),
                thesis=f"equal risk over {self.window} bars: weight {weights[i]:.3f}",
                confidence=1.0,
                horizon_minutes=self.rebalance_every * _MINUTES_PER_SESSION,
            )
            for i, symbol in enumerate(self.symbols)
        ]
