"""Simulate target weights over time: one account, many assets, drifting between rebalances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_quantkit.cost_models import FeeModel, SlippageModel

from mts1b_GPUbacktester.book import DUST, Orders, Tape, WalkedBook, walk_book
from mts1b_GPUbacktester.engines import EngineName
from mts1b_GPUbacktester.engines.choose import choose_for_weights
from mts1b_GPUbacktester.errors import BadPanel, BadSetting
from mts1b_GPUbacktester.frames import is_frame
from mts1b_GPUbacktester.labels import aligned
from mts1b_GPUbacktester.panels import PanelLike, panel_from
from mts1b_GPUbacktester.results import BacktestResult, backtest_result
from mts1b_GPUbacktester.semantics import BoolArray, Fill, FloatArray, Settings

if TYPE_CHECKING:
    import polars as pl
    from mts1b_foundation import UniversePanel

__all__ = ["Rebalance", "run_portfolio", "simulate_weights"]

Rebalance = int | Sequence[bool] | BoolArray | None
"""Every so many bars from the first with a weight; or a truth a bar; None: where weights are."""


def run_portfolio(
    panel: PanelLike,
    target_weights: Any,
    *,
    rebalance: Rebalance = None,
    fees_bps: float = 5.0,
    slippage_bps: float = 0.0,
    borrow_bps: float = 0.0,
    fees: FeeModel | None = None,
    impact: SlippageModel | Mapping[str, SlippageModel] | None = None,
    lots: float | Sequence[float] | None = None,
    volume_share: float | None = None,
    fill: Fill = "next_open",
    initial_cash: float = 1.0,
    periods_per_year: float = 252,
    engine: EngineName = "auto",
) -> BacktestResult:
    """Trade towards target weights (T, A), decided at the close of each bar.

    At a rebalance units are set to weight x equity / price at the fill, equity being that before
    the costs of the trade; in between they drift. Weights may be negative and need not sum to one;
    the rest is cash, which earns nothing. NaN weights count as zero. A frame of weights is read by
    its labels: its rows and columns are the bars and symbols of the panel, in any order.

    :param rebalance: None for every bar whose row of weights has one; a number of bars; or a truth
        for each bar.
    :param fees: a fee model of quantkit in place of ``fees_bps``; ``impact``, one slippage model or
        one a symbol, is added to ``slippage_bps``. Both run with numpy.
    :param lots: units come in multiples of this, one number or one an asset.
    :param volume_share: trade at most this part of a bar's volume; the rest waits for the next
        rebalance.
    :raises BadPanel, BadSetting, EngineMissing: saying what, and what to change.
    """
    settings = Settings(
        fill=fill,
        fees_bps=fees_bps,
        slippage_bps=slippage_bps,
        borrow_bps=borrow_bps,
        periods_per_year=periods_per_year,
    )
    universe = panel_from(panel)
    if not _is_number(initial_cash) or not 0 < initial_cash < float("inf"):
        raise BadSetting(f"initial_cash {initial_cash!r} must be positive")
    if volume_share is not None and not (_is_number(volume_share) and 0 < volume_share <= 1):
        raise BadSetting(f"volume_share {volume_share!r} must be a fraction in (0, 1]")
    _require_models(fees, impact, universe.symbols)
    orders = Orders(
        settings=settings,
        lots=_lots(lots, universe.shape[1]),
        volume_share=volume_share or 0.0,
        fees=fees,
        impact=impact,
        symbols=tuple(str(symbol) for symbol in universe.symbols),
    )
    weights = aligned("target_weights", target_weights, universe.dates, universe.symbols)
    if is_frame(rebalance) and getattr(rebalance, "dtype", None) == np.bool_:
        truths: Any = rebalance
        numbers = aligned("rebalance", truths.astype(float), universe.dates, universe.symbols)
        rebalance = numbers[:, 0] > 0.0
    return simulate_weights(universe, weights, rebalance, orders, initial_cash, engine)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _require_models(fees: Any, impact: Any, symbols: Sequence[Any]) -> None:
    """Refuse what prices no fill, such as a model for a symbol that is not there.

    :raises BadSetting: naming it.
    """
    if fees is not None and (isinstance(fees, type) or not callable(getattr(fees, "fee", None))):
        raise BadSetting(f"fees {fees!r} is no fee model of quantkit; use fees_bps for a number")
    for model in impact.values() if isinstance(impact, Mapping) else [impact]:
        known = not isinstance(model, type) and callable(getattr(model, "fraction", None))
        if model is not None and not known:
            raise BadSetting(
                f"impact {model!r} is no slippage model of quantkit; use slippage_bps for a number"
            )
    strangers = set(impact if isinstance(impact, Mapping) else ()) - set(map(str, symbols))
    if strangers:
        raise BadSetting(
            f"impact names {min(map(str, strangers))!r}, which is no symbol of the panel: it would "
            "cost nothing"
        )


def simulate_weights(
    panel: UniversePanel,
    target_weights: Any,
    rebalance: Rebalance,
    orders: Orders,
    initial_cash: float,
    engine: EngineName,
    bars: slice = slice(None),
) -> BacktestResult:
    """Walk some bars of a panel with weights (T, A) for those bars; see :func:`run_portfolio`."""
    tape = _tape(panel, target_weights, rebalance, orders, bars)
    choice = choose_for_weights(
        engine, tape.weights.size, proportional=orders.proportional, name=_cost_names(orders)
    )
    if choice.name == "numba":
        from mts1b_GPUbacktester.engines.weights import walk_weights

        walked, sound = walk_weights(tape, orders, initial_cash)
        if not sound:
            _check(panel, tape, orders)
    else:
        _check(panel, tape, orders)
        walked = walk_book(tape, orders, initial_cash, record=False)
    dates = panel.dates[bars]
    recorded = _Recorded(tape, orders, initial_cash, dates)
    return backtest_result(
        dates=dates,
        symbols=orders.symbols,
        equity=walked.equity,
        start_equity=initial_cash,
        weights=recorded.weights,
        trades=recorded.trades,
        n_trades=walked.n_fills,
        costs=walked.costs / initial_cash,
        settings=orders.settings,
        engine=choice,
        rounding=DUST,
    )


class _Recorded:
    """Weights and fills, walked again when they are asked for: they are large and often unread."""

    def __init__(self, tape: Tape, orders: Orders, cash: float, dates: Sequence[Any]) -> None:
        self._tape, self._orders, self._cash, self._dates = tape, orders, cash, dates
        self._walked: WalkedBook | None = None

    def _book(self) -> WalkedBook:
        if self._walked is None:
            self._walked = walk_book(self._tape, self._orders, self._cash, record=True)
        return self._walked

    def weights(self) -> FloatArray:
        """Return (T, A) at the close of each bar, NaN where the equity is zero or less."""
        book = self._book()
        assert book.values is not None
        equity = np.where(book.equity > 0.0, book.equity, np.nan)
        return np.asarray(book.values / equity[:, None])

    def trades(self) -> pl.DataFrame:
        """Return one row a fill; ``units`` is signed, ``price`` is the bar's, before costs."""
        import polars as pl

        schema: dict[str, Any] = {
            "time": pl.Series(list(self._dates[:1])).dtype,
            "symbol": pl.String,
            "units": pl.Float64,
            "price": pl.Float64,
        }
        rows = [
            (self._dates[bar], self._orders.symbols[asset], units, price)
            for bar, asset, units, price in self._book().fills
        ]
        return pl.DataFrame(rows, schema=schema, orient="row")


def _tape(
    panel: UniversePanel, target_weights: Any, rebalance: Rebalance, orders: Orders, bars: slice
) -> Tape:
    try:
        weights = np.ascontiguousarray(target_weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadSetting(f"target_weights are no numbers (T, A): {error}") from None
    shape = (len(range(panel.shape[0])[bars]), panel.shape[1])
    if weights.shape != shape:
        raise BadSetting(f"target_weights have shape {weights.shape}; the panel asks for {shape}")
    fills = _prices(panel, orders.settings.price_field)[bars]
    closes = _prices(panel, "close")[bars]
    if bars.start:
        # A position is marked at its last close, even one before the window.
        closes = _carried_in(closes, _prices(panel, "close")[: bars.start])
    volumes = np.ascontiguousarray(panel.volume, dtype=np.float64)[bars]
    if orders.volume_share and np.isnan(volumes).all():
        raise BadPanel("the panel has no volume; give volumes, or leave volume_share out")
    if orders.volume_share and (volumes < 0.0).any():
        bar, asset = (int(place[0]) for place in np.nonzero(volumes < 0.0))
        raise BadPanel(
            f"volume of {panel.symbols[asset]} at {panel.dates[bars][bar]} is "
            f"{volumes[bar, asset]}; volumes must be zero or more, or NaN where there is no bar"
        )
    return Tape(fills, closes, volumes, weights, _trading(weights, rebalance))


def _carried_in(closes: FloatArray, before: FloatArray) -> FloatArray:
    """Return closes whose first row has the last known close from before where it has none."""
    first = closes[0].copy()
    for row in before[::-1]:
        if not np.isnan(first).any():
            break
        first = np.where(np.isnan(first), row, first)
    result = closes.copy()
    result[0] = first
    return result


def _prices(panel: UniversePanel, name: str) -> FloatArray:
    """Return one field as float64 (T, A).

    :raises BadPanel: when it is missing.
    """
    given = getattr(panel, name)
    values = None if given is None else np.ascontiguousarray(given, dtype=np.float64)
    if values is None or values.size == 0 or not _any_known(values):
        advice = ", or use fill='next_close'" if name == "open" else ""
        raise BadPanel(f"the panel has no {name}; give {name} prices{advice}")
    return values


def _any_known(values: FloatArray) -> bool:
    """Return whether a value is known; the first rows mostly say so at once."""
    return any(not np.isnan(row).all() for row in values)


def _check(panel: UniversePanel, tape: Tape, orders: Orders) -> None:
    """Look at every number; raise for what makes no sense."""
    if np.isinf(tape.weights).any():
        raise BadSetting("target_weights hold an infinity; use NaN or 0 for no position")
    for name in ("close", orders.settings.price_field):
        values = _prices(panel, name)
        bad = (values <= 0.0) | np.isinf(values)
        if bad.any():
            bar, asset = (int(place[0]) for place in np.nonzero(bad))
            raise BadPanel(
                f"{name} of {panel.symbols[asset]} at {panel.dates[bar]} is {values[bar, asset]}; "
                "prices must be positive and finite, or NaN where there is no bar"
            )


def _trading(weights: FloatArray, rebalance: Rebalance) -> BoolArray:
    """Return after which bars' decisions there is a rebalance, (T,)."""
    decided = ~np.isnan(weights[:, 0])
    unsure = np.flatnonzero(~decided)
    decided[unsure] = ~np.isnan(weights[unsure]).all(axis=1)
    if rebalance is None:
        return decided
    if isinstance(rebalance, (int, np.integer)) and not isinstance(rebalance, bool):
        if rebalance < 1:
            raise BadSetting(f"rebalance {rebalance} must be a number of bars, 1 or more")
        first = int(np.argmax(decided)) if decided.any() else len(decided)
        bars = np.arange(len(decided)) - first
        return np.asarray((bars >= 0) & (bars % rebalance == 0))
    given = np.asarray(rebalance)
    if given.dtype != np.bool_ or given.shape != decided.shape:
        raise BadSetting(
            f"rebalance must be a number of bars, None, or {len(decided)} truths, one a bar; "
            f"not {given.dtype} of shape {given.shape}"
        )
    return given


def _lots(lots: float | Sequence[float] | None, assets: int) -> FloatArray:
    try:
        given = np.asarray(0.0 if lots is None else lots, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadSetting(f"lots {lots!r} are no numbers: {error}") from None
    if given.shape not in ((), (assets,)) or not np.isfinite(given).all() or (given < 0).any():
        raise BadSetting(f"lots {lots!r} must be a number, 0 or more, or {assets} of them")
    return np.array(np.broadcast_to(given, (assets,)))


def _cost_names(orders: Orders) -> str:
    given = [name for name in ("fees", "impact") if getattr(orders, name) is not None]
    return " and ".join(f"{name}=" for name in given)
