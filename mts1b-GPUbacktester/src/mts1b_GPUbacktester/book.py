"""A portfolio walked bar by bar with numpy: the rules of the semantics page as code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mts1b_quantkit.cost_models import FeeModel, SlippageModel

from mts1b_GPUbacktester.semantics import BoolArray, FloatArray, Settings

__all__ = ["DUST", "Orders", "Tape", "WalkedBook", "walk_book"]

NUDGE = 1e-9
"""What rounding may take from a whole number of lots before it counts as one less."""

DUST = 1e-12
"""What rounding may leave of a fraction of what is held that is no trade, or of a return."""


@dataclass(frozen=True, slots=True)
class Tape:
    """Prices and wishes of a portfolio, each (T, A), in the order of time.

    ``trading`` (T,) says after which bars' decisions there is a rebalance.
    """

    fills: FloatArray
    closes: FloatArray
    volumes: FloatArray
    weights: FloatArray
    trading: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How a rebalance is carried out.

    :ivar lots: units come in multiples of this, (A,) or one number; 0 for fractions.
    :ivar volume_share: at most this part of a bar's volume is traded; 0 for no limit.
    :ivar fees: a fee model in place of basis points; ``impact`` is added to the slippage.
    """

    settings: Settings
    lots: FloatArray
    volume_share: float = 0.0
    fees: FeeModel | None = None
    impact: SlippageModel | Mapping[str, SlippageModel] | None = None
    symbols: tuple[str, ...] = ()

    @property
    def proportional(self) -> bool:
        """Return whether costs are basis points of what is traded and nothing else."""
        return self.fees is None and self.impact is None

    def rounded(self, units: FloatArray) -> FloatArray:
        """Return units in whole lots, towards zero."""
        lots = np.where(self.lots > 0, self.lots, 1.0)
        whole = np.sign(units) * np.floor(np.abs(units) / lots + NUDGE) * lots
        return np.where(self.lots > 0, whole, units)

    def costs(self, traded: FloatArray, prices: FloatArray) -> FloatArray:
        """Return what trading these units at these prices costs, zero or more, (A,)."""
        slip = self.settings.slippage_bps / 1e4 + self._impact(traded, prices)
        side = np.sign(traded)
        paid = prices * (1.0 + side * slip)
        if self.fees is None:
            fee = np.abs(traded) * paid * (self.settings.fees_bps / 1e4)
        else:
            fee = np.asarray(self.fees.fee(traded, paid), dtype=np.float64)
        moved = traded != 0.0
        return np.where(moved, np.abs(traded) * prices * slip + np.where(moved, fee, 0.0), 0.0)

    def _impact(self, traded: FloatArray, prices: FloatArray) -> Any:
        if self.impact is None:
            return 0.0
        if not isinstance(self.impact, Mapping):
            return np.asarray(self.impact.fraction(traded, prices), dtype=np.float64)
        found = np.zeros(len(traded))
        for place in np.flatnonzero(traded):
            model = self.impact.get(self.symbols[place])
            if model is not None:
                found[place] = model.fraction(float(traded[place]), float(prices[place]))
        return found


@dataclass(slots=True)
class WalkedBook:
    """A walk: equity (T,), costs paid, and the fills and values where they were recorded."""

    equity: FloatArray
    costs: float = 0.0
    n_fills: int = 0
    values: FloatArray | None = None
    fills: list[tuple[int, int, float, float]] = field(default_factory=list)


def walk_book(tape: Tape, orders: Orders, cash: float, *, record: bool) -> WalkedBook:
    """Trade towards the weights; see the rules on portfolios in ``docs/backtest_semantics.md``.

    :param record: keep the value of each position and each fill.
    """
    length, assets = tape.weights.shape
    settings = orders.settings
    units, marks = np.zeros(assets), np.zeros(assets)
    walked = WalkedBook(np.empty(length))
    if record:
        walked.values = np.zeros((length, assets))
    for bar in range(length):
        short = np.minimum(units, 0.0) * marks
        cash += float(short.sum()) * settings.borrow_a_bar
        decision = bar - settings.lag
        if decision >= 0 and tape.trading[decision]:
            traded = _traded(tape, orders, bar, decision, cash, units, marks)
            prices = np.where(traded != 0.0, tape.fills[bar], 0.0)
            cost = float(orders.costs(traded, prices).sum())
            cash -= float((traded * prices).sum()) + cost
            units = units + traded
            walked.costs += cost
            walked.n_fills += int(np.count_nonzero(traded))
            if record:
                walked.fills += [
                    (bar, int(place), float(traded[place]), float(prices[place]))
                    for place in np.flatnonzero(traded)
                ]
        marks = np.where(np.isnan(tape.closes[bar]), marks, tape.closes[bar])
        value = units * marks
        walked.equity[bar] = cash + value.sum()
        if walked.values is not None:
            walked.values[bar] = value
    return walked


def _traded(
    tape: Tape,
    orders: Orders,
    bar: int,
    decision: int,
    cash: float,
    units: FloatArray,
    marks: FloatArray,
) -> FloatArray:
    """Return the units that a rebalance trades, (A,)."""
    prices = tape.fills[bar]
    # What could not be marked is not bought: it needs a close by now.
    priced = ~np.isnan(prices) & ((marks > 0.0) | ~np.isnan(tape.closes[bar]))
    safe = np.where(priced, prices, 1.0)
    equity = cash + float((units * np.where(priced, prices, marks)).sum())
    weights = np.nan_to_num(tape.weights[decision], nan=0.0)
    wanted = orders.rounded(weights * max(equity, 0.0) / safe)
    traded = np.where(priced, wanted - units, 0.0)
    traded = np.where(np.abs(traded) <= DUST * np.abs(units), 0.0, traded)
    if orders.volume_share > 0.0:
        most = orders.volume_share * np.nan_to_num(tape.volumes[bar], nan=0.0)
        traded = orders.rounded(np.clip(traded, -most, most))
    return traded
