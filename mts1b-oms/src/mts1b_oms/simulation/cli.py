"""``mts sim``: replay one seed, sweep many, and see planted faults found."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer
from mts1b_platform.clock import SystemClock

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The order path in virtual time, under faults."
)

Orders = Annotated[int, typer.Option(min=1, help="orders in each seed")]
Jobs = Annotated[int, typer.Option(min=0, help="processes; 0 takes every core")]
Without = Annotated[list[str] | None, typer.Option(help="a fault to leave out; may be repeated")]


@app.command()
def run(
    seed: Annotated[int, typer.Option(help="which run")],
    orders: Orders = 200,
    without: Without = None,
    trace: Annotated[Path | None, typer.Option(help="write every line of the trace here")] = None,
    smallest: Annotated[bool, typer.Option(help="shrink the run when it fails")] = True,
    quiet_hours: Annotated[
        float, typer.Option(min=0.0, help="hours of nothing at the end, without an alarm")
    ] = 0.0,
) -> None:
    """Replay one seed: equal arguments give an equal trace, to the byte."""
    from mts1b_platform.rng import SeededRng
    from mts1b_platform.simulation import Faults

    from mts1b_oms.simulation.sweep import shrink
    from mts1b_oms.simulation.world import run_seed

    faults = Faults.swarm(SeededRng(seed))
    for name in without or ():
        if name not in faults.names():
            raise typer.BadParameter(f"{name}: one of {', '.join(faults.names())}")
        faults = faults.without(name)
    outcome = run_seed(seed, orders=orders, faults=faults, keep=None, quiet_s=quiet_hours * 3600.0)
    if trace is not None:
        trace.write_text("\n".join(outcome.trace) + "\n", encoding="utf-8")
    typer.echo(f"seed {seed}: {len(outcome.trace)} events in {outcome.virtual_s:.1f} s")
    typer.echo(f"trace sha256 {outcome.digest}")
    for name, strength in faults.active().items():
        typer.echo(f"  {name} {strength:.4g}")
    if not outcome.violation:
        typer.echo("every invariant holds")
        return
    typer.echo("\n".join(outcome.trace[-20:]))
    typer.echo(f"VIOLATION {outcome.violation}")
    found = shrink(seed, orders=orders, faults=faults) if smallest else None
    if found is not None:
        left = ", ".join(found.faults.active()) or "no fault"
        typer.echo(f"smallest: {found.orders} orders with {left} ({found.tries} runs)")
        typer.echo(f"  {found.outcome.violation}")
    raise typer.Exit(1)


@app.command()
def sweep(
    seeds: Annotated[str, typer.Option(help="A..B, both included")],
    orders: Orders = 200,
    jobs: Jobs = 0,
    log: Annotated[
        Path | None, typer.Option(help="append each seed here; what is here already is not rerun")
    ] = None,
) -> None:
    """Run many seeds; the exit code is 1 when any invariant was violated."""
    from mts1b_oms.simulation.sweep import sweep as run_sweep
    from mts1b_oms.simulation.sweep_log import BadSweepLog, SweepLog
    from mts1b_oms.simulation.world import Outcome

    first, last = _range(seeds)
    try:
        kept = SweepLog(log, orders=orders) if log is not None else None
    except (BadSweepLog, OSError) as error:
        raise typer.BadParameter(str(error)) from error

    def tell(outcome: Outcome) -> None:
        if kept is not None:
            kept.add(outcome)
        if outcome.violation:
            typer.echo(f"seed {outcome.seed}: {outcome.violation}", err=True)

    with contextlib.closing(kept) if kept is not None else contextlib.nullcontext():
        report = run_sweep(
            range(first, last + 1),
            orders=orders,
            jobs=jobs or os.cpu_count() or 1,
            now=SystemClock().monotonic,
            seen=tell,
            known=kept.known if kept is not None else None,
        )
    typer.echo("\n".join(report.lines()))
    if report.violations:
        raise typer.Exit(1)


def _range(text: str) -> tuple[int, int]:
    first, dots, last = text.partition("..")
    if not (dots and first.isdecimal() and last.isdecimal()) or int(first) > int(last):
        raise typer.BadParameter(f"{text!r} is no range; write for example 1..1000")
    return int(first), int(last)


@app.command()
def mutants(
    seeds: Annotated[int, typer.Option(min=1, help="how many seeds each may survive")] = 60,
    orders: Orders = 200,
    jobs: Jobs = 0,
    only: Annotated[str | None, typer.Option(help="those with this in their name")] = None,
) -> None:
    """Plant one fault after another in the order path; the exit code is 1 when one survives."""
    from mts1b_oms.simulation.mutants import judge_all, known_mutants

    chosen = [one for one in known_mutants() if only is None or only in one.name]
    if not chosen:
        raise typer.BadParameter(f"no mutant has {only!r} in its name")

    async def work() -> list[int]:
        killed = []
        async for verdict in judge_all(
            chosen, seeds=range(1, seeds + 1), orders=orders, jobs=jobs or os.cpu_count() or 1
        ):
            typer.echo(str(verdict))
            if verdict.found:
                killed.append(verdict.seeds)
        return killed

    killed = sorted(asyncio.run(work()))
    typer.echo(f"{len(killed)} of {len(chosen)} mutants killed")
    if killed:
        middle = killed[len(killed) // 2]
        typer.echo(f"seeds to the first hit: median {middle}, most {killed[-1]}")
    if len(killed) < len(chosen):
        raise typer.Exit(1)
