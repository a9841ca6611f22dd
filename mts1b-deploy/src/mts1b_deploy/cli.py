"""``mts up``, ``mts down`` and ``mts paper``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mts1b_deploy.errors import DeployError

if TYPE_CHECKING:
    from mts1b_deploy.profile import Layout

__all__ = ["down", "paper", "up"]

up = typer.Typer(help="Start the system and keep it running.", add_completion=False)
down = typer.Typer(help="Stop the system that `mts up` started.", add_completion=False)
paper = typer.Typer(help="Trade the sample tape on paper.", add_completion=False)

LayoutOption = Annotated[str, typer.Option(help="five: a process per service; one: all in one")]
BusOption = Annotated[str, typer.Option(help="nats, or local (only with --layout one)")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object")]


def _home() -> Path:
    return Path(os.environ.get("MTS_HOME") or Path.home() / ".mts").resolve()


def _fail(error: Exception, code: int, as_json: bool) -> typer.Exit:
    if as_json:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
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
            run_paper(_home(), layout=_layout(layout), bus=bus, profile=profile, report=report)
        )
    except DeployError as error:
        raise _fail(error, error.exit_code, as_json) from error
    except ValueError as error:
        raise _fail(error, 2, as_json) from error
    print(json.dumps({"state_hash": digest}) if as_json else f"state hash: {digest}")


def _layout(text: str) -> Layout:
    if text == "five":
        return "five"
    if text == "one":
        return "one"
    raise ValueError(f"--layout must be five or one, not {text!r}")


@up.command()
def run_up(
    layout: LayoutOption = "five",
    bus: BusOption = "nats",
    profile: Annotated[str, typer.Option(help="settings for a new MTS_HOME")] = "paper",
    as_json: JsonOption = False,
) -> None:
    """Start the system in the foreground and keep its services running until interrupted."""
    try:
        asyncio.run(_up(_home(), _layout(layout), bus, profile))
    except DeployError as error:
        raise _fail(error, error.exit_code, as_json) from error
    except ValueError as error:
        raise _fail(error, 2, as_json) from error


async def _up(home: Path, layout: Layout, bus: str, profile: str) -> None:
    from mts1b_deploy.profile import processes, write_profile
    from mts1b_deploy.supervisor import Supervisor

    wanted = processes(layout, bus)
    write_profile(profile, home)
    supervisor = Supervisor(home, wanted, {**os.environ, "MTS_BUS__KIND": bus})
    await supervisor.start()
    print(f"running in {home}: {', '.join(process.name for process in wanted)}", flush=True)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    failed = supervisor.failed
    waiting = {asyncio.create_task(stop.wait())}
    try:
        while not stop.is_set():
            await asyncio.wait(waiting, timeout=0.5)
            if failed is not None and failed.done():
                raise failed.result()
    finally:
        await supervisor.stop()


@down.command()
def run_down(as_json: JsonOption = False) -> None:
    """Stop the system that runs in this MTS_HOME; a system that does not run is no error."""
    path = _home() / "run" / "supervisor.json"
    try:
        pid = int(json.loads(path.read_text())["pid"])
        os.kill(pid, signal.SIGTERM)
        stopped = True
    except (FileNotFoundError, ProcessLookupError):
        stopped = False
    message = f"stopping the supervisor (pid {pid})" if stopped else "nothing runs here"
    print(json.dumps({"stopping": stopped}) if as_json else message)
