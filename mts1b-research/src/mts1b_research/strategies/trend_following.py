"""Trend following with a volatility target (time-series momentum, long or flat).

Source: Moskowitz, Ooi and Pedersen 2012, "Time series momentum", Journal of Financial Economics
104(2): the sign of the past return, scaled to a volatility target; here on one horizon, and
never short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from mts1b_foundation.signals import MarketRegime, Signal
from mts1b_foundation.symbology import Symbol
from mts1b_portfolio import vol_target_weights

from mts1b_research.parameters import read_parameters
from mts1b_research.strategy import MarketView, make_signal

__all__ = ["TrendFollowing"]

_MINUTES_PER_SESSION = 390


@dataclass(frozen=True, slots=True)
class TrendFollowing:
    """Hold what rose over ``lookback`` bars, at a volatility of ``target_ann_vol`` a year.

    Acts every ``rebalance_every`` bars. ``window`` bars estimate the volatility; the weight of
    all symbols together is at most ``max_gross``.
    """

    kind: ClassVar[str] = "trend_following"

    strategy_id: str
    symbols: tuple[Symbol, ...]
    lookback: int = 200
    rebalance_every: int = 5
    target_ann_vol: float = 0.12
    window: int = 63
    max_gross: float = 1.0

    @property
    def history(self) -> int:
        """Return how many bars are needed."""
        return max(self.lookback, self.window) + 1

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build the strategy from its parameters."""
        known = read_parameters(
            strategy_id,
            params,
            integers={"lookback": (2, 2000), "rebalance_every": (1, 260), "window": (5, 2000)},
            fractions={"target_ann_vol": (0.001, 2.0), "max_gross": (0.01, 5.0)},
        )
        return cls(strategy_id=strategy_id, symbols=tuple(symbols), **known)

    def is_due(self, bars_seen: int) -> bool:
        """Act on every ``rebalance_every``-th bar once there is enough history."""
        return bars_seen >= self.history and bars_seen % self.rebalance_every == 0

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return the weight of each symbol: trend first, then the volatility target."""
        closes = np.asarray(view.panel.close, dtype=np.float64)
        past_return = closes[-1] / closes[-1 - self.lookback] - 1.0
        rising = past_return > 0.0
        base = rising / max(len(self.symbols), 1)
        log_returns = np.diff(np.log(closes), axis=0)
        scaled = (
            np.asarray(
                vol_target_weights(
                    base,
                    log_returns,
                    target_ann_vol=self.target_ann_vol,
                    window=self.window,
                    max_scale=self.max_gross / max(float(base.sum()), 1e-12),
                ),
                dtype=np.float64,
            )
            if rising.any()
            else np.zeros_like(base)
        )
        return [
            make_signal(
                view,
                strategy_id=self.strategy_id,
                symbol=symbol,
                weight=float(scaled[i]),
                thesis=(
                    f"{self.lookback}-bar return {past_return[i]:+.1%}: "
                    f"{'hold' if rising[i] else 'stay flat'}, weight {scaled[i]:.3f} for "
                    f"{self.target_ann_vol:.0%} volatility a year"
                ),
                confidence=min(abs(float(past_return[i])) * 4.0, 1.0),
                horizon_minutes=self.rebalance_every * _MINUTES_PER_SESSION,
                regime=MarketRegime.RISK_ON if rising[i] else MarketRegime.RISK_OFF,
            )
            for i, symbol in enumerate(self.symbols)
        ]
