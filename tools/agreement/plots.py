"""``python -m tools.agreement.plots``: draw the figures of docs/quantkit-*.md.

Needs matplotlib and skfolio's prices: run it in the environment that `make agreement` makes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from mts1b_foundation.market_data import UniversePanel
from mts1b_quantkit import allocators as a
from mts1b_quantkit import factors as f
from mts1b_quantkit import metrics as m
from mts1b_quantkit import risk
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from tools.agreement.comparison import Data
from tools.agreement.page import read

__all__ = ["FIGURES", "main"]

DOCS = Path("docs")
HORIZONS = (1, 2, 3, 5, 10, 21, 42, 63)
FACTORS = ("f_reversal", "f_momentum_12_1", "f_realized_vol", "f_trend")


def frontier(data: Data, figure: Any) -> None:
    """Draw the critical line, its turning points, the assets and the best ratio."""
    axes = figure.subplots()
    line = a.efficient_frontier(data.returns)
    spread = np.sqrt(line.variances * 252)
    axes.plot(spread, line.expected_returns * 252, "o-", markersize=3, label="turning points")
    own = m.annual_volatility(data.values)
    axes.scatter(own, data.values.mean(axis=0) * 252, s=12, c="0.6", label="assets")
    best = data.values @ a.max_sharpe(data.values).weights
    axes.scatter(m.annual_volatility(best), best.mean() * 252, marker="*", s=90, c="C3")
    at = (m.annual_volatility(best), best.mean() * 252)
    axes.annotate("highest ratio", at, (10, -12), textcoords="offset points")
    axes.set(xlabel="volatility a year", ylabel="mean return a year")
    axes.legend(frameon=False)


def tree(data: Data, figure: Any) -> None:
    """Draw the dendrogram beside the weights in the order of its leaves."""
    left, right = figure.subplots(1, 2, sharey=False, width_ratios=(2, 1))
    correlation = np.corrcoef(data.values.T)
    distance = np.sqrt(np.clip((1 - correlation) / 2, 0, None))
    np.fill_diagonal(distance, 0.0)
    linkage = hierarchy.linkage(squareform(distance, checks=False), "single")
    names = list(data.returns.columns)
    drawn = hierarchy.dendrogram(linkage, labels=names, orientation="left", ax=left)
    weights = a.hrp_weights(data.returns, distance="condensed").weights
    leaves = 5.0 + 10.0 * np.arange(len(names))  # where a dendrogram has its leaves
    right.barh(leaves, [weights[name] for name in drawn["ivl"]], height=7.0)
    right.set(yticks=[], ylim=left.get_ylim(), xlabel="HRP weight")
    left.set(xlabel="distance")
    left.tick_params(axis="y", labelsize=8)


def contributions(data: Data, figure: Any) -> None:
    """Draw the shares of risk of equal weights over time."""
    axes = figure.subplots()
    held = data.returns.iloc[:, :6]
    rows = range(252, len(held), 21)
    shares = []
    for row in rows:
        covariance = held.iloc[row - 252 : row].cov()
        parts = risk.component_var(np.full(6, 1 / 6), covariance)
        shares.append(np.asarray(parts.component) / parts.total)
    days = [held.index[row] for row in rows]
    axes.stackplot(days, np.array(shares).T, labels=list(held.columns))
    axes.margins(x=0)
    axes.set(ylim=(0, 1), ylabel="share of value at risk, equal weights")
    figure.legend(frameon=False, ncols=6, loc="outside upper center")


def tearsheet(data: Data, figure: Any) -> None:
    """Draw wealth, drawdown and the rolling ratio."""
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    for series in (data.series, data.benchmark):
        top.plot((1 + series).cumprod(), label=str(series.name))
        bottom.plot(m.rolling(series, "sharpe", 126))
    middle.fill_between(data.series.index, m.drawdown_series(data.series), 0)
    top.set(ylabel="wealth")
    middle.set(ylabel="drawdown")
    bottom.set(ylabel="Sharpe ratio,\n126 days")
    bottom.axhline(0.0, color="0.7", linewidth=0.8)
    figure.align_ylabels()
    top.legend(frameon=False)


def decay(data: Data, figure: Any) -> None:
    """Draw the mean information coefficient by horizon."""
    axes = figure.subplots()
    close = np.cumprod(1 + data.values, axis=0)
    panel = UniversePanel(
        close=close,
        high=close,
        low=close,
        volume=np.ones_like(close),
        dates=[date(day.year, day.month, day.day) for day in data.returns.index],
        symbols=list(data.returns.columns),
    )
    for name in FACTORS:
        score = f.get(name)(panel)
        means = [np.nanmean(f.information_coefficient(score, _ahead(close, h))) for h in HORIZONS]
        axes.plot(HORIZONS, means, "o-", label=name)
    axes.axhline(0.0, color="0.7", linewidth=0.8)
    axes.set(xlabel="days ahead", ylabel="mean rank correlation", xscale="log")
    axes.set_xticks(HORIZONS, [str(h) for h in HORIZONS])
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False)


def _ahead(close: Any, days: int) -> Any:
    result = np.full_like(close, np.nan)
    result[:-days] = close[days:] / close[:-days] - 1.0
    return result


FIGURES: dict[str, Callable[[Data, Any], None]] = {
    "frontier": frontier,
    "tree": tree,
    "contributions": contributions,
    "tearsheet": tearsheet,
    "decay": decay,
}


def main() -> int:
    """Draw every figure, the same to the byte for the same data."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "mts1b", "svg.fonttype": "none", "font.size": 9})
    from matplotlib.figure import Figure

    data = read()
    for name, draw in FIGURES.items():
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        draw(data, figure)
        figure.savefig(DOCS / f"quantkit-{name}.svg", metadata={"Date": None, "Creator": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
