"""How much of a sweep's best result is search: statistics that know the number of trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_quantkit import metrics as quantkit

from mts1b_GPUbacktester.engines import Market, choose_engine
from mts1b_GPUbacktester.engines.port import returns_of
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.evaluate import Evaluator
from mts1b_GPUbacktester.semantics import FloatArray, Settings
from mts1b_GPUbacktester.wholes import require_whole

if TYPE_CHECKING:
    from mts1b_GPUbacktester.results import SweepResult

__all__ = [
    "SearchStatistics",
    "deflated_of",
    "overfitting_of",
    "returns_of_set",
    "search_statistics",
]

_COST_STEPS = (0.0, 1.0, 2.0, 4.0)
_WHOLE_BPS = 10_000.0
_MOST_SPLITS = 24
_STILL = 1e-3
"""Spread of a block, over the largest one of the set, at which it counts as one without moves."""


@dataclass(frozen=True, slots=True)
class SearchStatistics:
    """What a search of ``n_trials`` parameter sets says about its best one.

    Returns are those of all symbols together, each with the same starting capital. NaN where the
    sweep is too small to say.

    :ivar measured_trials: how many sets were simulated again to compare their returns.
    :ivar sharpe: of the best set, annual.
    :ivar deflated_sharpe: the probability that its true Sharpe ratio is above zero, given how many
        were tried (Bailey and Lopez de Prado 2014).
    :ivar overfitting_probability: how often the best half-sample choice ranks below the median in
        the other half (Bailey, Borwein, Lopez de Prado and Zhu 2015).
    :ivar years: length of the sample; ``needed_years`` is the length below which as good a Sharpe
        ratio is expected by chance alone.
    :ivar neighbour_stability: mean Sharpe ratio of the adjacent sets over that of the best.
    :ivar cost_sensitivity: (fees in basis points a side, Sharpe ratio) of the best set.
    """

    n_trials: int
    measured_trials: int
    best_params: dict[str, Any]
    sharpe: float
    deflated_sharpe: float
    overfitting_probability: float
    years: float
    needed_years: float
    neighbour_stability: float
    cost_sensitivity: tuple[tuple[float, float], ...]


def search_statistics(
    result: SweepResult, *, max_trials: int = 200, n_splits: int = 10
) -> SearchStatistics:
    """Simulate up to ``max_trials`` sets again, the best among them, and compare their returns.

    :param n_splits: blocks of the cross-validation, an even number up to 24.
    :raises BadSetting: for a sweep without a Sharpe ratio, or numbers that make no sense.
    """
    require_whole("max_trials", max_trials, 2)
    _require_splits(n_splits)
    best = result.best_params(by="sharpe")
    chosen = _chosen(result.source.sets, best, max_trials)
    simulator = _Simulator(result)
    returns = np.column_stack([simulator.returns(params) for params in chosen])
    mine = returns[:, chosen.index(best)]
    periods = result.settings.periods_per_year
    sharpe = float(quantkit.sharpe(mine, periods_per_year=periods))
    years = len(mine) / periods
    return SearchStatistics(
        n_trials=result.n_trials,
        measured_trials=len(chosen),
        best_params=best,
        sharpe=sharpe,
        deflated_sharpe=deflated_of(mine, returns, result.n_trials),
        overfitting_probability=overfitting_of(returns, n_splits),
        years=years,
        needed_years=_needed_years(result.n_trials, sharpe),
        neighbour_stability=_stability(result, best),
        cost_sensitivity=tuple(simulator.by_costs(best, periods)),
    )


def returns_of_set(result: SweepResult, params: dict[str, Any]) -> FloatArray:
    """Return (T,), what all accounts together return with one of a sweep's sets."""
    return _Simulator(result).returns(params)


class _Simulator:
    """Simulate single sets of a sweep again."""

    def __init__(self, result: SweepResult) -> None:
        source = result.source
        self._source, self._settings = source, result.settings
        self._engine, _ = choose_engine(result.engine.name, source.prices.close.size)
        self._evaluator = Evaluator(source.prices, budget=source.budget)

    def returns(self, params: dict[str, Any], settings: Settings | None = None) -> FloatArray:
        """Return (T,), what all accounts together return."""
        used = self._settings if settings is None else settings
        rule = self._source.rule
        market = Market.of(self._source.prices, used, stops=rule.has_stops)
        signals = self._evaluator.signals(rule, used, params)
        return returns_of(self._engine.paths(signals, market, used).equity.mean(axis=0))

    def by_costs(self, params: dict[str, Any], periods: float) -> list[tuple[float, float]]:
        """Return the Sharpe ratio at no fees, the given ones, and multiples of them."""
        base = self._settings.fees_bps or 5.0
        found = []
        for step in _COST_STEPS:
            if base * step >= _WHOLE_BPS:
                break
            fees = replace(self._settings, fees_bps=base * step)
            ratio = quantkit.sharpe(self.returns(params, fees), periods_per_year=periods)
            found.append((base * step, float(ratio)))
        return found


def _chosen(sets: list[dict[str, Any]], best: dict[str, Any], most: int) -> list[dict[str, Any]]:
    """Return evenly spread sets, the best among them."""
    if len(sets) <= most:
        return sets
    places = np.unique(np.linspace(0, len(sets) - 1, most - 1).astype(int))
    spread = [sets[place] for place in places]
    return spread if best in spread else [*spread, best]


def deflated_of(best: FloatArray, returns: FloatArray, trials: int | None = None) -> float:
    """Return the deflated Sharpe ratio of the best (T,) among the returns (T, P) of a search.

    :param trials: how many were tried, where ``returns`` are some of them.
    """
    ratios = np.asarray(quantkit.sharpe(returns, periods_per_year=1))
    known = ratios[np.isfinite(ratios)]
    count = returns.shape[1] if trials is None else trials
    if len(known) < 2 or count < 2 or not np.isfinite(quantkit.sharpe(best)):
        return float("nan")
    variance = float(np.var(known, ddof=1))
    return float(quantkit.deflated_sharpe(best, n_trials=count, variance=variance))


def _require_splits(count: int) -> None:
    """Refuse a number of blocks that no cross-validation has.

    :raises BadSetting: saying which there are.
    """
    whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
    if not whole or not 2 <= count <= _MOST_SPLITS or count % 2:
        raise BadSetting(f"n_splits {count!r} must be a number that is even and 2 to 24")


def overfitting_of(returns: FloatArray, n_splits: int) -> float:
    """Return the probability of overfitting among the sets that move in every half, or NaN.

    A half of the blocks in which a set does not move would have no Sharpe ratio of it.

    :raises BadSetting: for an odd number of blocks, or one outside 2 to 24.
    """
    _require_splits(n_splits)
    length = len(returns) // n_splits
    if length < 2:
        return float("nan")
    blocks = returns[len(returns) - length * n_splits :].reshape(n_splits, length, -1)
    spread = blocks.std(axis=1)
    still = (spread <= _STILL * spread.max(axis=0)).sum(axis=0)
    moving = still < n_splits // 2
    if moving.sum() < 2:
        return float("nan")
    found = quantkit.probability_of_backtest_overfitting(returns[:, moving], n_splits=n_splits)
    return found.probability


def _needed_years(trials: int, sharpe: float) -> float:
    if trials < 2 or not sharpe > 0 or not np.isfinite(sharpe):
        return float("nan")
    return float(quantkit.min_backtest_length(trials, target_sharpe=sharpe))


def _stability(result: SweepResult, best: dict[str, Any]) -> float:
    """Return the mean over sets at most one step away in every parameter, over the best."""
    table, own = result.by_set, float("nan")
    near = []
    steps = {
        name: {value: place for place, value in enumerate(sorted(set(table[name].to_list())))}
        for name in best
    }
    for row in table.iter_rows(named=True):
        away = [abs(places[row[name]] - places[best[name]]) for name, places in steps.items()]
        if not any(away):
            own = row["sharpe"]
        elif max(away) == 1:
            near.append(row["sharpe"])
    known = [value for value in near if np.isfinite(value)]
    return float(np.mean(known) / own) if known and own else float("nan")
