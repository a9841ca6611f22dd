"""``mts up``, ``mts down`` and ``mts paper``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mts1b_deploy.errors import DeployError

if TYPE_CHECKING:
    from mts1b_deploy.profile import Layout
    from mts1b_deploy.supervisor import Supervisor

__all__ = ["down", "paper", "up"]

up = typer.Typer(help="Start the system and keep it running.", add_completion=False)
down = typer.Typer(help="Stop the system that `mts up` started.", add_completion=False)
paper = typer.Typer(help="Trade the sample tape on paper.", add_completion=False)

LayoutOption = Annotated[str, typer.Option(help="five: a process per service; one: all in one")]
BusOption = Annotated[str, typer.Option(help="nats, or local (only with --layout one)")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object")]
Tell = Callable[[dict[str, Any], str], None]


def _home() -> Path:
    return Path(os.environ.get("MTS_HOME") or Path.home() / ".mts").expanduser().resolve()


def _fail(error: Exception, code: int, as_json: bool) -> typer.Exit:
    if as_json:
        facts = {"error": type(error).__name__, "message": str(error), "exit_code": code}
        print(json.dumps(facts))
    else:
        print(f"error: {error}", file=sys.stderr)
    return typer.Exit(code)


@paper.command()
def run_paper_command(
    layout: LayoutOption = "five",
    bus: BusOption = "nats",
    profile: Annotated[str, typer.Option(help="settings for a new MTS_HOME")] = "paper",
    report: Annotated[bool, typer.Option(help="write the report at the end")] = True,
    as_json: JsonOption = False,
) -> None:
    """Trade the sample tape on paper, end to end; the last line is the state hash.

    A finished run is followed by a new one; an interrupted one is continued.
    """
    from mts1b_deploy.paper import run_paper

    try:
        digest = asyncio.run(
            run_paper(
                _home(),
                layout=_layout(layout),
                bus=bus,
                profile=profile,
                report=report,
                tell=sys.stderr if as_json else sys.stdout,
            )
        )
    except DeployError as error:
        raise _fail(error, error.exit_code, as_json) from error
    except ValueError as error:
        raise _fail(error, 2, as_json) from error
    told = {"state_hash": digest, "exit_code": 0}
    print(json.dumps(told) if as_json else f"state hash: {digest}")


def _layout(text: str) -> Layout:
    if text == "five":
        return "five"
    if text == "one":
        return "one"
    raise ValueError(f"--layout must be five or one, not {text!r}")


@up.command()
def run_up(
    ctx: typer.Context,
    layout: LayoutOption = "five",
    bus: BusOption = "nats",
    profile: Annotated[str, typer.Option(help="settings for a new MTS_HOME")] = "paper",
    as_json: JsonOption = False,
) -> None:
    """Start the system in the foreground and keep its services running until interrupted."""
    state: dict[str, bool] = ctx.ensure_object(dict)

    def tell(facts: dict[str, Any], line: str) -> None:
        state["told"] = True  # from here on there is no second object, whatever ends it
        print(json.dumps(facts) if as_json else line, flush=True)

    try:
        asyncio.run(_up(_home(), _layout(layout), bus, profile, tell))
    except DeployError as error:
        raise _fail(error, error.exit_code, as_json and "told" not in state) from error
    except ValueError as error:
        raise _fail(error, 2, as_json and "told" not in state) from error


async def _up(home: Path, layout: Layout, bus: str, profile: str, tell: Tell) -> None:
    from mts1b_deploy.launch import run_mts
    from mts1b_deploy.profile import is_new, processes, write_profile
    from mts1b_deploy.supervisor import Supervisor

    wanted, fresh = processes(layout, bus), is_new(home)
    write_profile(profile, home)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    supervisor = Supervisor(home, wanted, {**os.environ, "MTS_BUS__KIND": bus})
    await supervisor.hold()
    try:
        await run_mts(home, "config", "check", tell=sys.stderr)
        if fresh:  # a new home trades the tape that its profile names
            await run_mts(home, "data", "import", "--sample", tell=sys.stderr)
        await supervisor.start()
        names = [process.name for process in wanted]
        tell({"home": str(home), "processes": names}, f"running in {home}: {', '.join(names)}")
        await _until(stop, supervisor)
    finally:
        await supervisor.stop()


async def _until(stop: asyncio.Event, supervisor: Supervisor) -> None:
    """Return when told to stop.

    :raises ServiceFailed: when a process can not be kept running.
    """
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stopped.done():
            await asyncio.wait({stopped}, timeout=0.5)
            if supervisor.failed is not None and supervisor.failed.done():
                raise supervisor.failed.result()
    finally:
        stopped.cancel()


@down.command()
def run_down(as_json: JsonOption = False) -> None:
    """Stop the system that runs in this MTS_HOME; a system that does not run is no error."""
    from mts1b_deploy.lock import owner_of

    pid = owner_of(_home())
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
    message = "nothing runs here" if pid is None else f"stopping the supervisor (pid {pid})"
    told = {"stopping": pid is not None, "exit_code": 0}
    print(json.dumps(told) if as_json else message)
