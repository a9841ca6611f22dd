"""Trade the sample tape on paper, from an empty folder to a report."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mts1b_deploy.errors import DeployError
from mts1b_deploy.launch import run_mts
from mts1b_deploy.profile import Layout, processes, write_profile
from mts1b_deploy.runs import archive_finished, is_open, read_progress, read_result
from mts1b_deploy.supervisor import Supervisor

__all__ = ["Interrupted", "run_paper"]

_POLL_S = 0.2
_WINDOW_S = 180.0
"""Nobody trades on a replay: what ends eight times in minutes ends for the same cause again."""


class Interrupted(DeployError):
    """The person at the terminal stopped the run; the next one continues it."""

    exit_code = 130


async def run_paper(
    home: Path,
    *,
    layout: Layout,
    bus: str,
    profile: str = "paper",
    report: bool = True,
    tell: TextIO,
) -> str:
    """Run the replay to its end and return the state hash.

    A finished run is moved aside and a new one begins; an interrupted one goes on.

    :param tell: where the commands on the way say what they did.
    :raises AlreadyRunning: when another supervisor holds the home.
    :raises HaltInForce: when a new run would drop a person's halt.
    :raises Interrupted: on SIGINT or SIGTERM; nothing is lost.
    :raises ServiceFailed: when a service can not be kept running.
    """
    console = Console(stderr=True)
    wanted = processes(layout, bus)
    write_profile(profile, home)
    environ = {**os.environ, "MTS_BUS__KIND": bus}
    supervisor = Supervisor(home, wanted, environ, window_s=_WINDOW_S)
    await supervisor.hold()
    try:
        _tell_where(home, console)
        await run_mts(home, "config", "check", tell=tell)
        await run_mts(home, "data", "import", "--sample", tell=tell)
        await supervisor.start()
        await _wait(home, supervisor, console)
    finally:
        await supervisor.stop()
    if report:
        await run_mts(home, "report", "build", tell=tell)
    result = read_result(home) or {}
    return str(result["state_hash"])


def _tell_where(home: Path, console: Console) -> None:
    """Say whether a run begins or goes on; move a finished one aside."""
    archived = archive_finished(home)
    if archived is not None:
        console.print(f"the last run is finished and kept in {archived}; a new one begins")
    elif is_open(home):
        done = read_progress(home)
        where = f" after tick {done.tick} of {done.total}" if done else ""
        console.print(f"going on with the interrupted run{where}")


async def _wait(home: Path, supervisor: Supervisor, console: Console) -> None:
    """Show the progress until the replay is finished."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    stop = asyncio.create_task(stopped.wait())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("sessions"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    last_told = -1
    with Progress(*columns, console=console, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=None)
        while read_result(home) is None:
            if stop.done():
                raise Interrupted("stopped; run it again to go on where it is")
            if supervisor.failed is not None and supervisor.failed.done():
                raise supervisor.failed.result()
            progress = read_progress(home)
            if progress is not None:
                bar.update(
                    task,
                    description=f"trading {progress.as_of[:10]}",
                    completed=progress.tick + 1,
                    total=progress.total,
                )
                tenth = 10 * (progress.tick + 1) // max(progress.total, 1)
                if tenth > last_told and not sys.stderr.isatty():
                    console.print(f"{tenth * 10:3d} % of the tape, {progress.as_of[:10]}")
                    last_told = tenth
            await asyncio.wait({stop}, timeout=_POLL_S)
