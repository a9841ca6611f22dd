"""``mts backtest``: run a rule on a file of bars, once or over a grid."""

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

    from mts1b_GPUbacktester.rules import Rule

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Simulate rules on history.")

PanelOption = Annotated[
    Path, typer.Option("--panel", help="a CSV or parquet file: symbol, timestamp, open, ... volume")
]
LongWhen = Annotated[
    str | None, typer.Option(help="long while true, e.g. 'sma(close, fast) > sma(close, slow)'")
]
EnterOption = Annotated[str | None, typer.Option("--enter", help="condition that opens a position")]
ExitOption = Annotated[str | None, typer.Option("--exit", help="condition that closes it")]
ParamOption = Annotated[
    list[str] | None, typer.Option("--param", help="NAME=VALUE; in a sweep NAME=V1,V2 or A:B:STEP")
]
FillOption = Annotated[
    Literal["next_open", "next_close", "signal_close"], typer.Option(help="where fills are made")
]
FeesOption = Annotated[float, typer.Option(help="fees a side, basis points")]
SlippageOption = Annotated[float, typer.Option(help="slippage a side, basis points")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object")]


@contextmanager
def _reported(as_json: bool) -> Iterator[None]:
    """Print an error and end with its exit code."""
    from mts1b_platform.errors import PlatformError

    try:
        yield
    except PlatformError as error:
        if as_json:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        else:
            print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(int(error.exit_code)) from None


def _rule(long_when: str | None, enter: str | None, leave: str | None) -> Rule:
    from mts1b_GPUbacktester import rules as r
    from mts1b_GPUbacktester.text import parse_condition

    if long_when is not None and enter is None and leave is None:
        return r.long_when(parse_condition(long_when))
    if long_when is None and enter is not None and leave is not None:
        return r.enter_long(parse_condition(enter)).exit_long(parse_condition(leave))
    raise typer.BadParameter("give either --long-when, or both --enter and --exit")


def _numbers(text: str) -> list[int | float]:
    """Read ``5``, ``5,10,20`` or ``5:50:5`` (the end included)."""
    try:
        if ":" in text:
            first, last, step = (int(part) for part in text.split(":"))
            return list(range(first, last + 1, step))
        return [float(part) if "." in part else int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not V, V1,V2,... or FIRST:LAST:STEP") from None


def _grid(pairs: list[str] | None) -> dict[str, list[int | float]]:
    grid = {}
    for pair in pairs or []:
        name, found, values = pair.partition("=")
        if not found:
            raise typer.BadParameter(f"--param {pair!r} is not NAME=VALUE")
        grid[name] = _numbers(values)
    return grid


@app.command("run")
def run(
    panel: PanelOption,
    long_when: LongWhen = None,
    enter: EnterOption = None,
    leave: ExitOption = None,
    param: ParamOption = None,
    start: Annotated[str | None, typer.Option(help="first day, e.g. 2010-01-01")] = None,
    end: Annotated[str | None, typer.Option(help="last day")] = None,
    fill: FillOption = "next_open",
    fees_bps: FeesOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Simulate one rule with one parameter set; each asset starts with the same capital."""
    with _reported(as_json):
        from mts1b_GPUbacktester.single import run_single

        grid = _grid(param)
        if any(len(values) != 1 for values in grid.values()):
            raise typer.BadParameter("one value for each --param; use 'sweep' for several")
        result = run_single(
            panel=panel,
            rule=_rule(long_when, enter, leave),
            params={name: values[0] for name, values in grid.items()},
            start=start,
            end=end,
            fill=fill,
            fees_bps=fees_bps,
            slippage_bps=slippage_bps,
        )
        found = result.metrics()
        if as_json:
            print(json.dumps({**_plain(found), "costs": result.costs, "bars": len(result.returns)}))
            return
        for name, value in found.items():
            print(f"{name:<18} {value:>12.6g}")
        print(f"{'costs':<18} {result.costs:>12.6g}")


@app.command("sweep")
def sweep(
    panel: PanelOption,
    long_when: LongWhen = None,
    enter: EnterOption = None,
    leave: ExitOption = None,
    param: ParamOption = None,
    where: Annotated[
        str | None, typer.Option(help="keep sets in which NAME < NAME, e.g. fast<slow")
    ] = None,
    fill: FillOption = "next_open",
    fees_bps: FeesOption = 5.0,
    slippage_bps: SlippageOption = 0.0,
    engine: Annotated[Literal["auto", "numpy", "numba"], typer.Option()] = "auto",
    by: Annotated[str, typer.Option(help="metric to order by")] = "sharpe",
    top: Annotated[int, typer.Option(help="rows to print")] = 10,
    out: Annotated[Path | None, typer.Option(help="write the whole table as parquet")] = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate one rule with every combination of parameters on every asset."""
    with _reported(as_json):
        from mts1b_GPUbacktester.sweep import run_sweep

        result = run_sweep(
            panel,
            _rule(long_when, enter, leave),
            grid=_grid(param),
            where=_filter(where),
            fill=fill,
            fees_bps=fees_bps,
            slippage_bps=slippage_bps,
            engine=engine,
        )
        if out is not None:
            result.to_parquet(out)
        best = result.best(top, by=by)
        if as_json:
            used = {"name": result.engine.name, "reason": result.engine.reason}
            summary = {"n_trials": result.n_trials, "engine": used, "timings": result.timings}
            print(json.dumps({**summary, "best": [_plain(row) for row in best.to_dicts()]}))
            return
        _print_table(best)
        print(
            f"{result.n_trials} parameter sets, {result.table.height} accounts; engine "
            f"{result.engine.name} ({result.engine.reason}), {result.timings['run']:.2f} s"
        )


def _filter(text: str | None) -> Any:
    if text is None:
        return None
    left, found, right = (part.strip() for part in text.partition("<"))
    if not found or not left.isidentifier() or not right.isidentifier():
        raise typer.BadParameter(f"--where {text!r} is not NAME<NAME")
    return lambda params: params[left] < params[right]


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
