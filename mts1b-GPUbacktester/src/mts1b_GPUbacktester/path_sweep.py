"""Sweep a rule over bootstrap paths of a panel: how far its results are those of one history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mts1b_GPUbacktester.bootstrap import bootstrap_paths
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.grid import Grid, parse_bytes, sets_of
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.progress import Progress, reporter
from mts1b_GPUbacktester.results import SweepResult
from mts1b_GPUbacktester.rules import Rule
from mts1b_GPUbacktester.sweep import run_sweep

if TYPE_CHECKING:
    import polars as pl

__all__ = ["PathSweep", "sweep_paths"]


@dataclass(frozen=True, slots=True)
class PathSweep:
    """A sweep on the history and on bootstrap paths of it.

    ``by_set`` has one row a path and parameter set, the mean of each metric over the symbols;
    ``table`` one row a path, symbol and set, or the best of each path where ``top`` was given.
    Column ``path`` is 0 for the history itself. ``history`` is the sweep on it. Choosing a set by
    its paths is choosing it by the same history; the paths know nothing of another one.
    """

    table: pl.DataFrame
    by_set: pl.DataFrame
    history: SweepResult
    paths: int
    seed: int
    block: float

    def quantiles(
        self, *, by: str = "sharpe", levels: Sequence[float] = (0.05, 0.5, 0.95)
    ) -> pl.DataFrame:
        """Return one row a set: parameters, the metric on the history, its quantiles on the paths.

        ``rank`` is the share of paths below the history, ties counting half: near 1, much of the
        result hangs on the order in which things happened. Undefined values are left out.

        :raises BadSetting: for a metric that was not measured, or a level outside [0, 1].
        """
        import polars as pl

        if by not in self.history.source.metrics:
            known = ", ".join(self.history.source.metrics)
            raise BadSetting(f"by={by!r} was not measured; choose from {known}")
        if not levels or not all(0 <= level <= 1 for level in levels):
            raise BadSetting(f"levels {tuple(levels)} must be shares, 0 to 1")
        value = pl.col(by).fill_nan(None)
        names = list(self.history.source.sets[0])
        keys: list[Any] = names or [pl.lit("all").alias("set")]
        own = pl.col("history")
        paths = (
            self.by_set.with_columns(value)
            .with_columns(pl.col(by).first().over(names or pl.lit(1)).alias("history"))
            .filter(pl.col("path") > 0)
        )
        below = (pl.col(by) < own).cast(pl.Float64) + 0.5 * (pl.col(by) == own).cast(pl.Float64)
        return paths.group_by(keys, maintain_order=True).agg(
            own.first(),
            *(pl.col(by).quantile(level, "linear").alias(f"q{level:g}") for level in levels),
            below.mean().alias("rank"),
        )


def sweep_paths(
    panel: PanelLike,
    rule: Rule,
    *,
    grid: Grid,
    paths: int = 100,
    seed: int,
    block: float = 20,
    out: Path | str | None = None,
    progress: Progress = True,
    **options: Any,
) -> PathSweep:
    """Run one sweep on the history and on ``paths`` stationary-bootstrap paths of it.

    :param seed: of the paths; the same seed gives the same paths.
    :param block: the mean number of bars that stay together, longer than what the rule feeds on
        (the longest average, say), else the paths have nothing of it left.
    :param out: a folder with a folder for each path; a run that was interrupted goes on there.
    :param options: all else that :func:`run_sweep` takes.
    :raises BadPanel, BadRule, BadSetting, EngineMissing: saying what, and what to change.
    """
    import polars as pl

    report = reporter(progress)
    budget = parse_bytes(options.get("memory_budget", "1GiB"))
    sets = sets_of(grid, options.get("where"), budget=budget)
    tables, means, history = [], [], None
    drawn = bootstrap_paths(Prices.of(panel_from(panel)), paths=paths, seed=seed, block=block)
    for path, prices in drawn:
        folder = None if out is None else Path(out) / f"path-{path:05d}"
        result = run_sweep(
            prices.panel(), rule, grid=sets, out=folder, progress=False, **options
        )  # fmt: skip
        if history is None:
            history = result
            _require_room(result, paths, budget)
        number = pl.lit(path, dtype=pl.Int64).alias("path")
        tables.append(result.table.select(number, pl.all()))
        means.append(result.by_set.select(number, pl.all()))
        report((path + 1) / (paths + 1))
    assert history is not None
    return PathSweep(pl.concat(tables), pl.concat(means), history, paths, seed, block)


def _require_room(history: SweepResult, paths: int, budget: int) -> None:
    """Ask the budget about the joined tables of every path, by those of the history.

    :raises BadSetting: where they do not fit.
    """
    size = (paths + 1) * (history.table.estimated_size() + history.by_set.estimated_size())
    if size > budget:
        raise BadSetting(
            f"the tables of {paths:,} paths take about {size / 2**30:.1f} GiB, the budget is "
            f"{budget / 2**30:.1f} GiB; give fewer paths, top=, or a larger memory_budget"
        )
