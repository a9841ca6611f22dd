"""Keep processes running: start in order, restart what dies, stop in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from mts1b_deploy.errors import AlreadyRunning, ServiceFailed
from mts1b_deploy.profile import Process

__all__ = ["Supervisor", "mts_command"]

_WINDOW_S = 30.0
_MOST_STARTS = 8
_STOP_GRACE_S = 15.0


def mts_command() -> list[str]:
    """Return how to call ``mts`` of this environment."""
    beside = Path(sys.executable).with_name("mts")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "mts1b_platform.cli"]


class Supervisor:
    """Own the processes of one MTS_HOME.

    :param home: the MTS_HOME; its ``run/supervisor.lock`` is held while this runs.
    :param environ: the environment of the processes.
    """

    def __init__(
        self, home: Path, processes: Sequence[Process], environ: Mapping[str, str]
    ) -> None:
        self._home = home
        self._processes = tuple(processes)
        self._environ = {**environ, "MTS_HOME": str(home)}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._starts: dict[str, deque[float]] = {}
        self._stopping = False
        self._lock: int | None = None
        self.failed: asyncio.Future[ServiceFailed] | None = None

    def pid_of(self, name: str) -> int | None:
        """Return the process id of a running process, or None."""
        child = self._children.get(name)
        return child.pid if child is not None and child.returncode is None else None

    async def start(self) -> None:
        """Start every process and keep it running.

        :raises AlreadyRunning: when another supervisor holds the home.
        """
        self._hold()
        self.failed = asyncio.get_running_loop().create_future()
        for process in self._processes:
            await self._launch(process)
            self._watchers.append(asyncio.create_task(self._keep(process)))
        self._announce()

    def _hold(self) -> None:
        folder = self._home / "run"
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(folder / "supervisor.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            raise AlreadyRunning(
                f"another supervisor runs in {self._home}; stop it with `mts down`, or set "
                "MTS_HOME to another folder"
            ) from error

    async def _launch(self, process: Process) -> None:
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{process.name}.out").open("ab") as output:
            self._children[process.name] = await asyncio.create_subprocess_exec(
                *mts_command(),
                *process.arguments,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    async def _keep(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        starts = self._starts.setdefault(process.name, deque(maxlen=_MOST_STARTS))
        starts.append(loop.time())
        while True:
            code = await self._children[process.name].wait()
            if self._stopping:
                return
            starts.append(loop.time())
            if len(starts) == _MOST_STARTS and starts[-1] - starts[0] < _WINDOW_S:
                self._give_up(process, code)
                return
            await asyncio.sleep(min(0.05 * len(starts), 1.0))
            await self._launch(process)
            self._announce()

    def _give_up(self, process: Process, code: int) -> None:
        log = self._home / "logs" / f"{process.name}.out"
        tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        last = " | ".join(tail) or "it printed nothing"
        if self.failed is not None and not self.failed.done():
            self.failed.set_result(
                ServiceFailed(
                    f"{process.name} ended {_MOST_STARTS} times within {_WINDOW_S:.0f} s "
                    f"(last exit code {code}): {last}; see {log}"
                )
            )

    def _announce(self) -> None:
        pids = {name: child.pid for name, child in self._children.items()}
        path = self._home / "run" / "supervisor.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"pid": os.getpid(), "processes": pids}))
        os.replace(partial, path)

    async def stop(self) -> None:
        """Stop every process, the last started first; kill what does not end in time."""
        self._stopping = True
        for process in reversed(self._processes):
            await self._end(self._children.get(process.name))
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        (self._home / "run" / "supervisor.json").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _end(self, child: asyncio.subprocess.Process | None) -> None:
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(child.wait(), _STOP_GRACE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
