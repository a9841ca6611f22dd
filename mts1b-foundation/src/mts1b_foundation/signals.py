"""Signals of strategies and the target weights that are made of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mts1b_foundation.model import FrozenModel, Identifier, PositiveDecimal, UtcDatetime
from mts1b_foundation.symbology import Symbol

__all__ = ["IntentDecision", "MarketRegime", "Signal", "TargetWeight"]


class MarketRegime(StrEnum):
    """Name the state of the market that a signal was made in."""

    RISK_ON = "risk_on"
    RISK_OFF = "risk_off"
    TRANSITION = "transition"
    STRESSED = "stressed"


UnitInterval = Annotated[float, Field(ge=0.0, le=1.0)]


class Signal(FrozenModel):
    """One view of one agent on one symbol.

    ``direction`` is -1, 0 or 1; ``expected_return`` a fraction over the horizon.
    """

    signal_id: Identifier
    agent_id: Identifier
    symbol: Symbol
    strategy: Identifier
    thesis: str = Field(min_length=5)
    direction: int = Field(ge=-1, le=1)
    confidence: UnitInterval
    expected_return: float = Field(allow_inf_nan=False)
    horizon_minutes: int = Field(gt=0)
    liquidity_score: UnitInterval = 1.0
    regime: MarketRegime = MarketRegime.TRANSITION
    created_at: UtcDatetime
    reference_price: PositiveDecimal
    fund_id: str | None = None
    target_weight: float | None = Field(default=None, allow_inf_nan=False)


class TargetWeight(FrozenModel):
    """The share of a strategy's NAV that one symbol should have; negative is short."""

    symbol: Symbol
    weight: float = Field(allow_inf_nan=False)
    fund_id: Identifier
    strategy_id: Identifier
    as_of: UtcDatetime


class IntentDecision(FrozenModel):
    """The one recorded outcome of an intent: which orders it led to, or why to none."""

    signal_id: Identifier
    fund_id: Identifier
    strategy_id: Identifier
    symbol: Symbol
    outcome: str
    reason: str
    order_ids: tuple[str, ...] = ()
    decided_at: UtcDatetime
