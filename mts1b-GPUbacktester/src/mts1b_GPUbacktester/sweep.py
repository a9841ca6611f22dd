"""Run one rule with many parameter sets over every asset of a panel."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from mts1b_platform.clock import Clock, SystemClock

from mts1b_GPUbacktester.blocks import blocks
from mts1b_GPUbacktester.engines import EngineName, SweepBlock, choose_engine
from mts1b_GPUbacktester.engines.port import Engine, SweepSummary, check_metrics
from mts1b_GPUbacktester.errors import BadRule, BadSetting
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.program import is_plain
from mts1b_GPUbacktester.results import SweepResult
from mts1b_GPUbacktester.rules import Rule, Value
from mts1b_GPUbacktester.semantics import Direction, Fill, Settings, Size

if TYPE_CHECKING:
    import polars as pl

__all__ = ["run_sweep"]

Params = dict[str, Any]
Grid = Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]]

DEFAULT_METRICS = ("total_return", "sharpe", "max_drawdown", "n_trades")
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def run_sweep(
    panel: PanelLike,
    rule: Rule,
    *,
    grid: Grid,
    where: Callable[[Params], bool] | None = None,
    fill: Fill = "next_open",
    fees_bps: float = 5.0,
    slippage_bps: float = 0.0,
    borrow_bps: float = 0.0,
    direction: Direction = "long",
    size: Size = "all_cash",
    engine: EngineName = "auto",
    metrics: Sequence[str] = DEFAULT_METRICS,
    periods_per_year: float = 252,
    memory_budget: str | int = "1GiB",
    clock: Clock | None = None,
) -> SweepResult:
    """Simulate every parameter set on every asset; each pair is an account of its own.

    :param panel: a UniversePanel, or anything that ``panel_from`` takes.
    :param grid: parameter -> values (all combinations), or a list of parameter sets.
    :param where: keeps the sets for which it is true, e.g. ``lambda p: p["fast"] < p["slow"]``.
    :param fees_bps: basis points a side; so is ``slippage_bps``. ``borrow_bps`` a year are paid on
        the value of short positions.
    :param metrics: any of total_return, sharpe, max_drawdown, n_trades, sortino, calmar, cagr,
        annual_volatility; by quantkit's definitions on the T returns of an account.
    :param memory_budget: for averages and signals kept at once, e.g. "512MiB" or bytes.
    :raises BadPanel, BadRule, BadSetting, EngineMissing: saying what, and what to change.
    """
    settings = Settings(
        fill=fill,
        fees_bps=fees_bps,
        slippage_bps=slippage_bps,
        borrow_bps=borrow_bps,
        direction=direction,
        size=size,
        periods_per_year=periods_per_year,
    )
    wanted = check_metrics(metrics)
    budget = parse_bytes(memory_budget)
    clock = clock if clock is not None else SystemClock()
    prices = Prices.of(panel_from(panel))
    sets = parameter_sets(rule, grid, where, size=settings.fraction)
    worker, choice = choose_engine(engine, prices.close.size * len(sets))
    whole = SweepBlock(prices, rule, sets, settings, wanted, budget // 2)
    began = clock.monotonic()
    worker.prepare(plain=is_plain(rule, settings))
    prepared = clock.monotonic()
    summary = _simulate(whole, worker)
    finished = clock.monotonic()
    return SweepResult(
        table=_table(prices.symbols, sets, summary),
        n_trials=len(sets),
        engine=choice,
        timings={"compile": prepared - began, "run": finished - prepared},
        settings=settings,
    )


def parameter_sets(
    rule: Rule,
    grid: Grid,
    where: Callable[[Params], bool] | None = None,
    *,
    size: Value | None = None,
) -> list[Params]:
    """Return the parameter sets of a grid, in its order.

    :raises BadRule: when none is left, or a set has not exactly the parameters of rule and size.
    """
    if isinstance(grid, Mapping):
        names = list(grid)
        sets = [dict(zip(names, row, strict=True)) for row in itertools.product(*grid.values())]
    else:
        sets = [dict(item) for item in grid]
    if where is not None:
        sets = [params for params in sets if where(params)]
    if not sets:
        raise BadRule("the grid has no parameter set; widen it or loosen where=")
    needed = rule.parameters()
    if size is not None:
        needed |= size.parameters()
    for params in sets:
        if set(params) != needed:
            raise BadRule(
                f"the rule needs {', '.join(sorted(needed)) or 'no parameter'}; "
                f"the grid gives {', '.join(params) or 'none'}"
            )
    return sets


def _simulate(whole: SweepBlock, engine: Engine) -> SweepSummary:
    """Run a sweep block by block and put the blocks together."""
    shape = (len(whole.sets), len(whole.prices.symbols))
    values = {name: np.empty(shape) for name in whole.metrics}
    for rows, assets in blocks(whole):
        part = replace(whole, prices=whole.prices.part(assets), sets=whole.sets[rows])
        for name, found in engine.sweep(part).values.items():
            values[name][rows, assets] = found
    return SweepSummary(values)


def _table(symbols: tuple[str, ...], sets: list[Params], summary: SweepSummary) -> pl.DataFrame:
    """Return one row per parameter set and symbol, sets outermost."""
    import polars as pl

    columns: dict[str, Any] = {"symbol": list(symbols) * len(sets)}
    for name in sets[0]:
        columns[name] = [params[name] for params in sets for _ in symbols]
    for name, values in summary.values.items():
        flat = values.reshape(-1)
        columns[name] = flat.astype(np.int64) if name == "n_trades" else flat
    return pl.DataFrame(columns)


def parse_bytes(text: str | int) -> int:
    """Return a number of bytes from e.g. "1GiB", "512 MiB" or 1048576.

    :raises BadSetting: for text of another form.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)(?:ib|b)?\s*", str(text).lower())
    if not found or float(found[1]) == 0:
        raise BadSetting(f"memory_budget {text!r} is refused; write e.g. '512MiB' or '2GiB'")
    return int(float(found[1]) * _UNITS[found[2]])
