"""Reports as one HTML file each."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_quantkit.metrics import drawdown_series

from mts1b_GPUbacktester import charts
from mts1b_GPUbacktester.outputs import write_whole
from mts1b_GPUbacktester.search import SearchStatistics, returns_of_set, search_statistics
from mts1b_GPUbacktester.semantics import FloatArray, Settings

if TYPE_CHECKING:
    from mts1b_GPUbacktester.results import BacktestResult, SweepResult

__all__ = ["write_backtest", "write_sweep"]

_MOST_COLUMNS = 60
_MOST_MAPS = 3
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 860px; margin: 2em auto; padding: 0 1em;
  color: #222 }
h1 { margin: 0; font-size: 24px } h3 { margin: 0 0 .4em; font-size: 15px } figure { margin: 2em 0 }
p { color: #555; margin: .2em 0 1.5em } small { color: #666; font-weight: normal; font-size: 12px }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
td, th { padding: 2px 10px 2px 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e4e4e4 }
td:first-child, th:first-child { text-align: left }
.heat { font-size: 11px } .heat td, .heat th { padding: 2px 5px; border: 1px solid #fff }
.heat td { min-width: 10px; height: 14px; text-align: center } .none { background: #f3f3f3 }
.heat th, .heat th:first-child { text-align: right; color: #666; font-weight: normal }
svg { width: 100% } svg text { font: 11px system-ui, sans-serif; fill: #666 }
svg line { stroke: #e8e8e8 } svg line.mark { stroke: #d95f02; stroke-width: 2 }
svg text.on { fill: #fff; paint-order: stroke; stroke: #2166ac; stroke-width: 3px }
polyline { fill: none; stroke: #2166ac; stroke-width: 1.4 }
polygon { fill: #2166ac33 } rect { fill: #2166ac }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 10px }
.tiles div { border: 1px solid #ddd; border-radius: 6px; padding: 8px 12px }
.tiles b { display: block; font-size: 21px } .tiles span { display: block; font-size: 13px }
.tiles small { display: block; line-height: 1.35 }
"""


def write_backtest(result: BacktestResult, path: Path | str) -> None:
    """Write metrics, equity, drawdown and the first trades of one simulation."""
    found = [(name, value, "") for name, value in result.metrics().items()]
    shown = result.trades.head(200)
    parts = [
        charts.tiles([*found, ("costs", result.costs, "in units of the starting equity")]),
        *_curves(result.equity, result.returns, result.dates),
        f"<figure><h3>Trades <small>{shown.height} of {result.trades.height}</small></h3>",
        charts.table(shown.columns, shown.rows()),
        "</figure>",
    ]
    ran = f"engine {result.engine.name} ({result.engine.reason})"
    terms = _terms(result.settings, of_rule="side" in result.trades.columns)
    _write(path, "Backtest", f"{_span(result.symbols, result.dates)}; {terms}; {ran}.", parts)


def write_sweep(result: SweepResult, path: Path | str) -> None:
    """Write what the search says about its best set, how that one did, and where all sets lie."""
    statistics = search_statistics(result)
    prices = result.source.prices
    best = result.best(20)
    returns = returns_of_set(result, statistics.best_params)
    equity = np.cumprod(1.0 + returns, dtype=np.float64)
    chosen = _params_text(statistics.best_params)
    costs = [(f"{fees:g} bps", ratio) for fees, ratio in statistics.cost_sensitivity]
    means = result.by_set["sharpe"].to_numpy()
    top = float(np.nanmax(means)) if np.isfinite(means).any() else float("nan")
    parts = [
        charts.tiles(_findings(statistics)),
        f"<figure><h3>Best set: {escape(chosen)}</h3><small>highest mean Sharpe ratio over all "
        "symbols; the curves below are of all symbols together, on the data that chose it"
        "</small></figure>",
        *_curves(equity, returns, prices.dates),
        charts.columns(costs, "Sharpe ratio of the best set by fees a side"),
        charts.bars(means, "Sets by their mean Sharpe ratio", mark=top, said="best"),
        *_heat(result),
        "<figure><h3>Best rows</h3>",
        charts.table(best.columns, best.rows()),
        "</figure>",
    ]
    seconds = f"{result.timings['run']:.3g} s"
    ran = f"engine {result.engine.name} ({result.engine.reason}), {seconds}"
    said = f"{_span(prices.symbols, prices.dates)}; {_terms(result.settings)}; {ran}."
    _write(path, f"Sweep of {statistics.n_trials:,} parameter sets", said, parts)


def _findings(found: SearchStatistics) -> list[tuple[str, Any, str]]:
    measured = found.measured_trials
    some = "" if measured == found.n_trials else f", from {measured} of them"
    needed = f"{found.years:.1f} years are here"
    return [
        ("parameter sets tried", found.n_trials, "the more, the better the best looks by chance"),
        ("Sharpe ratio of the best set", found.sharpe, "all symbols together, a year"),
        (
            "deflated: probability that it is above zero",
            found.deflated_sharpe,
            f"given how many were tried{some}; below 0.95 is not much",
        ),
        (
            "probability of overfitting",
            found.overfitting_probability,
            f"how often the best of one half is below the median in the other{some}",
        ),
        ("years of data needed against chance", found.needed_years, needed),
        (
            "neighbours' Sharpe ratio over the best's",
            found.neighbour_stability,
            "near 1 is a plateau, near 0 a lucky peak",
        ),
    ]


def _curves(equity: FloatArray, returns: FloatArray, dates: Sequence[Any]) -> list[str]:
    fall = np.asarray(drawdown_series(returns))
    return [
        charts.line(equity, "Equity", labels=dates),
        charts.line(fall, "Drawdown", labels=dates, percent=True, filled=True),
    ]


def _heat(result: SweepResult) -> list[str]:
    """Return maps of pairs of the parameters that vary, where they are not too wide."""
    table = result.by_set
    varying = [
        name
        for name in result.source.sets[0]
        if 1 < table[name].n_unique() <= _MOST_COLUMNS and table[name].dtype.is_numeric()
    ]
    found = []
    for x, y in list(combinations(varying, 2))[:_MOST_MAPS]:
        frame = result.heatmap(x, y)
        title = f"Mean Sharpe ratio, {x} across, {y} down"
        found.append(charts.heat_table(frame.columns, frame.rows(), title))
    return found


def _params_text(params: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in params.items()) or "no parameters"


def _span(symbols: Sequence[str], dates: Sequence[Any]) -> str:
    first, last = (charts.text_of(moment)[:10] for moment in (dates[0], dates[-1]))
    assets, bars = (
        f"{len(many):,} {one}{'s' if len(many) != 1 else ''}"
        for one, many in (("symbol", symbols), ("bar", dates))
    )
    return f"{assets}, {bars}, {first} to {last}"


def _terms(settings: Settings, *, of_rule: bool = True) -> str:
    fill = settings.fill.replace("_", " ")
    costs = f"{settings.fees_bps:g} bps fees and {settings.slippage_bps:g} bps slippage a side"
    side = f"{settings.direction} side, " if of_rule else ""
    return f"{side}fills at {fill}, {costs}"


def _write(path: Path | str, title: str, said: str, parts: list[str]) -> None:
    text = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1><p>{escape(said)}</p>"
        f"{''.join(parts)}</html>\n"
    )
    write_whole(Path(path), lambda file: file.write_text(text, encoding="utf-8"))
