"""One simulated run: a bus, a venue, an OMS, a risk engine, operations, and impatient clients."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mts1b_brokers.simulation import SimVenue, TrueVenue
from mts1b_foundation import Bar, Quote
from mts1b_foundation.nats import STREAMS, bars_subject
from mts1b_foundation.orders import Order
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.halt import HaltStore
from mts1b_platform.rng import SeededRng
from mts1b_platform.service.base import ServiceContext
from mts1b_platform.simulation import Counters, DeterministicLoop, Faults, SimNet, SimProcess, Trace
from mts1b_platform.store import Store, StoreError
from mts1b_riskengine.service import RiskEngineService

from mts1b_oms.service import OmsService
from mts1b_oms.simulation.accidents import Accidents
from mts1b_oms.simulation.checks import (
    Violation,
    check_arrival,
    check_change,
    check_child,
    check_now,
    check_self_match,
)
from mts1b_oms.simulation.clients import Clients
from mts1b_oms.simulation.desk import HIGHEST, LOWEST, PRICE, PROBE, SYMBOLS, settings
from mts1b_oms.simulation.processes import FaultyStore, Operations, WatchedGate
from mts1b_oms.simulation.quiet import check_quiet
from mts1b_oms.simulation.settled import check_settled
from mts1b_oms.simulation.weather import Weather, closed_times

__all__ = ["Outcome", "World", "run_seed"]

_RESTART_S = (0.05, 3.0)
_SECONDS_PER_ORDER = 1.8
"""Closer together, a seed costs a sixth less, and planted faults that need time survive longer: an
order is in doubt, or hidden at the venue, for many seconds, and so is what is halted beside it."""
_SHORTEST_S = 60.0
_SETTLE_S = 120
_BAR_S = 20


@dataclass(slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    violation: str = ""
    digest: str = ""
    counters: dict[str, int] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)
    virtual_s: float = 0.0


class World:
    """Everything of one seed. Make it inside the loop that runs it."""

    def __init__(
        self,
        loop: DeterministicLoop,
        seed: int,
        home: Path,
        *,
        orders: int,
        faults: Faults,
        keep: int | None,
        quiet_s: float = 0.0,
    ) -> None:
        self.loop = loop
        self.seed = seed
        self.quiet_s = quiet_s
        self.home = home
        self.trading_s = max(_SHORTEST_S, _SECONDS_PER_ORDER * orders)
        self.rng = SeededRng(seed * 7919 + 1)
        self.counters, self.trace = Counters(), Trace(keep=keep)
        self.net = SimNet(
            loop,
            SeededRng(seed * 104_729 + 2),
            faults=faults,
            counters=self.counters,
            trace=self.trace,
        )
        lag = self.rng.uniform(1.0, 20.0) if self.rng.random() < 0.7 else 0.0
        self.truth = TrueVenue(
            self.net,
            cash=Decimal(3_000_000),
            lag_s=lag,
            new_ids=self.rng.random() < 0.5,
            forgets_refusals=self.rng.random() < 0.5,
            maintenance=closed_times(loop, self.rng, faults, seconds=self.trading_s),
        )
        self.accidents = Accidents(self.truth, self.net)
        self._store_kind: type[FaultyStore] = type(
            "FaultyStore",
            (FaultyStore,),
            {
                "net": self.net,
                "stalled": staticmethod(self._stalled),
                "committed": staticmethod(lambda: loop.call_soon(self._look)),
            },
        )
        self.violation: Violation | None = None
        self.quiet = False
        self.price = PRICE
        self.halted: set[str] = set()
        self.lease_ends = float("-inf")
        self.clocks_step = faults.clock_step_per_min > 0.0
        self.restored = False
        """Whether the record of the OMS was ever put back from a backup."""
        self.risk_restored = False
        self.settings = settings(
            dead_man_s=faults.dead_man_s or None, self_match=self.rng.random() < 0.3
        )
        self.processes = {
            kind: self._process(kind, build)
            for kind, build in (
                ("operations", self._new_operations),
                ("riskengine", RiskEngineService),
                ("oms", self._new_oms),
            )
        }
        self.weather = Weather(self, self.accidents)
        self.clients = Clients(self, orders)
        self._background: list[asyncio.Task[None]] = []

    def _process(self, name: str, build: Any) -> SimProcess:
        return SimProcess(
            name,
            self.net,
            home=self.home,
            settings=self.settings,
            build=build,
            on_end=self._ended,
            opener=self._open_store,
        )

    def _new_operations(self, ctx: ServiceContext) -> Operations:
        return Operations(ctx, self._granted, self.halt_in_force)

    def halt_in_force(self, scope: str) -> None:
        """Note that a halt is on the durable record: from now on nothing of its scope leaves."""
        self.halted.add(scope)
        self.trace.record(self.loop.time(), "halt", scope)

    def _granted(self, seconds: float) -> None:
        self.lease_ends = max(self.lease_ends, self.loop.time() + seconds)

    def _new_oms(self, ctx: ServiceContext) -> OmsService:
        self.wire = SimVenue(self.truth, self.net, self._watch, self._watch_change)
        service = OmsService(ctx, venue=self.wire)
        service.gate = self._gate = WatchedGate(self.loop.time)
        return service

    async def _open_store(
        self, name: str, metadata: sa.MetaData | None = None, *, version: int = 1
    ) -> Store:
        return await self._store_kind.open(
            self.home / "db" / f"{name}.sqlite", metadata=metadata, name=name, version=version
        )

    def _stalled(self, store: str, seconds: float) -> None:
        """Let an operator halt something while a change hangs between risk and the wire."""
        oms = self.oms if self.processes["oms"].is_up and not self.quiet else None
        if store != "oms" or oms is None:
            return
        for order_id, change in oms.record.replacing.items():
            order = oms.record.open_orders.get(order_id)
            if order is not None and not change.is_begun:
                self.weather.halt_within(seconds, order)
                return

    @property
    def oms(self) -> OmsService | None:
        """Return the OMS that lives now."""
        service = self.processes["oms"].service
        return service if isinstance(service, OmsService) else None

    def _watch(self, order: Order) -> None:
        oms = self.oms
        if oms is None:
            self.fail(Violation(f"I7 {order.order_id} leaves from a process that is dead"))
            return
        try:
            if self.settings.limits.self_match:
                check_self_match(order, self.truth, self.accidents)
            check_arrival(
                order,
                oms,
                self.truth,
                cap_of=self.weather.limits.cap_of,
                halted=self.halted,
                lease_ends=self.lease_ends,
                looked=self.wire.looked,
                gate_closed_s=self._gate.closed_s,
                surplus=self.accidents.surplus,
                told_refused=self.wire.told_refused,
            )
            check_child(order, self.truth, self.clients.parents, self.clients.taken_back)
        except Violation as error:
            self.fail(error)

    def _watch_change(self, order_id: str, quantity: Decimal) -> None:
        oms = self.oms
        if oms is None:
            self.fail(Violation(f"I7 a change of {order_id} leaves from a process that is dead"))
            return
        try:
            check_change(
                order_id,
                quantity,
                oms,
                self.truth,
                cap_of=self.weather.limits.cap_of,
                halted=self.halted,
                lease_ends=self.lease_ends,
                surplus=self.accidents.surplus,
            )
        except Violation as error:
            self.fail(error)

    def fail(self, error: Violation) -> None:
        """Keep the first violation."""
        if self.violation is None:
            self.violation = error
            self.trace.record(self.loop.time(), "VIOLATION", str(error))

    def _ended(self, name: str, error: Exception) -> None:
        """A process ended by itself: what a fault explains is a crash, all else a violation."""
        self.trace.record(self.loop.time(), "ended", name, type(error).__name__, error)
        self.counters.hit(f"ended.{name}")
        if not isinstance(error, (StoreError, OSError)) and not _is_bus(error):
            self.fail(Violation(f"I9 {name} ended with {type(error).__name__}: {error}"))
        self.restart_later(name)

    def restart_later(self, name: str) -> None:
        """Start a process again some time from now."""
        delay = self.rng.uniform(*_RESTART_S)
        self.loop.call_later(delay, self._start_again, name)

    def _start_again(self, name: str) -> None:
        if self.processes[name].service is None:
            self.processes[name].start()

    async def run(self) -> None:
        """Trade under faults, heal, settle, and check."""
        self.processes["operations"].start()
        self.processes["riskengine"].start()
        self.processes["oms"].start()
        await self.net.server.ensure_stream(STREAMS["MARKETDATA"])
        await self._bars()
        self._background += self.weather.start()
        self._background.append(asyncio.create_task(self._market()))
        await self.clients.trade(self.trading_s)
        await self._heal()
        await self._settle()
        if self.violation is None:
            await self._bars()
            await asyncio.sleep(2.0)
            await self.clients.probe()
            await self._settle()
        if self.violation is None and self.quiet_s:
            await asyncio.sleep(_SETTLE_S)  # the clients have something in mind for a while yet
            await self._rest()
        for task in self._background:
            task.cancel()
        for process in self.processes.values():
            process.kill()

    async def _heal(self) -> None:
        await self.clients.fall_silent()
        self.trace.record(self.loop.time(), "heal")
        self.quiet = True
        self.net.heal()
        self.truth.open_up()
        halts = HaltStore(self.home / "halt")
        self.halted.clear()
        for halt in halts.state().active:
            halts.lift(halt.scope)
        for process in self.processes.values():
            if process.service is None:
                process.start()
        await self.clients.finish()

    async def _settle(self) -> None:
        """Wait until everything holds, at most for two virtual minutes (L1)."""
        last: Violation | None = None
        for _ in range(_SETTLE_S):
            if self.violation is not None:
                return
            await asyncio.sleep(1.0)
            oms, risk = self.oms, self.processes["riskengine"].service
            up = all(process.is_up for process in self.processes.values())
            if not up or oms is None or not isinstance(risk, RiskEngineService):
                last = Violation("L1 a process is not up")
                continue
            try:
                await check_settled(self, oms, risk)
                self._check_people()
            except Violation as error:
                last = error
                continue
            return
        if last is not None:
            self.fail(last)

    async def _rest(self) -> None:
        try:
            await check_quiet(self, self.quiet_s)
        except Violation as error:
            self.fail(error)
        await self._settle()

    def _look(self) -> None:
        """Check what holds at every moment, of the processes that are up.

        What a record that was put back lacks, the venue alone knows; a book of risk that was put
        back lacks what the OMS has not published yet.
        """
        up = () if self.restored else [name for name, one in self.processes.items() if one.is_up]
        follows = "riskengine" in up and not self.risk_restored
        risk = self.processes["riskengine"].service if follows else None
        try:
            check_now(
                self.oms if "oms" in up else None,
                risk if isinstance(risk, RiskEngineService) else None,
                self.truth,
                self.accidents,
            )
        except Violation as error:
            self.fail(error)

    def _check_people(self) -> None:
        """Check that people have resumed all that was quarantined."""
        active = HaltStore(self.home / "halt").state().active
        if active:
            raise Violation(f"L2 still halted: {active[0].scope}")

    async def _bars(self) -> None:
        """Publish the price, before the last one grows stale."""
        now = self.loop.clock.now()
        for symbol in (*SYMBOLS, PROBE):
            bar = Bar(
                symbol=symbol,
                interval="1m",
                open=self.price,
                high=self.price,
                low=self.price,
                close=self.price,
                timestamp=now,
            )
            await self.net.server.publish_durable(
                bars_subject(symbol, "1m"),
                bar.model_dump_json().encode(),
                message_id=f"{symbol}-{now.isoformat()}",
            )

    async def _market(self) -> None:
        beat = 0
        while True:
            await asyncio.sleep(1.0)
            beat += 1
            if beat % _BAR_S == 0:
                await self._bars()
            step = Decimal(self.rng.integer(-1, 1)) / 4
            self.price = min(max(self.price + step, LOWEST), HIGHEST)
            symbol = SYMBOLS[self.rng.integer(0, len(SYMBOLS) - 1)]
            size = Decimal(self.rng.integer(1, 30))
            quote = Quote(
                symbol=symbol,
                venue="paper",
                bid=self.price - Decimal("0.01"),
                ask=self.price,
                bid_size=size,
                ask_size=size,
                timestamp=self.loop.clock.now(),
            )
            await self.truth.quote(quote)
            self._look()


def run_seed(
    seed: int,
    *,
    orders: int = 200,
    faults: Faults | None = None,
    keep: int | None = 200,
    quiet_s: float = 0.0,
) -> Outcome:
    """Run one seed from beginning to end; the same arguments give the same trace.

    :param faults: None draws them from the seed.
    :param keep: lines of the trace to keep; None for all.
    :param quiet_s: virtual seconds in which nothing happens any more, after everything has settled.
    """
    drawn = Faults.swarm(SeededRng(seed)) if faults is None else faults
    with tempfile.TemporaryDirectory(prefix="mts-sim-", dir=_memory()) as folder:
        loop = DeterministicLoop(seed)
        world: World | None = None
        with asyncio.Runner(loop_factory=lambda: loop) as runner:

            async def main() -> World:
                nonlocal world
                world = World(
                    loop,
                    seed,
                    Path(folder),
                    orders=orders,
                    faults=drawn,
                    keep=keep,
                    quiet_s=quiet_s,
                )
                await world.run()
                return world

            done = runner.run(main())
        return Outcome(
            seed,
            str(done.violation or ""),
            done.trace.digest,
            done.counters.as_dict(),
            done.trace.lines,
            loop.time(),
        )


def _memory() -> str | None:
    """Return a folder in memory, where there is one: a commit costs no disk there."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _is_bus(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(
            _is_bus(item) or isinstance(item, (StoreError, OSError)) for item in error.exceptions
        )
    return isinstance(error, BusError)
