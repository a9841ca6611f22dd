"""Run one rule with many parameter sets over every asset of a panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from mts1b_platform.clock import Clock, SystemClock

from mts1b_GPUbacktester.blocks import Cut, blocks
from mts1b_GPUbacktester.collect import Collected
from mts1b_GPUbacktester.engines import EngineName, SweepBlock
from mts1b_GPUbacktester.engines.choose import choose_for_sweep
from mts1b_GPUbacktester.engines.port import Engine, check_metrics
from mts1b_GPUbacktester.errors import BadSetting
from mts1b_GPUbacktester.executors import Executor, check_executor, run_blocks
from mts1b_GPUbacktester.expressions import Field
from mts1b_GPUbacktester.grid import Grid, Params, parameter_sets, parse_bytes
from mts1b_GPUbacktester.panels import PanelLike, Prices, panel_from
from mts1b_GPUbacktester.program import is_plain
from mts1b_GPUbacktester.progress import Progress, reporter
from mts1b_GPUbacktester.results import SweepResult
from mts1b_GPUbacktester.rules import Rule, sides_of
from mts1b_GPUbacktester.semantics import Direction, Fill, Settings, Size
from mts1b_GPUbacktester.store import Store
from mts1b_GPUbacktester.wholes import require_whole

__all__ = ["check_top", "cuts_for", "run_sweep"]

DEFAULT_METRICS = ("total_return", "sharpe", "max_drawdown", "n_trades")


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
    top: int | None = None,
    by: str = "sharpe",
    out: Path | str | None = None,
    executor: Executor = None,
    progress: Progress = True,
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
    :param memory_budget: for what is kept at once, e.g. "512MiB" or bytes.
    :param top: keep the best rows ``by`` a metric alone; every set is still measured, and
        ``by_set`` has the mean of each.
    :param out: a folder; parts of the table are written there as parquet while the sweep runs, and
        a sweep that was interrupted goes on where it stopped.
    :param executor: where blocks run: None for this process, "dask" for the current dask client, or
        a ``distributed.Client``; the table is the same.
    :param progress: show it on a terminal; or a function that is told the fraction done.
    :raises BadPanel, BadRule, BadSetting, EngineMissing, ExecutorMissing, WorkersLost: saying what,
        and what to change.
    """
    client = check_executor(executor)
    settings = Settings(
        fill=fill, fees_bps=fees_bps, slippage_bps=slippage_bps, borrow_bps=borrow_bps,
        direction=direction, size=size, periods_per_year=periods_per_year,
    )  # fmt: skip
    budget, wanted = parse_bytes(memory_budget), check_metrics(metrics)
    prices = Prices.of(panel_from(panel))
    sets = parameter_sets(rule, grid, where, size=settings.fraction, budget=budget)
    sides_of(rule, direction)
    whole = SweepBlock(prices, rule, sets, settings, wanted, budget // 2)
    collected = Collected(whole, top=_rows_kept(whole, top, by, budget), by=by)
    folder = None if out is None else Path(out)
    return _run(
        whole, engine, collected, folder, client, reporter(progress), clock or SystemClock()
    )


def _require_fields(prices: Prices, rule: Rule, settings: Settings) -> None:
    """Look for every field that fills, stops and the rule read, before anything runs.

    :raises BadPanel: for one that the panel has not.
    """
    nodes = [*rule.parts(), *settings.fraction.parts()]
    read = [node.name for node in nodes if isinstance(node, Field)]
    ranges = ("open", "high", "low") if rule.has_stops else ()
    for name in dict.fromkeys((settings.price_field, "close", *ranges, *read)):
        prices.field(name)


def _run(
    whole: SweepBlock,
    engine: EngineName,
    collected: Collected,
    folder: Path | None,
    client: Any | None,
    report: Callable[[float], None],
    clock: Clock,
) -> SweepResult:
    worker, choice = choose_for_sweep(engine, whole)
    whole = _fitted(whole, worker)
    began = clock.monotonic()
    if client is None:
        worker.prepare(plain=is_plain(whole.rule, whole.settings))
    prepared = clock.monotonic()
    cuts = cuts_for(whole, worker)
    _require_fields(whole.prices, whole.rule, whole.settings)
    store = None if folder is None else Store(folder, whole, worker.name)
    _simulate(cuts, worker, choice.name, client, collected, store, report)
    finished = clock.monotonic()
    return SweepResult(
        table=collected.table(),
        by_set=collected.by_set(),
        n_trials=len(whole.sets),
        engine=choice,
        timings={"compile": prepared - began, "run": finished - prepared, **_times_of(worker)},
        settings=whole.settings,
        source=whole,
        store=store,
    )


def _simulate(
    cuts: Sequence[Cut],
    engine: Engine,
    name: EngineName,
    client: Any | None,
    collected: Collected,
    store: Store | None,
    report: Callable[[float], None],
) -> None:
    """Take up the blocks that are on disk already, run the others, and collect all of them."""
    absent = [store is None or not store.has(cut) for cut in cuts]
    fresh = run_blocks(compress(cuts, absent), engine, name, client)
    for done, (cut, is_absent) in enumerate(zip(cuts, absent, strict=True), start=1):
        if is_absent:
            values = next(fresh)
            if store is not None:
                store.write(cut, values)
        else:
            assert store is not None
            values = store.read(cut)
        collected.add(cut[0], cut[1], values)
        report(done / len(cuts))


@runtime_checkable
class _OnDevice(Protocol):
    """An engine with a memory of its own."""

    def times(self) -> dict[str, float]:
        """Return the seconds of what the host does not do."""
        ...

    def room(self) -> int:
        """Return how many bytes a block may take there."""
        ...


def _fitted(whole: SweepBlock, engine: Engine) -> SweepBlock:
    """Return a sweep that takes no more than the memory of the engine."""
    if not isinstance(engine, _OnDevice):
        return whole
    return replace(whole, budget=min(whole.budget, engine.room()))


def cuts_for(whole: SweepBlock, engine: Engine) -> list[Cut]:
    """Return the blocks of a sweep that keep its budget with this engine."""
    fitted, name = _fitted(whole, engine), engine.name
    return blocks(fitted, compiled=name != "numpy", on_device=name == "cuda")


def _times_of(engine: Engine) -> dict[str, float]:
    return engine.times() if isinstance(engine, _OnDevice) else {}


def check_top(top: Any, by: str, metrics: Sequence[str]) -> None:
    """Refuse a number of best rows that is none, None being all of them.

    :raises BadSetting: also for a metric to order them by that is not measured.
    """
    if top is None:
        return
    require_whole("top", top, 1)
    if by not in metrics:
        raise BadSetting(f"by={by!r} is not measured; choose from {', '.join(metrics)}")


def _rows_kept(whole: SweepBlock, top: int | None, by: str, budget: int) -> int | None:
    """Return how many rows to keep, None for all.

    :raises BadSetting: for a number that is no count, a metric that is not measured, or a table
        that does not fit the budget.
    """
    check_top(top, by, whole.metrics)
    if top is not None:
        return top
    rows = len(whole.sets) * len(whole.prices.symbols)
    # Metrics are there twice while the table is made; a symbol takes two columns, so do the places.
    size = 8 * rows * (2 * len(whole.metrics) + len(whole.sets[0]) + 4)
    if size > budget:
        raise BadSetting(
            f"a table of {rows:,} rows takes about {size / 2**30:.1f} GiB, the budget is "
            f"{budget / 2**30:.1f} GiB; give top=1000 (and out= for the whole table on disk), or a "
            "larger memory_budget"
        )
    return None
