"""``python -m tools.halts.latency``: how long after the command a real system can still send."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mts1b_operations import commands
from mts1b_operations.halt_record import halt_of, put_in_force
from mts1b_platform.clock import SystemClock
from mts1b_platform.halt import HaltStore

from tools.halts.rig import Rig, running

__all__ = ["SCENARIOS", "Measured", "main", "measure"]

_RATE_PER_S = 100.0
_LOOK_S = 0.6


@dataclass(slots=True)
class Measured:
    """Seconds from the command to the last order on the wire, one number a halt; zero for none.

    ``told_s``: seconds until the sender confirmed that it has stopped.
    """

    scenario: str
    limit_s: float
    last_send_s: list[float] = field(default_factory=list)
    told_s: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return the nearest-rank percentile of the last sends."""
        ordered = sorted(self.last_send_s)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    @property
    def worst(self) -> float:
        """Return the latest send."""
        return max(self.last_send_s, default=0.0)

    def as_dict(self) -> dict[str, float | str | int]:
        """Return the figures."""
        return {
            "scenario": self.scenario,
            "halts": len(self.last_send_s),
            "p50_ms": round(1000 * self.percentile(0.50), 3),
            "p99_ms": round(1000 * self.percentile(0.99), 3),
            "max_ms": round(1000 * self.worst, 3),
            "told_max_ms": round(1000 * max(self.told_s, default=0.0), 3),
            "limit_ms": round(1000 * self.limit_s, 3),
        }


async def _halt(rig: Rig) -> tuple[float, commands.HaltDone, float]:
    begin = time.monotonic()
    done = await commands.halt(
        rig.office, "firm", reason="drill", actor="operator:ann", cancel=False
    )
    return begin, done, time.monotonic() - begin


async def bus_up(rig: Rig, measured: Measured) -> None:
    """Halt while everything runs."""
    begin, done, took = await _halt(rig)
    await asyncio.sleep(_LOOK_S)
    _note(rig, measured, begin, took if "oms" in done.confirmed else None)


async def bus_down(rig: Rig, measured: Measured) -> None:
    """Halt just after the nats-server froze: the socket and the record are what is left."""
    rig.freeze("nats")
    try:
        begin = time.monotonic()
        halt = asyncio.create_task(
            commands.halt(rig.office, "firm", reason="drill", actor="operator:ann", cancel=False)
        )
        await asyncio.sleep(1.0 + _LOOK_S)
        _note(rig, measured, begin, None)
    finally:
        rig.thaw("nats")
    done = await halt
    if "oms" not in done.confirmed:
        raise RuntimeError(f"the socket did not confirm: {done}")


async def partition(rig: Rig, measured: Measured) -> None:
    """Halt in the office while its operations can not reach the desk: the lease is what is left."""
    rig.freeze("operations")
    try:
        begin = time.monotonic()
        clock = SystemClock()
        request = commands.halt_request("firm", reason="drill", actor="operator:ann", clock=clock)
        put_in_force(HaltStore(rig.office / "halt"), halt_of(request, clock.now()))
        await asyncio.sleep(2.5)
        _note(rig, measured, begin, None)
    finally:
        rig.thaw("operations")


async def other_machine(rig: Rig, measured: Measured) -> None:
    """Halt in the office through its operations: the desk learns of it with the next lease."""
    begin, _, _ = await _halt(rig)
    await asyncio.sleep(1.5)
    _note(rig, measured, begin, None)


async def zombie(rig: Rig, measured: Measured) -> None:
    """Freeze the OMS, halt, thaw it after its lease: what it sends then would be a zombie's."""
    rig.freeze("oms")
    begin, done, _ = await _halt(rig)
    if "oms" not in done.silent:
        raise RuntimeError(f"a frozen sender is not silent: {done}")
    await asyncio.sleep(_LOOK_S)
    rig.thaw("oms")
    await asyncio.sleep(1.0)
    _note(rig, measured, begin, None)


def _note(rig: Rig, measured: Measured, begin: float, took: float | None) -> None:
    late = rig.sends(begin)
    measured.last_send_s.append(max(late, default=begin) - begin)
    if took is not None:
        measured.told_s.append(took)


Scenario = Callable[[Rig, Measured], Awaitable[None]]
SCENARIOS: dict[str, tuple[Scenario, float, bool]] = {
    "NATS up": (bus_up, 0.05, False),
    "NATS down": (bus_down, 1.0, False),
    "OMS frozen and thawed": (zombie, 0.0, False),
    "other machine, NATS up": (other_machine, 1.0, True),
    "partition": (partition, 2.0, True),
}
"""The scenario, its limit in seconds, and whether operations have a machine of their own."""


async def measure(
    names: Sequence[str], runs: int, *, rate_per_s: float = _RATE_PER_S
) -> list[Measured]:
    """Halt ``runs`` times in each scenario, under a load of orders."""
    found: list[Measured] = []
    for apart in (False, True):
        chosen = [name for name in names if SCENARIOS[name][2] is apart]
        if not chosen:
            continue
        with tempfile.TemporaryDirectory(prefix="mts-halt-") as folder:
            async with running(Path(folder), apart=apart) as rig:
                found += await _scenarios(rig, chosen, runs, rate_per_s)
    return found


async def _scenarios(
    rig: Rig, names: Sequence[str], runs: int, rate_per_s: float
) -> list[Measured]:
    load = asyncio.create_task(rig.load(rate_per_s))
    try:
        found = []
        for name in names:
            scenario, limit, _ = SCENARIOS[name]
            measured = Measured(name, limit)
            for _ in range(runs):
                await rig.bar()
                await rig.resume()
                await scenario(rig, measured)
            found.append(measured)
        return found
    finally:
        load.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a limit does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tools.halts.latency", description=__doc__)
    parser.add_argument("--runs", type=int, default=30, help="halts in each scenario")
    parser.add_argument("--scenario", action="append", choices=sorted(SCENARIOS))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    found = asyncio.run(measure(options.scenario or list(SCENARIOS), options.runs))
    held = all(_holds(item) for item in found)
    if options.json:
        print(json.dumps({"held": held, "scenarios": [item.as_dict() for item in found]}))
    else:
        print("\n".join(_line(item) for item in found))
    return 0 if held else 1


def _holds(item: Measured) -> bool:
    return item.percentile(0.99) <= item.limit_s


def _line(item: Measured) -> str:
    figures = item.as_dict()
    return (
        f"{item.scenario:24} {figures['halts']:>4} halts; last send after the command: "
        f"p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms, max {figures['max_ms']} ms "
        f"(limit {figures['limit_ms']} ms); confirmed within {figures['told_max_ms']} ms"
    )


if __name__ == "__main__":
    sys.exit(main())
