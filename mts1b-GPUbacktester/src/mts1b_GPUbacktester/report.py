"""Reports as one HTML file each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mts1b_GPUbacktester import charts
from mts1b_GPUbacktester.search import search_statistics

if TYPE_CHECKING:
    from mts1b_GPUbacktester.results import BacktestResult, SweepResult

__all__ = ["write_backtest", "write_sweep"]

_MOST_COLUMNS = 60
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 820px; margin: 2em auto; color: #222 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
td, th { padding: 2px 8px; text-align: right; border-bottom: 1px solid #ddd }
.heat td, .heat th { padding: 1px 4px; border: 0 }
svg { width: 100%; border: 1px solid #ddd } polyline { fill: none; stroke: #1668a8 }
rect { fill: #1668a8 } small { color: #777; font-weight: normal } .heat { font-size: 11px }
"""


def write_backtest(result: BacktestResult, path: Path | str) -> None:
    """Write equity, drawdown, metrics and the first trades of one simulation."""
    peak = np.maximum.accumulate(np.maximum(result.equity, 0.0))
    fall = np.where(peak > 0, result.equity / np.where(peak > 0, peak, 1.0) - 1.0, 0.0)
    rows = [*result.metrics().items(), ("costs", result.costs)]
    shown = result.trades.head(200)
    parts = [
        charts.table(["metric", "value"], rows),
        charts.line(result.equity, "Equity"),
        charts.line(fall, "Drawdown"),
        f"<h3>Trades <small>{shown.height} of {result.trades.height}</small></h3>",
        charts.table(shown.columns, shown.rows()),
    ]
    _write(path, "Backtest", parts)


def write_sweep(result: SweepResult, path: Path | str) -> None:
    """Write what the search says about its best set, the best rows, and where they lie."""
    statistics = search_statistics(result)
    told = [
        ("parameter sets tried", statistics.n_trials),
        ("best parameters", ", ".join(f"{k} = {v}" for k, v in statistics.best_params.items())),
        ("Sharpe ratio of all symbols together", statistics.sharpe),
        ("probability that it is above zero, deflated", statistics.deflated_sharpe),
        ("probability of overfitting", statistics.overfitting_probability),
        ("years of data", statistics.years),
        ("years needed against chance", statistics.needed_years),
        ("neighbours' Sharpe ratio over the best's", statistics.neighbour_stability),
    ]
    best = result.best(20)
    parts = [
        charts.table(["what", "value"], told),
        "<h3>Costs</h3>",
        charts.table(["fees a side, bps", "Sharpe ratio"], statistics.cost_sensitivity),
        "<h3>Best rows</h3>",
        charts.table(best.columns, best.rows()),
        charts.bars(result.by_set["sharpe"].to_numpy(), "Mean Sharpe ratio of the sets"),
        *_heat(result),
    ]
    _write(path, f"Sweep of {statistics.n_trials} parameter sets", parts)


def _heat(result: SweepResult) -> list[str]:
    """Return a map of the first two parameters that vary, where it is not too wide."""
    table = result.by_set
    varying = [name for name in result.source.sets[0] if table[name].n_unique() > 1]
    if len(varying) < 2 or max(table[name].n_unique() for name in varying[:2]) > _MOST_COLUMNS:
        return []
    x, y = varying[:2]
    frame = result.heatmap(x, y)
    title = f"Mean Sharpe ratio, {x} across, {y} down"
    return [charts.heat_table(frame.columns, frame.rows(), title)]


def _write(path: Path | str, title: str, parts: list[str]) -> None:
    text = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1>{''.join(parts)}</html>\n"
    )
    Path(path).write_text(text, encoding="utf-8")
