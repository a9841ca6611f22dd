"""What a strategy is: a function from the past to signals, with nothing else in reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt
from mts1b_foundation.commands import BookReply
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.orders import Order
from mts1b_foundation.signals import MarketRegime, Signal
from mts1b_foundation.symbology import Symbol
from mts1b_platform.ids import derive_id

__all__ = ["MarketView", "Strategy", "StrategyBook", "flat_signal", "make_signal"]

Floats = npt.NDArray[np.float64]
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class MarketView:
    """What a strategy may look at: the past up to ``as_of``, and how many bars there were.

    ``panel`` holds at most the strategy's ``history`` last bars; ``bars_seen`` counts all of
    them, so that a strategy can act every so many bars.
    """

    as_of: datetime
    panel: UniversePanel
    bars_seen: int

    @property
    def last_prices(self) -> dict[str, float]:
        """Return the last close of every symbol."""
        closes: Floats = np.asarray(self.panel.close[-1], dtype=np.float64)
        return dict(zip(self.panel.symbols, (float(price) for price in closes), strict=True))


@dataclass(frozen=True, slots=True)
class StrategyBook:
    """What a strategy owns: its NAV, positions, and what is still working at the venue.

    ``as_of`` is when the NAV was struck; None before the first. ``prices`` are the last ones that
    the books know of what is held, ``closing`` is the part of ``working`` that reduces positions.
    """

    nav_usd: Decimal
    positions: Mapping[Symbol, Decimal]
    working: Mapping[Symbol, Decimal]
    as_of: datetime | None = None
    prices: Mapping[Symbol, Decimal] = field(default_factory=dict)
    closing: Mapping[Symbol, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, strategy_id: str, book: BookReply, open_orders: Sequence[Order]) -> StrategyBook:
        """Return what a strategy owns by the books of the OMS and its open orders there.

        What an open order has its algorithm's children work for it counts once.
        """
        nav = next((nav for nav in book.navs if nav.strategy_id == strategy_id), None)
        positions = {position.symbol: position.quantity for position in book.positions}
        working: dict[Symbol, Decimal] = {}
        closing: dict[Symbol, Decimal] = {}
        known = {order.order_id for order in open_orders}
        for order in open_orders:
            if order.parent_order_id in known:
                continue
            left = order.remaining_quantity * order.side.sign
            working[order.symbol] = working.get(order.symbol, Decimal(0)) + left
            if left * positions.get(order.symbol, Decimal(0)) < 0:
                closing[order.symbol] = closing.get(order.symbol, Decimal(0)) + left
        prices = {one.symbol: one.last_price or one.average_price for one in book.positions}
        worth, at = (Decimal(0), None) if nav is None else (nav.nav_usd, nav.as_of)
        return cls(worth, positions, working, at, prices, closing)

    def leaving(self) -> StrategyBook:
        """Return the book as one that is left sees it: what opens does not count.

        A halt cancels it; as a part of the exposure it would make the exit larger than the
        position, which risk denies.
        """
        return replace(self, working=self.closing)

    def exposure(self, symbol: Symbol) -> Decimal:
        """Return the position once every working order has filled."""
        return self.positions.get(symbol, Decimal(0)) + self.working.get(symbol, Decimal(0))


class Strategy(Protocol):
    """Turn a view of the market into signals with target weights.

    A strategy has no clock, no bus and no broker, so the same object runs in a sweep, a replay
    and live. ``configure`` checks the parameters once; unknown ones are refused.
    """

    kind: ClassVar[str]

    @property
    def strategy_id(self) -> str:
        """Return the id of this instance."""
        ...

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return the symbols in the order of the panel's columns."""
        ...

    @property
    def history(self) -> int:
        """Return how many bars ``generate_intents`` needs."""
        ...

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build the strategy.

        :raises StrategyConfigError: when a parameter is unknown or out of range.
        """
        ...

    def is_due(self, bars_seen: int) -> bool:
        """Return whether the strategy acts on its ``bars_seen``-th bar."""
        ...

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return one signal per symbol of the strategy; [] to leave everything as it is."""
        ...


def make_signal(
    view: MarketView,
    *,
    strategy_id: str,
    symbol: Symbol,
    weight: float,
    thesis: str,
    confidence: float,
    horizon_minutes: int,
    regime: MarketRegime = MarketRegime.TRANSITION,
    expected_return: float = 0.0,
) -> Signal:
    """Return a signal whose id follows from the strategy, the bar and the symbol.

    Weight, confidence and expected return are kept to 12 significant digits: the last digits of
    a vector product are not the same on every processor, and a replay must be.
    """
    weight = _same_everywhere(weight)
    return Signal(
        signal_id=_signal_id(strategy_id, view.as_of, symbol),
        agent_id=strategy_id,
        symbol=symbol,
        strategy=strategy_id,
        thesis=thesis,
        direction=(weight > 0) - (weight < 0),
        confidence=_same_everywhere(confidence),
        expected_return=_same_everywhere(expected_return),
        horizon_minutes=horizon_minutes,
        regime=regime,
        created_at=view.as_of,
        reference_price=Decimal(repr(view.last_prices[symbol])),
        target_weight=weight,
    )


def flat_signal(
    *, as_of: datetime, price: Decimal, strategy_id: str, symbol: Symbol, thesis: str
) -> Signal:
    """Return the signal to hold nothing of a symbol, whether or not a view shows it."""
    return Signal(
        signal_id=_signal_id(strategy_id, as_of, symbol),
        agent_id=strategy_id,
        symbol=symbol,
        strategy=strategy_id,
        thesis=thesis,
        direction=0,
        confidence=1.0,
        expected_return=0.0,
        horizon_minutes=1,
        created_at=as_of,
        reference_price=price,
        target_weight=0.0,
    )


def _signal_id(strategy_id: str, as_of: datetime, symbol: Symbol) -> str:
    return derive_id("sig", strategy_id, as_of.isoformat(), symbol)


def _same_everywhere(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
