"""``python -m tools.proof.recovery``: how long a killed OMS takes until it trades again.

A process builds a record through the real OMS, risk engine and venue: orders, some of them open,
and several fills of each of the others. It kills itself in the midst of a burst. Then an OMS is
started on what is left, and timed until its reconciliation gate is open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from mts1b_brokers.paper import PaperClient, VenueProfile
from mts1b_foundation import Bar, Symbol
from mts1b_foundation.commands import SubmitOrder
from mts1b_foundation.nats import CMD_OMS_SUBMIT, STREAMS, bars_subject
from mts1b_foundation.orders import Order, OrderType, Side, TimeInForce
from mts1b_oms.service import OmsService
from mts1b_platform.clock import SystemClock, VirtualClock
from mts1b_platform.config import LogSettings, load_settings
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.ids import SystemIds
from mts1b_platform.logging import configure_logging, get_logger
from mts1b_platform.rng import SystemRng
from mts1b_platform.service.base import ServiceContext
from mts1b_platform.store.inline import SqliteFile
from mts1b_platform.supervision import TaskGroupSupervisor
from mts1b_riskengine.service import RiskEngineService

from tools.proof.desk import FUND, PRICE, STRATEGIES, bar_of, write_settings

__all__ = ["Recovered", "build", "main", "recover"]

LIMIT_S = 5.0
SYMBOLS = tuple(Symbol(f"S{number}") for number in range(10))
FILLS_EACH = 5
_LOT = Decimal(10)
_IN_FLIGHT = 20
_BOOK_S = 60.0


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an OMS came back with, and after how many seconds.

    :ivar seconds: from the start of the service to an open gate.
    :ivar venue_s: seconds before that in which the simulated venue read its own record; a real
        venue is up, and is no part of the recovery.
    :ivar processor_s: processor seconds of it, which other work on the machine does not change.
    """

    seconds: float
    venue_s: float
    processor_s: float
    orders: int
    open_orders: int
    fills: int
    gate: str


class _System:
    """Risk engine, OMS and venue in this process, on the files of ``home``."""

    def __init__(self, home: Path) -> None:
        self.home, self.bus = home, LocalBus()
        self.tasks = TaskGroupSupervisor(lambda name, error: print(f"{name}: {error!r}"))
        self.clock = VirtualClock(datetime.now(UTC) + timedelta(minutes=2))
        cash = VenueProfile(initial_cash=Decimal(1_000_000_000))
        self.paper = PaperClient(profile=cash, home=home, clock=self.clock)
        self.risk = RiskEngineService(self._context("riskengine"))
        self.oms = OmsService(self._context("oms"), venue=self.paper)

    def _context(self, name: str) -> ServiceContext:
        return ServiceContext(
            name=name,
            home=self.home,
            settings=load_settings(self.home),
            clock=SystemClock(),
            ids=SystemIds(),
            rng=SystemRng(),
            bus=self.bus,
            log=get_logger(name),
            tasks=self.tasks,
            sockets=False,
        )

    async def price(self) -> None:
        """Tell risk a fresh price of every symbol."""
        now = datetime.now(UTC)
        for symbol in SYMBOLS:
            data = bar_of(symbol, PRICE, now).model_dump_json().encode()
            subject = bars_subject(symbol, "1m")
            await self.bus.publish_durable(subject, data, message_id=f"{symbol}-{now.isoformat()}")

    async def submit(self, number: int, limit: Decimal) -> None:
        """Submit an order that its fills complete in several steps."""
        order = Order(
            order_id=f"o-{number}",
            idempotency_key=f"k-{number}",
            symbol=SYMBOLS[number % len(SYMBOLS)],
            side=Side.BUY,
            quantity=_LOT * FILLS_EACH,
            order_type=OrderType.LIMIT,
            limit_price=limit,
            tif=TimeInForce.GTC,
            fund_id=FUND,
            strategy_id=STRATEGIES[number % len(STRATEGIES)],
            created_at=datetime.now(UTC),
            reference_price=PRICE,
        )
        data = SubmitOrder(order=order).model_dump_json().encode()
        await self.bus.request(CMD_OMS_SUBMIT, data, timeout_s=60.0)

    async def trade(self) -> None:
        """Let the market trade one lot of every symbol, a second after the last time.

        The venue's time is ahead of the machine's, so that it takes no notice of other bars.
        """
        self.clock.advance_to(self.clock.now() + timedelta(seconds=1))
        await self.paper.on_bars([_thin(symbol, self.clock.now()) for symbol in SYMBOLS])


def _thin(symbol: Symbol, at: datetime) -> Bar:
    """Return a bar in which one lot may fill: a tenth of its volume."""
    return bar_of(symbol, PRICE, at).with_(volume=10 * _LOT)


async def build(home: Path, *, orders: int, still_open: int) -> None:
    """Build the record, then kill this process with a burst of orders in flight."""
    system = _System(home)
    await system.bus.ensure_stream(STREAMS["MARKETDATA"])
    await system.risk.start()
    await system.oms.start()
    await system.price()
    await system.trade()  # from its first bar on, the market's bars follow one another
    done = orders - still_open
    for first in range(0, done, len(SYMBOLS)):
        batch = range(first, min(first + len(SYMBOLS), done))
        await asyncio.gather(*(system.submit(number, PRICE) for number in batch))
        for _ in range(FILLS_EACH):
            await system.trade()
        if first % 500 == 0:
            await system.price()
    for number in range(done, orders):
        await system.submit(number, PRICE / 2)
    await _until_booked(system.oms, done * FILLS_EACH)
    burst = [asyncio.create_task(system.submit(orders + n, PRICE / 2)) for n in range(_IN_FLIGHT)]
    await asyncio.wait(burst, return_when=asyncio.FIRST_COMPLETED)
    os.kill(os.getpid(), signal.SIGKILL)


async def _until_booked(oms: OmsService, fills: int) -> None:
    deadline = time.perf_counter() + _BOOK_S
    for _ in iter(lambda: oms.record.fill_position < fills, False):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{oms.record.fill_position} of {fills} fills are booked")
        await asyncio.sleep(0.05)


async def recover(home: Path) -> Recovered:
    """Start on what a killed OMS left; return once the gate is open."""
    system = _System(home)
    await system.bus.ensure_stream(STREAMS["MARKETDATA"])
    await system.risk.start()
    begin = time.perf_counter()
    await system.paper.open()
    venue_s = time.perf_counter() - begin
    begin, used = time.perf_counter(), time.process_time()
    await system.oms.start()
    seconds, used = time.perf_counter() - begin, time.process_time() - used
    record, gate = system.oms.record, system.oms.gate
    found = Recovered(
        seconds=round(seconds, 3),
        venue_s=round(venue_s, 3),
        processor_s=round(used, 3),
        orders=record.order_position,
        open_orders=len(record.open_orders),
        fills=record.fill_position,
        gate=gate.reason or "open",
    )
    await system.oms.stop()
    await system.risk.stop()
    await system.tasks.stop()
    await system.bus.close()
    return found


def _hurry() -> None:
    """Build without waiting for the disk: what is built is read by a process, not after a power
    cut. The recovery that is timed runs with the store's own settings."""
    SqliteFile.durable = ("journal_mode=WAL", "synchronous=OFF")


def measure(folder: Path, *, orders: int, still_open: int, runs: int) -> list[Recovered]:
    """Build once in a process that is killed; recover ``runs`` times."""
    home = folder / "desk"
    symbols = [str(symbol) for symbol in SYMBOLS]
    write_settings(home, address=None, symbols=symbols, halt={"lease": "off"})
    command = [sys.executable, "-m", "tools.proof.recovery", "--build", str(home)]
    sizes = ["--orders", str(orders), "--open", str(still_open)]
    ended = subprocess.run([*command, *sizes], check=False)
    if ended.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the builder ended with {ended.returncode} instead of being killed")
    return [asyncio.run(recover(home)) for _ in range(runs)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a recovery took too long or left the gate shut."""
    parser = argparse.ArgumentParser(prog="python -m tools.proof.recovery", description=__doc__)
    parser.add_argument("--orders", type=int, default=11_000)
    parser.add_argument("--open", type=int, default=1_000, help="of them, still open")
    parser.add_argument("--runs", type=int, default=5, help="recoveries; only the first is dirty")
    parser.add_argument("--build", type=Path, help="be the process that is killed")
    options = parser.parse_args(arguments)
    configure_logging(LogSettings(level="ERROR"))
    if options.build is not None:
        _hurry()
        asyncio.run(build(options.build, orders=options.orders, still_open=options.open))
    with tempfile.TemporaryDirectory(prefix="mts-recovery-") as folder:
        found = measure(
            Path(folder), orders=options.orders, still_open=options.open, runs=options.runs
        )
    for item in found:
        print(json.dumps(asdict(item)))
    held = all(item.seconds <= LIMIT_S and item.gate == "open" for item in found)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
