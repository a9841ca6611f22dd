"""Choose parameters on the past, earn with them on what follows, judge the sum."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from mts1b_foundation.market_data import UniversePanel
from numpy.typing import NDArray

from mts1b_quantkit.arrays import FloatArray, as_table
from mts1b_quantkit.cv.days import Rebalance, days_of, rebalance_rows, rows_between
from mts1b_quantkit.cv.grid import ParamsGrid, combinations_of, scores_of, until
from mts1b_quantkit.cv.result import Fold, WalkForwardResult
from mts1b_quantkit.cv.simulation import net_returns
from mts1b_quantkit.cv.sizing import Sizing, as_sizing
from mts1b_quantkit.cv.verdict import verdict
from mts1b_quantkit.cv.walk import WalkForward
from mts1b_quantkit.errors import BadInput
from mts1b_quantkit.factors.evaluation import (
    information_coefficient,
    information_coefficient_summary,
)
from mts1b_quantkit.metrics.columns import require_periods
from mts1b_quantkit.metrics.ratios import sharpe
from mts1b_quantkit.metrics.significance import sharpe_standard_error
from mts1b_quantkit.scalars import read_count, read_number, shown

__all__ = ["walk_forward"]

_NORMAL_95 = 1.959963984540054


def walk_forward(
    factor: Callable[..., Any],
    params_grid: ParamsGrid,
    universe: UniversePanel,
    start: Any = None,
    end: Any = None,
    *,
    train_window: int = 252,
    test_window: int = 63,
    step: int | None = None,
    rebal: Rebalance = "monthly",
    sizing: Sizing | Mapping[str, Any] | None = None,
    cost_bps: float = 0.0,
    purge: int = 0,
    expanding: bool = False,
    periods_per_year: float = 252,
) -> WalkForwardResult:
    """Test a factor on windows that its parameters were not chosen on.

    In each fold the parameters with the best Sharpe ratio, net of costs, on the training rows earn
    the returns of the test rows. Scores of row t are traded at the close of t and earn from row
    t + 1. The test windows follow each other as one account: changing parameters costs too.

    :param factor: ``(panel, /, **params) -> (T, A)``; higher is better.
    :param params_grid: name -> values, or a list of combinations.
    :param start: first day of the first training window; rows before it warm the factor up.
    :param end: last day, inside.
    :param step: rows from one test window to the next; None for ``test_window``.
    :param rebal: "daily", "weekly", "monthly" (the first row of each) or a number of rows.
    :param sizing: a :class:`Sizing` or its fields; half long, half short by default.
    :param cost_bps: of the value traded.
    :param purge: rows left out between training and test.
    :raises BadInput: for a factor that looks ahead, too few rows for one fold, test windows that
        overlap, or a training window in which nothing trades.
    :raises NaNInput: when a held asset has no price.

    >>> from datetime import date, timedelta
    >>> import numpy as np
    >>> from mts1b_foundation.market_data import UniversePanel
    >>> from mts1b_quantkit.factors import f_reversal
    >>> from mts1b_quantkit.cv import walk_forward
    >>> noise = np.random.default_rng(1).normal(0.001, 0.01, (200, 4))
    >>> close = 100.0 * np.cumprod(1.0 + noise, axis=0)
    >>> days = [date(2026, 1, 1) + timedelta(days=k) for k in range(200)]
    >>> panel = UniversePanel(
    ...     close=close, high=close, low=close, volume=close, dates=days, symbols=list("ABCD")
    ... )
    >>> windows = {"train_window": 60, "test_window": 30}
    >>> pair = {"n_long": 1, "n_short": 1}
    >>> walk_forward(f_reversal, {"h": [3, 5]}, panel, **windows, sizing=pair).n_folds
    4
    """
    if not isinstance(universe, UniversePanel):
        raise BadInput(f"universe is a {type(universe).__name__}; give a UniversePanel")
    if not callable(factor):
        raise BadInput(f"factor is {shown(factor)}; give a function of a panel")
    cost = read_number("cost_bps", cost_bps, least=0.0, wanted="zero or more") / 1e4
    periods = require_periods(periods_per_year)
    walk = _walk_of(train_window, test_window, step, expanding=expanding, purge=purge)
    inside = rows_between(days_of(universe.dates), start, end)
    splits = _splits(walk, inside)
    panel = until(universe, inside.stop)
    known = int(splits[0][0][-1]) + 1
    strategies = [
        _Strategy(panel, params, scores_of(factor, params, panel, known=known), as_sizing(sizing))
        for params in combinations_of(params_grid)
    ]
    run = _Run(panel, strategies, rebal, cost, periods)
    return run.judged(splits)


def _walk_of(
    train: int, test: int, step: int | None, *, expanding: bool, purge: int
) -> WalkForward:
    """Return the windows; test windows follow each other as one account, so none may overlap."""
    train, test = read_count("train_window", train), read_count("test_window", test)
    step = test if step is None else read_count("step", step)
    if step < test:
        raise BadInput(f"step is {step}, test_window {test}; the test windows overlap")
    return WalkForward(train, test, step=step, expanding=expanding, purge=purge)


def _splits(walk: WalkForward, inside: slice) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return training and test rows of each fold, as rows of the whole panel."""
    rows, needed = inside.stop - inside.start, walk.train_size + walk.purge + walk.test_size
    if rows < needed:
        raise BadInput(
            f"{rows} rows are too few; train_window {walk.train_size}, purge {walk.purge} and "
            f"test_window {walk.test_size} need {needed}"
        )
    return [(train + inside.start, test + inside.start) for train, test in walk.split(range(rows))]


class _Strategy:
    """One combination of parameters: its scores, and the weights that they ask for."""

    def __init__(
        self, panel: UniversePanel, params: dict[str, Any], scores: FloatArray, sizing: Sizing
    ) -> None:
        close = as_table(panel.close, what="close", allow_nan=True).values
        self.params = params
        self.scores = np.where(np.isnan(close), np.nan, scores)
        self._sizing = sizing

    def target(self, row: int) -> FloatArray:
        """Return the weights (A,) that the scores of a row ask for."""
        return self._sizing.weights(self.scores[row])


class _Run:
    """The strategies on one panel, with what all of them share."""

    def __init__(
        self,
        panel: UniversePanel,
        strategies: list[_Strategy],
        rebal: Rebalance,
        cost: float,
        periods: float,
    ) -> None:
        self.close = as_table(panel.close, what="close", allow_nan=True).values
        self.returns = np.full_like(self.close, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            self.returns[1:] = self.close[1:] / self.close[:-1] - 1.0
        self.labels = (list(panel.dates), list(panel.symbols))
        self.strategies = strategies
        self.trading = rebalance_rows(days_of(panel.dates), rebal).tolist()
        self.cost, self.periods = cost, periods

    def judged(self, splits: list[tuple[Any, Any]]) -> WalkForwardResult:
        """Choose, earn and judge."""
        first, last = int(splits[0][0][0]), int(splits[-1][1][-1])
        paths = np.array([self._path(one, first, last) for one in self.strategies])
        folds: list[Fold] = []
        chosen: list[int] = []
        earned: list[FloatArray] = []
        coefficients: list[FloatArray] = []
        held, after = None, -1
        for train, test in splits:
            ratios = self._ratios(paths[:, train - first])
            if np.isnan(ratios).all():
                day = self.labels[0][int(train[-1])]
                raise BadInput(
                    f"nothing trades in the training window that ends on {day}; give a later "
                    "start, a longer train_window, a shorter rebal, or parameters that need less "
                    "history"
                )
            best = int(np.nanargmax(ratios))
            strategy = self.strategies[best]
            rows = range(int(test[0]), int(test[-1]) + 1)
            decisions = [rows.start - 1, *(r for r in self.trading if rows.start <= r < rows[-1])]
            gained, held = net_returns(
                self.returns,
                {row: strategy.target(row) for row in decisions},
                rows,
                cost=self.cost,
                labels=self.labels,
                held=held if after == rows.start else None,
            )
            after = rows.stop
            folds.append(self._fold(train, test, strategy, float(ratios[best]), gained))
            chosen.append(best)
            earned.append(gained)
            coefficients.append(self._coefficients(strategy, [*decisions, rows[-1]]))
        tested = [self.labels[0][row] for _, test in splits for row in test.tolist()]
        return self._result(
            folds, chosen, np.concatenate(earned), np.concatenate(coefficients), paths, tested
        )

    def _path(self, strategy: _Strategy, first: int, last: int) -> FloatArray:
        """Return the net returns of one strategy alone; NaN before it first trades."""
        targets = {row: strategy.target(row) for row in self.trading if first <= row < last}
        traded = [row for row, target in targets.items() if target.any()]
        result = np.full(last - first + 1, np.nan)
        if traded:
            rows = range(traded[0] + 1, last + 1)
            gained, _ = net_returns(self.returns, targets, rows, cost=self.cost, labels=self.labels)
            result[rows.start - first :] = gained
        return result

    def _ratios(self, paths: FloatArray) -> FloatArray:
        return np.array([self._ratio(path[~np.isnan(path)]) for path in paths])

    def _ratio(self, earned: FloatArray) -> float:
        """Return the Sharpe ratio; NaN for fewer than two returns, or none that differ."""
        if len(earned) < 2:
            return math.nan
        ratio = float(sharpe(earned, periods_per_year=self.periods))
        return ratio if math.isfinite(ratio) else math.nan

    def _coefficients(self, strategy: _Strategy, rows: list[int]) -> FloatArray:
        """Return the information coefficient from each decision to the next."""
        at, later = np.array(rows[:-1]), np.array(rows[1:])
        with np.errstate(divide="ignore", invalid="ignore"):
            ahead = self.close[later] / self.close[at] - 1.0
        found = information_coefficient(strategy.scores[at], ahead)
        return np.asarray(found, dtype=float)

    def _fold(
        self, train: Any, test: Any, strategy: _Strategy, ratio: float, gained: FloatArray
    ) -> Fold:
        dates = self.labels[0]
        return Fold(
            train=(dates[int(train[0])], dates[int(train[-1])]),
            test=(dates[int(test[0])], dates[int(test[-1])]),
            params=dict(strategy.params),
            train_sharpe=ratio,
            test_sharpe=self._ratio(gained),
        )

    def _result(
        self,
        folds: list[Fold],
        chosen: list[int],
        earned: FloatArray,
        coefficients: FloatArray,
        paths: FloatArray,
        tested: list[Any],
    ) -> WalkForwardResult:
        ratio = self._ratio(earned)
        width = _NORMAL_95 * math.sqrt(self.periods)
        width *= float(sharpe_standard_error(earned, method="mertens"))
        whole = self._ratios(paths)
        counts = Counter(chosen)
        best = max(counts, key=lambda one: (counts[one], whole[one]))
        known = coefficients[~np.isnan(coefficients)]
        summary = information_coefficient_summary(known, lags=0) if len(known) > 1 else None
        return WalkForwardResult(
            n_folds=len(folds),
            agg_sharpe=ratio,
            ci95_sharpe=(ratio - width, ratio + width),
            agg_ic=math.nan if summary is None else summary.mean,
            agg_t_stat=math.nan if summary is None else summary.t_statistic,
            best_params=dict(self.strategies[best].params),
            stability_score=counts[best] / len(folds),
            verdict=verdict(float(np.nanmax(whole)), ratio),
            in_sample_sharpe=float(np.nanmax(whole)),
            folds=tuple(folds),
            returns=earned,
            dates=tuple(tested),
        )
