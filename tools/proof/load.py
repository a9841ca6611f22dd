"""``python -m tools.proof.load``: latency of orders under load, from intent to the venue's wire.

nats-server, venue, operations, risk engine and OMS are processes; their stores are durable. The
generator is an open loop: it sends at fixed times, answers or not, and a sample is the time from
the moment at which the order should have been sent until the venue read it off its socket, both on
CLOCK_MONOTONIC. Each run is a new system, with the bare floor of the machine measured in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation.commands import SubmitOrder, SubmitReply
from mts1b_foundation.nats import CMD_OMS_SUBMIT, STREAMS
from mts1b_platform.config import LogSettings
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.permissions import ADMINISTRATOR
from mts1b_platform.eventbus.port import BusError, RemoteError
from mts1b_platform.eventbus.server import read_address
from mts1b_platform.logging import configure_logging
from mts1b_platform.supervision import end_tasks

from tools.proof.desk import free_port, order_of, write_settings
from tools.proof.fleet import Fleet
from tools.proof.floor import Floor, measure_floor
from tools.proof.metronome import Metronome
from tools.proof.percentiles import percentile, summary
from tools.proof.traders import Traders

__all__ = ["Burst", "Generator", "main", "measure", "sustained"]

_WARM_S = 3.0
_ANSWER_S = 10.0
_RATES = (250.0, 500.0, 750.0, 1000.0, 1250.0, 1500.0, 2000.0, 3000.0)
_BOUND_S = 0.010


@dataclass
class Burst:
    """Orders at one rate for some time.

    :ivar due: by key, when the order should have been sent.
    :ivar wire_s: seconds from then to the venue's wire, of each order that got there.
    :ivar answer_s: seconds from then to the reply.
    :ivar cpu_s: processor seconds that each process used meanwhile.
    """

    rate_per_s: float
    due: dict[str, float] = field(default_factory=dict)
    wire_s: list[float] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)
    said: Counter[str] = field(default_factory=Counter)
    cpu_s: dict[str, float] = field(default_factory=dict)

    def cpu_ms(self) -> dict[str, float]:
        """Return the processor milliseconds of each process for one order."""
        count = max(len(self.due), 1)
        return {name: round(1000 * used / count, 3) for name, used in self.cpu_s.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, in milliseconds."""
        return {
            "rate_per_s": self.rate_per_s,
            "sent": len(self.due),
            "at_the_wire": len(self.wire_s),
            "wire_ms": summary(self.wire_s),
            "answer_ms": summary(self.answer_s),
            "answers": dict(self.said),
            "cpu_ms_an_order": self.cpu_ms(),
        }


class Generator:
    """Send orders on the beat of a metronome."""

    def __init__(self, bus: NatsBus, fleet: Fleet, rng: random.Random) -> None:
        self._bus = bus
        self._fleet = fleet
        self._wire = fleet.venue_home / "wire.log"
        self._rng = rng
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def burst(self, rate_per_s: float, seconds: float) -> Burst:
        """Send for some time, wait for the answers, read the venue's wire log."""
        found, before = Burst(rate_per_s), self._cpu()
        metronome = Metronome(rate_per_s, lambda due: self._send(found, due))
        metronome.start()
        await asyncio.sleep(seconds)
        metronome.stop()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=_ANSWER_S)
        found.cpu_s = {name: used - before[name] for name, used in self._cpu().items()}
        for line in self._wire.read_text().splitlines():
            at, key, _, which = line.split()
            if which == "new" and key in found.due:
                found.wire_s.append(float(at) - found.due[key])
        return found

    def _cpu(self) -> dict[str, float]:
        return {**self._fleet.cpu_s(), "generator": time.process_time()}

    def _send(self, burst: Burst, due: float) -> None:
        self._number += 1
        key = f"load-{self._number}"
        burst.due[key] = due
        order = order_of(self._rng, key, datetime.now(UTC), resting=0.0, selling=0.0)
        data = SubmitOrder(order=order).model_dump_json().encode()
        task = asyncio.create_task(self._ask(burst, data, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, burst: Burst, data: bytes, due: float) -> None:
        try:
            reply = await self._bus.request(CMD_OMS_SUBMIT, data, timeout_s=_ANSWER_S)
        except RemoteError as error:
            burst.said[error.code] += 1
        except BusError as error:
            burst.said[type(error).__name__] += 1
        else:
            burst.answer_s.append(time.perf_counter() - due)
            order = SubmitReply.model_validate_json(reply).order
            burst.said[order.rejected_code or order.status.value] += 1


@dataclass
class Run:
    """One system: its floor, its bursts, and what its services say of their stages."""

    floor: Floor
    bursts: list[Burst]
    busy: float
    stages: dict[str, Any]


async def measure(
    folder: Path,
    *,
    rates: Sequence[float],
    seconds: float,
    seed: int,
    bound_s: float | None = None,
    profiled: tuple[str, ...] = (),
) -> Run:
    """Start a system, measure the floor, then each rate in turn.

    :param bound_s: stop after the first rate whose p99 is above it.
    :param profiled: services that run under cProfile.
    """
    home, venue_home = folder / "desk", folder / "venue"
    port = free_port()
    write_settings(home, address=f"127.0.0.1:{port}")
    write_settings(venue_home, address=None)
    (venue_home / "port").write_text(str(port))
    fleet, rng = Fleet(home, venue_home, profiled=profiled), random.Random(seed)
    try:
        await fleet.start()
        floor = await measure_floor(home)
        bus = await NatsBus.connect(lambda: read_address(home, {}, user=ADMINISTRATOR), name="load")
        try:
            bursts = await _bursts(bus, fleet, rng, rates, seconds, bound_s)
        finally:
            await bus.close()
    finally:
        await fleet.close()
    return Run(floor, bursts, os.getloadavg()[0], _stages(home))


def _stages(home: Path) -> dict[str, Any]:
    """Return the latencies that the services recorded themselves, in microseconds."""
    found: dict[str, Any] = {}
    for path in sorted((home / "run" / "latency").glob("*.json")):
        found |= json.loads(path.read_text())
    return found


async def _bursts(
    bus: NatsBus,
    fleet: Fleet,
    rng: random.Random,
    rates: Sequence[float],
    seconds: float,
    bound_s: float | None,
) -> list[Burst]:
    await bus.ensure_stream(STREAMS["MARKETDATA"])
    traders = Traders(bus, rng, "load", 1.0)
    await traders.price(Decimal(0))
    prices = asyncio.create_task(_prices(traders))
    generator = Generator(bus, fleet, rng)
    try:
        await generator.burst(rates[0], _WARM_S)
        found = []
        for rate in rates:
            found.append(await generator.burst(rate, seconds))
            if bound_s is not None and not _holds(found[-1], bound_s):
                break
        return found
    finally:
        await end_tasks([prices])


async def _prices(traders: Traders) -> None:
    while True:
        await asyncio.sleep(1.0)
        await traders.price(Decimal(0))


def _holds(burst: Burst, bound_s: float) -> bool:
    missing = len(burst.due) - len(burst.wire_s) - _denied(burst)
    return missing == 0 and percentile(burst.wire_s, 0.99) <= bound_s


def _denied(burst: Burst) -> int:
    alive = ("accepted", "filled", "partially_filled")
    return sum(n for said, n in burst.said.items() if said not in alive and said.isupper())


def sustained(run: Run) -> float:
    """Return the highest rate at which p99 was within ten milliseconds; 0 for none."""
    return max((b.rate_per_s for b in run.bursts if _holds(b, _BOUND_S)), default=0.0)


def _line(number: int, run: Run) -> str:
    burst = run.bursts[0].as_dict()
    wire, answer = burst["wire_ms"], burst["answer_ms"]
    request, commit = summary(run.floor.request), summary(run.floor.commit)
    return (
        f"run {number}: {burst['rate_per_s']:g}/s, {burst['at_the_wire']} of {burst['sent']} at "
        f"the wire; wire p50 {wire['p50']} p99 {wire['p99']} p99.9 {wire['p99.9']} max "
        f"{wire['max']} ms; answer p50 {answer['p50']} p99 {answer['p99']} ms; floor: request p50 "
        f"{request['p50']} p99 {request['p99']}, commit p50 {commit['p50']} p99 {commit['p99']}, "
        f"path p50 {run.floor.path_ms(0.5)} ms; load average {run.busy:.1f}; {burst['answers']}; "
        f"processor ms an order {burst['cpu_ms_an_order']}"
    )


def report_of(runs: Sequence[Run], ramp: Run | None) -> dict[str, Any]:
    """Return minimum and median over the runs, and each run."""
    tables = [run.bursts[0].as_dict()["wire_ms"] for run in runs]
    names = ("p50", "p90", "p99", "p99.9", "max")
    return {
        "wire_ms_minimum": {name: min(t[name] for t in tables) for name in names},
        "wire_ms_median": {name: statistics.median(t[name] for t in tables) for name in names},
        "floor_path_ms_median": {
            "p50": statistics.median(run.floor.path_ms(0.5) for run in runs),
            "p99": statistics.median(run.floor.path_ms(0.99) for run in runs),
        },
        "runs": [
            {
                **run.bursts[0].as_dict(),
                "floor_request_ms": summary(run.floor.request),
                "floor_commit_ms": summary(run.floor.commit),
                "load_average": round(run.busy, 2),
                "stages_us": run.stages,
            }
            for run in runs
        ],
        "sustained_per_s": sustained(ramp) if ramp else None,
        "ramp": [burst.as_dict() for burst in ramp.bursts] if ramp else [],
    }


async def _all(options: argparse.Namespace) -> dict[str, Any]:
    runs: list[Run] = []
    for number in range(1, options.runs + 1):
        with tempfile.TemporaryDirectory(prefix="mts-load-") as folder:
            run = await measure(
                Path(folder), rates=[options.rate], seconds=options.seconds, seed=number
            )
        runs.append(run)
        print(_line(number, run), flush=True)
    ramp = None
    if options.ramp:
        with tempfile.TemporaryDirectory(prefix="mts-load-") as folder:
            ramp = await measure(
                Path(folder), rates=_RATES, seconds=options.ramp, seed=0, bound_s=_BOUND_S
            )
    return report_of(runs, ramp)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof.load", description=__doc__)
    parser.add_argument("--rate", type=float, default=500.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--minutes", type=float, help="of all runs together, instead of --seconds")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ramp", type=float, default=8.0, help="seconds a rate; 0: no ramp")
    parser.add_argument("--report", type=Path, help="a JSON file")
    options = parser.parse_args(arguments)
    if options.minutes is not None:
        options.seconds = 60.0 * options.minutes / max(options.runs, 1)
    configure_logging(LogSettings(level="ERROR"))
    try:
        import uvloop
    except ImportError:
        figures = asyncio.run(_all(options))
    else:
        figures = uvloop.run(_all(options))
    text = json.dumps(figures, indent=2)
    if options.report is not None:
        options.report.write_text(text + "\n")
    del figures["runs"]
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
