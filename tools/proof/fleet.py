"""The system as operating-system processes that can be killed, and a supervisor that is not one
of them: it starts again whatever ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mts1b_deploy.launch import ends_with, mts_command
from mts1b_platform.supervision import end_tasks

__all__ = ["NAMES", "Ended", "Fleet"]

NAMES = ("nats", "venue", "operations", "riskengine", "oms")
"""The processes in the order in which they start."""

_START_S = 60.0
_STOP_S = 15.0
_MOST_FAILURES = 10


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended without having been killed."""

    name: str
    code: int
    last: str


@dataclass
class Fleet:
    """Own the processes of one desk and its venue.

    :param home: the MTS_HOME of bus, risk, OMS and operations.
    :param venue_home: the home of the venue, which has a record of its own.
    :param profiled: services that run under cProfile; its file is beside their log.
    :param pause: seconds that a process stays down after it ended; drawn anew each time.
    """

    home: Path
    venue_home: Path
    pause: Callable[[], float] = lambda: 0.05
    names: tuple[str, ...] = NAMES
    profiled: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)
    children: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    ended: list[Ended] = field(default_factory=list)
    _killed: set[int] = field(default_factory=set)
    _keepers: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Start every process; return when all are ready."""
        for name in self.names:
            await self._launch(name)
            self._keepers.append(asyncio.create_task(self._keep(name)))
            await self.ready(name)

    def _command(self, name: str) -> list[str]:
        profile = [sys.executable, "-m", "cProfile", "-o", str(self.log(name)) + ".prof"]
        mts = [*profile, *mts_command()] if name in self.profiled else mts_command()
        if name == "nats":
            return [*mts_command(), "bus", "serve"]
        if name == "venue":
            python = profile if name in self.profiled else [sys.executable]
            port_file = str(self.venue_home / "port")
            remote = [*python, "-m", "mts1b_brokers.remote", "--home", str(self.venue_home)]
            return [*remote, "--port-file", port_file]
        return [*mts, "service", "run", name]

    def log(self, name: str) -> Path:
        """Return where a process's output goes."""
        return self.home / "logs" / f"{name}.out"

    async def _launch(self, name: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MTS_")}
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as output:
            self.children[name] = await asyncio.create_subprocess_exec(
                *self._command(name),
                env={**kept, **self.environ, "MTS_HOME": str(self.home)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=ends_with(os.getpid()),
                start_new_session=True,
            )

    async def _keep(self, name: str) -> None:
        while True:
            child = self.children[name]
            code = await child.wait()
            if child.pid not in self._killed:
                tail = self.log(name).read_text(errors="replace").strip().splitlines()[-1:]
                self.ended.append(Ended(name, code, " ".join(tail)[-300:]))
            await asyncio.sleep(self.pause())
            await self._launch(name)

    def cpu_s(self) -> dict[str, float]:
        """Return the processor seconds that each process has used so far."""
        pids = {name: child.pid for name, child in self.children.items()}
        pids["nats"] = self._nats_pid() or pids["nats"]
        return {name: _cpu_of(pid) for name, pid in pids.items()}

    def _nats_pid(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return int(json.loads((self.home / "run" / "nats.json").read_text())["pid"])
        return None

    def kill(self, name: str, *, whole: bool = True) -> None:
        """Kill -9 a process. Of ``nats``, the server; and with ``whole`` also what started it.

        A server that is not there yet goes with what is about to start it.
        """
        child = self.children[name]
        victims = [child.pid]
        if name == "nats" and self._nats_alive():
            server = self._nats_pid()
            victims = [pid for pid in (server, child.pid if whole else None) if pid is not None]
        self._killed.add(child.pid)
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def ready(self, name: str) -> float:
        """Wait until a process serves; return the monotonic time.

        :raises TimeoutError: when it does not; says what it printed last.
        """
        deadline = time.perf_counter() + _START_S
        while not await self._serves(name):
            if time.perf_counter() > deadline or self._fails(name):
                tail = self.log(name).read_text(errors="replace")[-1500:]
                raise TimeoutError(f"{name} does not serve within {_START_S} s: {tail}")
            await asyncio.sleep(0.02)
        return time.perf_counter()

    def _fails(self, name: str) -> bool:
        return sum(item.name == name for item in self.ended[-_MOST_FAILURES:]) == _MOST_FAILURES

    async def _serves(self, name: str) -> bool:
        child = self.children[name]
        if child.returncode is not None or child.pid in self._killed:
            return False
        if name == "venue":
            return await _listens(_port_in(self.venue_home / "port"))
        if name == "nats":
            address = _read(self.home / "run" / "nats.json").get("url", "")
            return self._nats_alive() and await _listens(int(str(address).rpartition(":")[2] or 0))
        return _read(self.home / "run" / f"{name}.json").get("pid") == child.pid

    def _nats_alive(self) -> bool:
        pid = self._nats_pid()
        return pid is not None and _parent_of(pid) == self.children["nats"].pid

    async def close(self) -> None:
        """End everything, the last started first."""
        await end_tasks(self._keepers)
        for name in reversed(self.names):
            child = self.children.get(name)
            if child is None or child.returncode is not None:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                await asyncio.wait_for(child.wait(), _STOP_S)
            except TimeoutError:
                child.kill()
                await child.wait()


def _read(path: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _port_in(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text())
    return 0


def _stat(pid: int) -> list[str]:
    """Return the kernel's figures of a process, from its state on; none when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def _parent_of(pid: int) -> int | None:
    found = _stat(pid)
    return int(found[1]) if found else None


def _cpu_of(pid: int) -> float:
    found = _stat(pid)
    return (int(found[11]) + int(found[12])) / os.sysconf("SC_CLK_TCK") if found else 0.0


async def _listens(port: int) -> bool:
    if not port:
        return False
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
