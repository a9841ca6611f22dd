"""Small processes to supervise, and a supervisor that is a process of its own.

python deploy_children.py HOME NAME...
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from mts1b_deploy import Process, Supervisor

MakeSupervisor = Callable[..., Supervisor]

WAITS = """
import os, signal, sys, time
def note(word):
    with open(os.path.join(os.environ["MTS_HOME"], "events"), "a") as file:
        file.write(f"{word} {sys.argv[1]} {os.getpid()}\\n")
def end(*_):
    time.sleep(0.5 if sys.argv[1] == "slow" else 0)
    note("end")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("begin")
while True:
    signal.pause()
"""
"""Note begin and end in MTS_HOME/events; in between wait for SIGTERM. ``slow`` takes its time."""

FAILS = "import sys; print('the port', sys.argv[1], 'is taken', flush=True); sys.exit(3)"


def supervise(home: Path, *names: str, script: str = WAITS) -> Supervisor:
    return Supervisor(
        home,
        [Process(name, (name,)) for name in names],
        os.environ,
        command=[sys.executable, "-S", "-c", script],
    )


def events(home: Path) -> list[tuple[str, str, int]]:
    path = home / "events"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(word, name, int(pid)) for word, name, pid in map(str.split, lines)]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"  # a dead process that nobody has asked about is dead


async def begun(home: Path, count: int) -> list[int]:
    """Return the ids of the first ``count`` processes once they have begun."""
    async with asyncio.timeout(30):
        while True:
            pids = [pid for word, _, pid in events(home) if word == "begin"]
            if len(pids) >= count:
                return pids
            await asyncio.sleep(0.02)


async def gone(*pids: int) -> None:
    async with asyncio.timeout(30):
        for pid in pids:
            while is_running(pid):  # noqa: ASYNC110 - another process sets no event of ours
                await asyncio.sleep(0.02)


async def main(home: Path, names: list[str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    supervisor = supervise(home, *names)
    await supervisor.start()
    await stop.wait()
    await supervisor.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
