"""``mts backtest``: run a rule on a file of bars, once, over a grid, or with two engines."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import polars as pl

    from mts1b_GPUbacktester.parity import Parity, Tolerance
    from mts1b_GPUbacktester.rules import Rule

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulate rules on history.")

PanelOption = Annotated[
    Path | None,
    typer.Option("--panel", help="a CSV or parquet file: symbol, timestamp, open, ... volume"),
]
UniverseOption = Annotated[
    str | None, typer.Option("--universe", help="in its place, a dataset of the lake, or 'sample'")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="write an HTML page with all of it")
]
LongWhen = Annotated[
    str | None, typer.Option(help="long while true, e.g. 'sma(close, fast) > sma(close, slow)'")
]
EnterOption = Annotated[str | None, typer.Option("--enter", help="condition that opens a position")]
ShortWhen = Annotated[str | None, typer.Option(help="short while true; needs --direction both")]
StopOption = Annotated[str | None, typer.Option(help="stop, a fraction of the price or a name")]
TrailOption = Annotated[str | None, typer.Option(help="trailing stop, a fraction or a name")]
TimeOption = Annotated[str | None, typer.Option(help="leave after so many bars, or a name")]
DirectionOption = Annotated[Literal["long", "short", "both"], typer.Option()]
WhereOption = Annotated[
    str | None, typer.Option(help="keep sets in which NAME < NAME, e.g. fast<slow")
]
ExitOption = Annotated[str | None, typer.Option("--exit", help="condition that closes it")]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", help="NAME=VALUE; in a sweep NAME=V1,V2 or A:B:STEP")
]
FillOption = Annotated[
    Literal["next_open", "next_close", "signal_close"], typer.Option(help="where fills are made")
]
FeesOption = Annotated[float, typer.Option(help="fees a side, basis points")]
SlippageOption = Annotated[float, typer.Option(help="slippage a side, basis points")]
BorrowOption = Annotated[float, typer.Option(help="a year on short positions, basis points")]
PeriodsOption = Annotated[float, typer.Option(help="bars a year: 252 daily, 365, 52, 12")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object")]


@contextmanager
def _reported(as_json: bool, *, ends_with: int | None = None) -> Iterator[None]:
    """Print an error and end with its exit code, or with ``ends_with``."""
    from mts1b_platform.errors import PlatformError

    try:
        yield
    except PlatformError as error:
        code = int(error.exit_code) if ends_with is None else ends_with
        if as_json:
            told = {"error": type(error).__name__, "message": str(error), "exit_code": code}
            print(json.dumps(told))
        else:
            print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(code) from None


_WHOLE_RULES = (
    {"long_when"},
    {"short_when"},
    {"long_when", "short_when"},
    {"enter", "leave"},
    {"enter", "leave", "short_when"},
)


def _data(panel: Path | None, universe: str | None) -> Any:
    """Return where the bars come from."""
    if (panel is None) == (universe is None):
        raise typer.BadParameter("give exactly one of --panel and --universe")
    if universe is None:
        return panel
    from mts1b_GPUbacktester.universes import universe_panel

    return universe_panel(universe)


def _rule(**texts: str | None) -> Rule:
    from mts1b_GPUbacktester.specification import rule_of

    conditions = ("long_when", "short_when", "enter", "leave")
    if {name for name in conditions if texts[name] is not None} not in _WHOLE_RULES:
        raise typer.BadParameter("give either --long-when, or both --enter and --exit")
    return rule_of(**texts)


@app.command("run")
def run(
    panel: PanelOption = None,
    universe: UniverseOption = None,
    long_when: LongWhen = None,
    short_when: ShortWhen = None,
    enter: EnterOption = None,
    leave: ExitOption = None,
    stop: StopOption = None,
    trailing_stop: TrailOption = None,
    time_exit: TimeOption = None,
    direction: DirectionOption = "long",
    param: ParamOption = None,
    start: Annotated[str | None, typer.Option(help="first day, e.g. 2010-01-01")] = None,
    end: Annotated[str | None, typer.Option(help="last day")] = None,
    fill: FillOption = "next_open",
    fees_bps: FeesOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    borrow_bps: BorrowOption = 0.0,
    periods_per_year: PeriodsOption = 252.0,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate one rule with one parameter set; each asset starts with the same capital."""
    with _reported(as_json):
        from mts1b_GPUbacktester.outputs import require_writable
        from mts1b_GPUbacktester.single import run_single
        from mts1b_GPUbacktester.specification import grid_of

        require_writable(report)
        grid = grid_of(param or [])
        if any(len(values) != 1 for values in grid.values()):
            raise typer.BadParameter("one value for each --param; use 'sweep' for several")
        result = run_single(
            panel=_data(panel, universe),
            rule=_rule(
                long_when=long_when,
                short_when=short_when,
                enter=enter,
                leave=leave,
                stop=stop,
                trailing_stop=trailing_stop,
                time_exit=time_exit,
            ),
            direction=direction,
            params={name: values[0] for name, values in grid.items()},
            start=start,
            end=end,
            fill=fill,
            fees_bps=fees_bps,
            slippage_bps=slippage_bps,
            borrow_bps=borrow_bps,
            periods_per_year=periods_per_year,
        )
        if report is not None:
            result.report(report)
        found = result.metrics()
        if as_json:
            counts = {"costs": result.costs, "bars": len(result.returns), "exit_code": 0}
            print(json.dumps({**_plain(found), **counts}))
            return
        for name, value in found.items():
            print(f"{name:<18} {value:>12.6g}")
        print(f"{'costs':<18} {result.costs:>12.6g}")


@app.command("sweep")
def sweep(
    panel: PanelOption = None,
    universe: UniverseOption = None,
    long_when: LongWhen = None,
    short_when: ShortWhen = None,
    enter: EnterOption = None,
    leave: ExitOption = None,
    stop: StopOption = None,
    trailing_stop: TrailOption = None,
    time_exit: TimeOption = None,
    direction: DirectionOption = "long",
    param: ParamOption = None,
    where: WhereOption = None,
    fill: FillOption = "next_open",
    fees_bps: FeesOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    borrow_bps: BorrowOption = 0.0,
    periods_per_year: PeriodsOption = 252.0,
    engine: Annotated[Literal["auto", "numpy", "numba", "cuda"], typer.Option()] = "auto",
    by: Annotated[str, typer.Option(help="metric to order by")] = "sharpe",
    top: Annotated[int, typer.Option(help="rows to print", min=0)] = 10,
    out: Annotated[Path | None, typer.Option(help="write the whole table as parquet")] = None,
    report: ReportOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate one rule with every combination of parameters on every asset."""
    with _reported(as_json):
        from mts1b_GPUbacktester.outputs import require_writable
        from mts1b_GPUbacktester.specification import filter_of, grid_of
        from mts1b_GPUbacktester.sweep import DEFAULT_METRICS, run_sweep

        require_writable(out, report)
        result = run_sweep(
            _data(panel, universe),
            _rule(
                long_when=long_when,
                short_when=short_when,
                enter=enter,
                leave=leave,
                stop=stop,
                trailing_stop=trailing_stop,
                time_exit=time_exit,
            ),
            grid=grid_of(param or []),
            where=filter_of(where),
            direction=direction,
            fill=fill,
            fees_bps=fees_bps,
            slippage_bps=slippage_bps,
            borrow_bps=borrow_bps,
            periods_per_year=periods_per_year,
            engine=engine,
            metrics=(*DEFAULT_METRICS, by),
        )
        if out is not None:
            result.to_parquet(out)
        if report is not None:
            result.report(report)
        best = result.best(top, by=by)
        if as_json:
            used = {"name": result.engine.name, "reason": result.engine.reason}
            summary = {"n_trials": result.n_trials, "engine": used, "timings": result.timings}
            rows = [_plain(row) for row in best.to_dicts()]
            print(json.dumps({**summary, "best": rows, "exit_code": 0}))
            return
        _print_table(best)
        print(
            f"{result.n_trials} parameter sets, {result.table.height} accounts; engine "
            f"{result.engine.name} ({result.engine.reason}), {result.timings['run']:.2f} s"
        )


@app.command("parity")
def parity(
    panel: PanelOption = None,
    universe: UniverseOption = None,
    long_when: LongWhen = None,
    short_when: ShortWhen = None,
    enter: EnterOption = None,
    leave: ExitOption = None,
    stop: StopOption = None,
    trailing_stop: TrailOption = None,
    time_exit: TimeOption = None,
    direction: DirectionOption = "long",
    param: ParamOption = None,
    where: WhereOption = None,
    fill: FillOption = "next_open",
    fees_bps: FeesOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    reference: Annotated[Literal["numpy", "numba", "cuda"], typer.Option()] = "numpy",
    engine: Annotated[Literal["numpy", "numba", "cuda"], typer.Option()] = "numba",
    policy: Annotated[
        Path | None, typer.Option(help="JSON: metric -> {absolute, relative}; others fail")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two engines, every account in every metric.

    Ends with 0 where all match, 1 where one differs, 2 where they could not be compared.
    """
    with _incomparable(as_json):
        from mts1b_GPUbacktester.parity import DEFAULT_POLICY, check_parity
        from mts1b_GPUbacktester.specification import filter_of, grid_of

        found = check_parity(
            _data(panel, universe),
            _rule(
                long_when=long_when,
                short_when=short_when,
                enter=enter,
                leave=leave,
                stop=stop,
                trailing_stop=trailing_stop,
                time_exit=time_exit,
            ),
            grid=grid_of(param or []),
            reference=reference,
            engine=engine,
            policy=DEFAULT_POLICY if policy is None else _policy(policy),
            where=filter_of(where),
            direction=direction,
            fill=fill,
            fees_bps=fees_bps,
            slippage_bps=slippage_bps,
        )
    _print_parity(found, as_json=as_json)
    raise typer.Exit(0 if found.holds else 1)


@app.command("batch")
def batch(
    config: Annotated[Path, typer.Option(help="a YAML, TOML or JSON file with a list 'sweeps'")],
    output: Annotated[Path, typer.Option(help="a folder for tables, reports and a summary")],
    as_json: JsonOption = False,
) -> None:
    """Run every sweep of a file."""
    with _reported(as_json):
        from mts1b_GPUbacktester.batch import run_batch

        results = run_batch(config, output)
        trials = sum(result.n_trials for result in results)
        if as_json:
            told = json.loads((output / "summary.json").read_text())
            print(json.dumps({**told, "exit_code": 0}))
        else:
            print(f"{len(results)} sweeps, {trials} parameter sets; results in {output}")


@contextmanager
def _incomparable(as_json: bool) -> Iterator[None]:
    """Print why nothing was compared and end with 2."""
    with _reported(as_json, ends_with=2):
        yield


def _policy(path: Path) -> dict[str, Tolerance]:
    """Read a policy.

    :raises BadSetting: for a file that is none.
    """
    from mts1b_GPUbacktester.errors import BadSetting
    from mts1b_GPUbacktester.parity import Tolerance

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: Tolerance(**given) for name, given in data.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadSetting(
            f'{path} is not a policy, e.g. {{"sharpe": {{"relative": 1e-6}}}}: {error}'
        ) from None


def _print_parity(found: Parity, *, as_json: bool) -> None:
    rows = [
        {
            "metric": one.metric,
            "holds": one.holds,
            "compared": one.compared,
            "differing": one.differing,
            "largest": one.largest,
            "reason": one.reason,
        }
        for one in found.metrics
    ]
    if as_json:
        told = {"holds": found.holds, "n_trials": found.n_trials, "metrics": rows}
        print(json.dumps({**told, "exit_code": 0 if found.holds else 1}))
        return
    for one in found.metrics:
        verdict = "same" if one.holds else f"{one.differing} differ: {one.reason}"
        print(f"{one.metric:<18} {one.compared:>9} pairs  largest {one.largest:.3g}  {verdict}")
    print(f"{found.reference} and {found.engine} {'match' if found.holds else 'DIFFER'}")


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row for JSON, which knows no NaN or infinity."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _print_table(table: pl.DataFrame) -> None:
    print("  ".join(f"{name:>12}" for name in table.columns))
    for row in table.iter_rows():
        cells = (f"{v:>12.4f}" if isinstance(v, float) else f"{v:>12}" for v in row)
        print("  ".join(cells))
