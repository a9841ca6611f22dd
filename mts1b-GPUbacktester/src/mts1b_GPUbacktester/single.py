"""Run one rule or one factor with one parameter set, and keep everything about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mts1b_foundation import UniversePanel

from mts1b_GPUbacktester.book import Orders
from mts1b_GPUbacktester.engines import EngineName, Market, choose_engine
from mts1b_GPUbacktester.errors import BadPanel, BadRule, BadSetting
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.grid import parameter_sets
from mts1b_GPUbacktester.labels import aligned
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from, window
from mts1b_GPUbacktester.portfolio import Rebalance, simulate_weights
from mts1b_GPUbacktester.results import BacktestResult, backtest_result
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.semantics import Direction, Fill, FloatArray, Settings, Size
from mts1b_GPUbacktester.trades import costs_of, trade_table
from mts1b_GPUbacktester.universes import universe_panel

__all__ = ["centred_weights", "run_single", "run_window"]

Factor = Callable[..., Any]
Sizer = Callable[[FloatArray], FloatArray]


def run_single(
    *,
    panel: PanelLike = None,
    universe: str | None = None,
    rule: Rule | None = None,
    factor: Factor | None = None,
    params: Mapping[str, Any] | None = None,
    start: Any = None,
    end: Any = None,
    sizer: Sizer | None = None,
    rebalance: Rebalance = 1,
    fees_bps: float | None = None,
    cost_bps: float | None = None,
    slippage_bps: float = 0.0,
    borrow_bps: float = 0.0,
    fill: Fill = "next_open",
    direction: Direction = "long",
    size: Size = "all_cash",
    engine: EngineName = "numpy",
    periods_per_year: float = 252,
) -> BacktestResult:
    """Simulate a rule or a factor between two dates; both dates are included.

    Bars before ``start`` are read by the rule or factor (so that it is warm), not traded.

    - ``rule``: each asset is an account of its own with the same starting capital; equity is their
      sum, 1.0 at the start. ``direction`` and ``size`` are for rules alone.
    - ``factor``: ``factor(panel, **params)`` gives (T, A) scores; ``sizer(scores)`` turns them into
      target weights (default :func:`centred_weights`), which are traded every ``rebalance`` bars.
      An ``n_trades`` of a factor counts fills. ``sizer`` and ``rebalance`` are for factors alone.

    :param universe: the name of one that an installed package offers, such as a dataset of the data
        lake or ``"sample"``, in place of a panel.
    :param fees_bps: a side, default 5; ``cost_bps`` is another word for it.
    :raises BadRule: unless exactly one of rule and factor is given, or parameters do not fit.
    :raises BadPanel, BadSetting, EngineMissing: saying what, and what to change.
    """
    if (rule is None) == (factor is None):
        raise BadRule("give exactly one of rule= and factor=")
    if rule is not None:
        _require_unused("a factor", sizer=(sizer, None), rebalance=(rebalance, 1))
    else:
        _require_unused("a rule", direction=(direction, "long"), size=(size, "all_cash"))
    settings = Settings(
        fill=fill, fees_bps=_fees(fees_bps, cost_bps), slippage_bps=slippage_bps,
        borrow_bps=borrow_bps, direction=direction, size=size, periods_per_year=periods_per_year,
    )  # fmt: skip
    if (panel is None) == (universe is None):
        raise BadPanel("give exactly one of panel= and universe=")
    data = panel_from(panel if universe is None else universe_panel(universe))
    prices = Prices.of(data)
    bars = window(prices.dates, start, end)
    chosen = dict(params or {})
    if rule is not None:
        (checked,) = parameter_sets(rule, [chosen], size=settings.fraction)
        return run_window(prices, rule, checked, bars, settings, engine)
    assert factor is not None
    scores = _numbers("factor", factor, data, data, **chosen)
    weights = _numbers("sizer", sizer or centred_weights, data, scores)[bars]
    orders = Orders(
        settings=settings,
        lots=np.zeros(data.shape[1]),
        symbols=tuple(str(symbol) for symbol in data.symbols),
    )
    return simulate_weights(data, weights, rebalance, orders, 1.0, engine, bars)


def _numbers(
    name: str, given: Callable[..., Any], panel: UniversePanel, *arguments: Any, **params: Any
) -> FloatArray:
    """Return what a function of the caller's gives, as numbers for the bars of a panel, (T, A).

    :raises BadRule: for anything else; what the function raises by itself is the caller's.
    """
    if not callable(given):
        raise BadRule(f"{name} {given!r} can not be called; give a function of arrays")
    made = given(*arguments, **params)
    try:
        read = aligned(f"what the {name} gave", made, panel.dates, panel.symbols, error=BadRule)
        found = np.asarray(read, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadRule(f"the {name} gave no numbers: {error}") from None
    if made is None:
        raise BadRule(f"the {name} gave no numbers: None")
    if found.shape != panel.shape:
        raise BadRule(f"the {name} gave shape {found.shape}; the panel asks for {panel.shape}")
    return found


def _require_unused(whose: str, **given: tuple[Any, Any]) -> None:
    """Refuse what would be left unread.

    :param given: a setting and its default.
    :raises BadSetting: naming it.
    """
    for name, (value, default) in given.items():
        if value is not default and not (isinstance(value, (int, str)) and value == default):
            raise BadSetting(f"{name}= is for {whose}; leave it out here")


def centred_weights(scores: FloatArray) -> FloatArray:
    """Return scores less their mean across assets, scaled to a gross exposure of one: (T, A).

    Long the high scores, short the low ones, the sum zero. Rows with fewer than two known scores
    or no spread are NaN. An infinity, of a division by zero, is not known.
    """
    known = np.isfinite(scores)
    counts = known.sum(axis=1, keepdims=True)
    filled = np.where(known, scores, 0.0)
    means = filled.sum(axis=1, keepdims=True) / np.maximum(counts, 1)
    centred = np.where(known, scores - means, 0.0)
    gross = np.abs(centred).sum(axis=1, keepdims=True)
    usable = (counts >= 2) & (gross > 0)
    return np.where(usable, centred / np.where(usable, gross, 1.0), np.nan)


def _fees(fees_bps: float | None, cost_bps: float | None) -> float:
    if fees_bps is not None and cost_bps is not None:
        raise BadSetting("fees_bps and cost_bps are two words for one number; give one")
    given = fees_bps if fees_bps is not None else cost_bps
    return 5.0 if given is None else given


def run_window(
    prices: Prices,
    rule: Rule,
    params: dict[str, Any],
    bars: slice,
    settings: Settings,
    engine: EngineName,
) -> BacktestResult:
    """Simulate a rule on some bars, warm from those before; accounts start flat."""
    worker, choice = choose_engine(engine, prices.close.size)
    signals = Evaluator(prices, budget=2**30).signals(rule, settings, params)
    before = slice(max(0, bars.start - settings.lag), bars.stop)
    # The wish of the bar before the window is acted on at its first bar.
    lead = bars.start - before.start
    whole = Market.of(prices, settings, stops=rule.has_stops)
    market = whole.part(bars)
    paths = worker.paths(signals.part(before), whole.part(before), settings).after(lead)
    dates, accounts = prices.dates[bars], len(prices.symbols)
    total = paths.equity.sum(axis=0)
    value = np.where(paths.held, paths.units * market.marks, 0.0)
    return backtest_result(
        dates=dates,
        symbols=prices.symbols,
        equity=total / accounts,
        start_equity=1.0,
        weights=lambda: (value / np.where(total > 0, total, 1.0)).T,
        trades=lambda: trade_table(paths, market, settings, dates, prices.symbols),
        n_trades=int(paths.counts().sum()),
        costs=costs_of(paths, settings) / accounts,
        settings=settings,
        engine=choice,
    )
