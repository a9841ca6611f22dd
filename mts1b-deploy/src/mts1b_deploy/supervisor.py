"""Keep processes running: start in order, restart what dies, stop in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from mts1b_deploy.errors import ServiceFailed
from mts1b_deploy.launch import ends_with, mts_command
from mts1b_deploy.lock import HomeLock
from mts1b_deploy.logs import trim_logs
from mts1b_deploy.profile import Process

__all__ = ["Supervisor"]

_WINDOW_S = 30.0
_MOST_STARTS = 8
_STOP_GRACE_S = 15.0
_AGAIN_S = 1.0
_TRIM_EVERY_S = 60.0
_WORDS = 300
_UNAVAILABLE, _FEW, _PAUSE_S = 4, 4, 8.0
"""What ends with exit code 4 misses a disk with room, a port or the bus. After a few starts it has
longer pauses, too long to be given up for on a live system: the others go on meanwhile."""
_RUNNING, _GIVEN_UP = "supervisor.json", "given-up.json"


class Supervisor:
    """Own the processes of one MTS_HOME.

    :param home: the MTS_HOME; its ``supervisor.lock`` is held while this runs.
    :param environ: the environment of the processes.
    :param window_s: a process that ends by itself eight times within so many seconds is given up;
        one that is killed, eight times within thirty.
    :param command: what comes before a process's arguments; None for this environment's ``mts``.
    """

    def __init__(
        self,
        home: Path,
        processes: Sequence[Process],
        environ: Mapping[str, str],
        *,
        window_s: float = _WINDOW_S,
        command: Sequence[str] | None = None,
    ) -> None:
        self._home = home
        self._processes = tuple(processes)
        self._environ = {**environ, "MTS_HOME": str(home)}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._starts: dict[str, deque[float]] = {}
        self._command = tuple(mts_command() if command is None else command)
        self._window_s = window_s
        self._pause_s = _PAUSE_S
        self._lock = HomeLock(home)
        self.failed: asyncio.Future[ServiceFailed] | None = None

    def pid_of(self, name: str) -> int | None:
        """Return the process id of a running process, or None."""
        child = self._children.get(name)
        return child.pid if child is not None and child.returncode is None else None

    async def hold(self) -> None:
        """Take the home, before anything in it is moved or started; :meth:`stop` gives it back.

        :raises AlreadyRunning: when another supervisor holds it.
        """
        if self._lock.handle is None:
            await self._lock.acquire(_STOP_GRACE_S)

    async def start(self) -> None:
        """Start every process and keep it running; when one can not be started, stop the others.

        :raises AlreadyRunning: when another supervisor holds the home.
        """
        await self.hold()
        self.failed = asyncio.get_running_loop().create_future()
        (self._home / "run" / _GIVEN_UP).unlink(missing_ok=True)
        started = False
        try:
            for process in self._processes:
                await self._launch(process)
                self._watchers.append(asyncio.create_task(self._keep(process)))
            self._watchers.append(asyncio.create_task(self._trim_often()))
            self._announce()
            started = True
        finally:
            if not started:
                await self.stop()

    async def _launch(self, process: Process) -> None:
        logs = self._home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{process.name}.out").open("ab") as output:
            self._children[process.name] = await asyncio.create_subprocess_exec(
                *self._command,
                *process.arguments,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=ends_with(os.getpid()),
                pass_fds=() if self._lock.handle is None else (self._lock.handle,),
                start_new_session=True,  # a Ctrl-C stops the supervisor, which stops the others
            )

    async def _keep(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        starts = self._starts.setdefault(process.name, deque(maxlen=_MOST_STARTS))
        starts.append(loop.time())
        told = False
        while True:
            code = await self._children[process.name].wait()
            starts.append(loop.time())
            window_s = _WINDOW_S if code < 0 else self._window_s
            if len(starts) == _MOST_STARTS and starts[-1] - starts[0] < window_s:
                self._give_up(process, code, window_s)
                return
            often = len(starts) >= _FEW and starts[-1] - starts[-_FEW] < _WINDOW_S
            waits = code == _UNAVAILABLE and often
            told = told and starts[-1] - starts[-2] < _WINDOW_S
            if waits and not told:
                line = f"{process.name} ends again and again {self._last_words(process, code)}"
                print(f"{line}; trying on", file=sys.stderr, flush=True)
                told = True
            await asyncio.sleep(self._pause_s if waits else min(0.05 * len(starts), 1.0))
            await self._start_again(process)

    async def _start_again(self, process: Process) -> None:
        """Start what has ended; a disk that takes nothing is waited out, and told once."""
        told = False
        while True:
            try:
                if self.pid_of(process.name) is None:
                    await self._launch(process)
                self._announce()
            except OSError as error:
                if not told:
                    line = f"{process.name} can not be started again yet: {error}; trying on"
                    print(line, file=sys.stderr, flush=True)
                told = True
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _trim_often(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_EVERY_S)
            with contextlib.suppress(OSError):  # no room for a copy: the next look tries again
                trim_logs(self._home / "logs")

    def _give_up(self, process: Process, code: int, window_s: float) -> None:
        times = f"ended {_MOST_STARTS} times within {window_s:.0f} s"
        message = f"{process.name} {times} {self._last_words(process, code)}"
        if self.failed is not None and not self.failed.done():
            self.failed.set_result(ServiceFailed(message))
            with contextlib.suppress(OSError):  # without room for it, the exit code still tells
                self._record(_GIVEN_UP, {"process": process.name, "message": message})

    def _last_words(self, process: Process, code: int) -> str:
        log = self._home / "logs" / f"{process.name}.out"
        tail: list[str] = []
        with contextlib.suppress(OSError):
            tail = log.read_text(errors="replace").strip().splitlines()[-3:]
        errors = [line for line in tail if line.startswith("error: ")]
        last = " | ".join(line[:_WORDS] for line in errors[-1:] or tail) or "it printed nothing"
        return f"(last exit code {code}): {last}; see {log}"

    def _announce(self) -> None:
        pids = {name: child.pid for name, child in self._children.items()}
        self._record(_RUNNING, {"pid": os.getpid(), "processes": pids})

    def _record(self, name: str, facts: Mapping[str, object]) -> None:
        path = self._home / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(facts))
        os.replace(partial, path)

    async def stop(self) -> None:
        """Stop every process, the last started first; kill what does not end in time."""
        if self._lock.handle is None:
            return
        for watcher in self._watchers:  # first: nothing may be started any more
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._watchers.clear()
        for process in reversed(self._processes):
            await self._end(self._children.get(process.name))
        (self._home / "run" / _RUNNING).unlink(missing_ok=True)
        self._lock.release()

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
