"""Restart the services one after another, under the supervisor that runs them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from mts1b_platform.clock import Clock, SystemClock

from mts1b_operations.errors import NothingRuns
from mts1b_operations.probes import SERVICES, dead_supervisor, running_services

__all__ = ["restart_all"]

_RESTART_S = 30.0


async def restart_all(home: Path) -> dict[str, tuple[int, int]]:
    """Restart the services one after another; return old and new process id of each.

    :raises NothingRuns: when no supervisor would start them again, or one does not come back.
    """
    if not (home / "run" / "supervisor.json").exists():
        raise NothingRuns("no supervisor runs here; start the system with `mts up`")
    gone = dead_supervisor(home)
    if gone is not None:
        raise NothingRuns(f"the supervisor (pid {gone}) was killed; start the system with `mts up`")
    clock = SystemClock()
    done: dict[str, tuple[int, int]] = {}
    for name in SERVICES:
        old = await _pid(home, name, clock)
        together = next((pair for pair in done.values() if pair[1] == old), None)
        if together is not None:  # one process holds several services
            done[name] = together
            continue
        os.kill(old, signal.SIGTERM)
        done[name] = (old, await _pid(home, name, clock, other_than=old))
    return done


async def _pid(home: Path, name: str, clock: Clock, *, other_than: int | None = None) -> int:
    """Return the process id that a service announces; wait for it while it starts."""
    deadline = clock.monotonic() + _RESTART_S
    while clock.monotonic() < deadline:
        place = running_services(home).get(name)
        if place is not None and place["pid"] != other_than:
            return place["pid"]
        await clock.sleep(0.1)
    raise NothingRuns(f"{name} did not come up within {_RESTART_S:.0f} s; see logs/{name}.out")
