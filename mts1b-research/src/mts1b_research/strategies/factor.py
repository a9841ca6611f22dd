"""A factor with a sizer and a schedule as a strategy: the portfolio form of a backtest, live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from mts1b_foundation.market_data import UniversePanel
from mts1b_foundation.signals import Signal
from mts1b_foundation.symbology import Symbol
from mts1b_GPUbacktester import BadPanel, BadSetting, centred_weights
from mts1b_GPUbacktester.labels import aligned
from mts1b_portfolio import equal_weight_long, equal_weight_ls
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors import get

from mts1b_research.errors import StrategyConfigError
from mts1b_research.history import EVERY_BAR
from mts1b_research.parameters import read_mapping
from mts1b_research.strategy import MarketView, make_signal

__all__ = ["FactorStrategy"]

Factor = Callable[..., Any]
Sizer = Callable[[Any], Any]
Floats = npt.NDArray[np.float64]

_MINUTES_PER_SESSION = 390
_SIZERS: Mapping[str, Callable[..., Any]] = {
    "centred": centred_weights,
    "equal_weight_long": equal_weight_long,
    "equal_weight_ls": equal_weight_ls,
}
_KEYS = ("factor", "values", "sizer", "sizer_values", "rebalance")


class FactorStrategy:
    """Trade the weights that a sizer makes of a factor's scores, every ``rebalance`` bars.

    The schedule is that of ``run_single``: every so many bars from the first that has a weight; a
    weight that is missing beside others, or at a later rebalance, is zero.

    :param factor: ``factor(panel, **params)`` gives (T, A) scores.
    :param sizer: turns (T, A) scores into (T, A) target weights, each row from that row alone.
    :param history: how many bars the factor looks back; None: all there are, which costs more
        with every bar and is needed for what remembers its first value.
    :raises StrategyConfigError: for a number of bars below 1.
    """

    kind: ClassVar[str] = "factor"

    def __init__(
        self,
        strategy_id: str,
        symbols: Sequence[Symbol],
        factor: Factor,
        params: Mapping[str, Any] | None = None,
        *,
        sizer: Sizer = centred_weights,
        rebalance: int = 1,
        history: int | None = None,
    ) -> None:
        counts = [rebalance] if history is None else [rebalance, history]
        if not all(isinstance(count, (int, np.integer)) and count >= 1 for count in counts):
            raise StrategyConfigError(
                f"strategy {strategy_id}: rebalance {rebalance} and history {history} are numbers "
                "of bars, 1 or more"
            )
        self.strategy_id = strategy_id
        self.symbols = tuple(symbols)
        self.rebalance = rebalance
        self._history = history
        self._factor, self._sizer, self._params = factor, sizer, dict(params or {})

    @property
    def history(self) -> int:
        """Return how many bars are needed."""
        return EVERY_BAR if self._history is None else self._history

    @classmethod
    def configure(
        cls, strategy_id: str, symbols: Sequence[Symbol], params: Mapping[str, Any]
    ) -> Self:
        """Build the strategy from names.

        Keys: ``factor`` (registered in quantkit) with ``values``, ``sizer`` (``centred``,
        ``equal_weight_long`` or ``equal_weight_ls``) with ``sizer_values``, and ``rebalance``.

        :raises StrategyConfigError: for an unknown key, factor or sizer.
        """
        unknown = sorted(set(params) - set(_KEYS))
        if unknown or "factor" not in params:
            wrong = f"unknown parameter {unknown[0]!r}" if unknown else "no factor is named"
            raise StrategyConfigError(
                f"strategy {strategy_id}: {wrong} (known: {', '.join(_KEYS)})"
            )
        name = params.get("sizer", "centred")
        if name not in _SIZERS:
            raise StrategyConfigError(
                f"strategy {strategy_id}: no sizer {name!r}; known: {', '.join(_SIZERS)}"
            )
        values = read_mapping(strategy_id, params, "sizer_values")
        try:
            factor = get(params["factor"])
        except BadInput as error:
            raise StrategyConfigError(f"strategy {strategy_id}: {error}") from error
        return cls(
            strategy_id,
            symbols,
            factor,
            read_mapping(strategy_id, params, "values"),
            sizer=lambda scores: _SIZERS[name](scores, **values),
            rebalance=params.get("rebalance", 1),
        )

    def is_due(self, bars_seen: int) -> bool:
        """Look at every bar, or at every ``rebalance``-th once a known history is full."""
        if self._history is None:
            return bars_seen > 0
        return bars_seen >= self._history and (bars_seen - self._history) % self.rebalance == 0

    def weights(self, panel: UniversePanel) -> Floats:
        """Return the target weights of each bar, (T, A), NaN in rows without a rebalance."""
        table = self._weights(panel)
        known = ~np.isnan(table).all(axis=1)
        first = int(np.argmax(known)) if known.any() else len(table)
        if self._history is not None:
            first = max(first, self._history - 1)
        due = (np.arange(len(table)) - first) % self.rebalance == 0
        due[:first] = False
        return np.where(due[:, None], np.nan_to_num(table, nan=0.0), np.nan)

    def _weights(self, panel: UniversePanel) -> Floats:
        scores = self._numbers("factor", self._factor(panel, **self._params), panel)
        if scores.shape != tuple(panel.shape):
            raise StrategyConfigError(
                f"strategy {self.strategy_id}: the factor gave shape {scores.shape}, the panel "
                f"asks for {panel.shape}"
            )
        table = self._numbers("sizer", self._sizer(scores), panel)
        if table.shape != tuple(panel.shape):
            raise StrategyConfigError(
                f"strategy {self.strategy_id}: the sizer gave shape {table.shape}, the panel asks "
                f"for {panel.shape}"
            )
        return table

    def _numbers(self, name: str, given: Any, panel: UniversePanel) -> Floats:
        """Return numbers; those of a frame in the order of the panel.

        :raises StrategyConfigError: where its labels are not the panel's.
        """
        try:
            read = aligned(f"what the {name} gave", given, panel.dates, panel.symbols)
        except (BadPanel, BadSetting) as error:
            raise StrategyConfigError(f"strategy {self.strategy_id}: {error}") from error
        return np.asarray(read, dtype=np.float64)

    def generate_intents(self, view: MarketView) -> list[Signal]:
        """Return a weight for each symbol at a rebalance, else nothing."""
        if self._history is None:
            row = self.weights(view.panel)[-1]
        else:
            row = np.nan_to_num(self._weights(view.panel)[-1], nan=0.0)
        if np.isnan(row).any():
            return []
        return [
            make_signal(
                view,
                strategy_id=self.strategy_id,
                symbol=symbol,
                weight=float(row[place]),
                thesis=f"target weight {row[place]:.4f} of the factor",
                confidence=1.0,
                horizon_minutes=self.rebalance * _MINUTES_PER_SESSION,
            )
            for place, symbol in enumerate(self.symbols)
        ]
