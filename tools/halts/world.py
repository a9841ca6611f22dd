"""The real OMS, risk engine and lease office in virtual time, raced by one halt after another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from mts1b_foundation.commands import CancelAllReply
from mts1b_foundation.nats import STREAMS
from mts1b_foundation.orders import Order
from mts1b_oms.service import OmsService
from mts1b_oms.simulation.checks import Violation, check_arrival
from mts1b_oms.simulation.processes import WatchedGate
from mts1b_oms.simulation.world import World
from mts1b_platform.halt import HaltStateUnreadable, HaltStore
from mts1b_platform.ratelimit import RateLimiter
from mts1b_platform.service.base import ServiceContext
from mts1b_platform.simulation import DeterministicLoop, Faults, SimProcess
from mts1b_platform.supervision import end_tasks

from tools.halts.clients import Racers
from tools.halts.orders_of import settings_of
from tools.halts.strikes import Striker
from tools.halts.truth import Truth
from tools.halts.venue import LimitedVenue

__all__ = ["RaceWorld"]

_CAP = Decimal(1_000_000)
_UP_S = 30.0


class RaceWorld(World):
    """One world of several races.

    :param far: operations live on another machine: their halts come with the lease, or the lease
        ends. Otherwise all read one record.
    :param queues: plant an adapter that waits between the gateway and the wire.
    """

    def __init__(
        self,
        loop: DeterministicLoop,
        seed: int,
        home: Path,
        *,
        faults: Faults,
        far: bool,
        queues: bool = False,
    ) -> None:
        self.truth_of_halts = Truth()
        self.far, self._queues = far, queues
        super().__init__(loop, seed, home, orders=0, faults=faults, keep=400)
        self.settings = settings_of(self.settings)
        self.operations_home = home / "elsewhere" if far else home
        self._rebuild()
        self.racers = Racers(self)
        self.striker = Striker(self)
        self._work: list[asyncio.Task[None]] = []

    def _rebuild(self) -> None:
        """Make the processes anew, with these settings and these homes."""
        for name, process in list(self.processes.items()):
            self.processes[name] = SimProcess(
                name,
                self.net,
                home=self.operations_home if name == "operations" else self.home,
                settings=self.settings,
                build=process._build,
                on_end=self._ended,
                opener=self._open_store,
            )

    def _new_oms(self, ctx: ServiceContext) -> OmsService:
        self.wire = LimitedVenue(
            self.truth,
            self.net,
            self._watch,
            self._watch_change,
            orders=RateLimiter(4.0, burst=4),
            cancels=RateLimiter(200.0, burst=200),
            queues=self._queues,
        )
        service = OmsService(ctx, venue=self.wire)
        service.gate = self._gate = WatchedGate(self.loop.time)
        return service

    def _watch(self, order: Order) -> None:
        self.truth_of_halts.at_the_wire(order, self.loop.time())
        oms = self.oms
        if oms is None:
            self.fail(Violation(f"I7 {order.order_id} leaves from a process that is dead"))
            return
        try:
            check_arrival(
                order,
                oms,
                self.truth,
                cap_of=lambda fund: _CAP,
                halted=frozenset(),  # the halts are the strikers', looked at above
                lease_ends=self.lease_ends,
                looked=self.wire.looked,
                gate_closed_s=self._gate.closed_s,
                surplus=self.accidents.surplus,
                told_refused=self.wire.told_refused,
            )
        except Violation as error:
            if str(error).startswith("I7"):
                self.fail(error)
            self.counters.hit(f"not of a halt: {str(error).split()[0]}")

    def _watch_change(self, order_id: str, quantity: Decimal) -> None:
        """Judge a change at the last moment before it leaves, by the order as the venue has it."""
        self.counters.hit("changes on the wire")
        sent = self.truth.orders.get(order_id)
        if sent is not None:
            self.truth_of_halts.at_the_wire(sent, self.loop.time())

    async def open(self) -> None:
        """Start the processes, and show them a price."""
        for name in ("operations", "riskengine", "oms"):
            self.processes[name].start()
        await self.net.server.ensure_stream(STREAMS["MARKETDATA"])
        await self._bars()

    async def race(self, rounds: int) -> None:
        """Run the races one after another."""
        await self.open()
        self._work.append(asyncio.create_task(self._market()))
        for number in range(rounds):
            if not await self.is_up():
                self.fail(Violation("L1 the OMS did not come up within 30 s"))
            if self.broken:
                break
            await self._round(number)
        await self.close()

    @property
    def broken(self) -> str:
        """Return what was violated first; empty when nothing was."""
        if self.truth_of_halts.leaks:
            return str(self.truth_of_halts.leaks[0])
        return str(self.violation or "")

    async def is_up(self) -> bool:
        """Wait for the OMS; return whether it takes orders."""
        for _ in range(int(_UP_S / 0.1)):
            oms = self.oms
            if oms is not None and self.processes["oms"].is_up and oms.gate.is_open:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _round(self, number: int) -> None:
        """Submit, slice and cancel; halt in the midst of it; look; lift."""
        begin = asyncio.create_task(self.racers.burst(number))
        halt = await self.striker.strike(number)
        if self.rng.random() < 0.1:
            self.counters.hit("oms killed under halt")
            self.processes["oms"].kill()
            self.restart_later("oms")
        await begin
        await asyncio.sleep(self.rng.uniform(0.0, 3.0 if self.far else 1.0))
        if not self.far and self.rng.random() < 0.5:
            await self._cancel_until_none(halt.scope)
        self.net.cut.clear()
        self._lift(halt.scope)

    async def _cancel_until_none(self, scope: str) -> None:
        """Cancel by the socket's own handler until it names no residue, as `mts cmd halt` does."""
        request = {"do": "cancel_all", "scope": scope, "actor": "operator:race", "reason": "race"}
        for _ in range(20):
            oms = self.oms
            if oms is None or not self.processes["oms"].is_up:
                return
            reply = await self._while_alive(oms, oms._answer_socket(request))
            if reply is None or "error" in reply:
                return
            if not CancelAllReply.model_validate(reply).residue:
                self.counters.hit("cancelled until none")
                await self._expect_none(scope)
                return
            await asyncio.sleep(0.25)
        self.counters.hit("residue named")

    async def _while_alive(
        self, oms: OmsService, work: Coroutine[Any, Any, Any]
    ) -> dict[str, Any] | None:
        task = asyncio.create_task(work)
        while not task.done():
            await asyncio.wait({task}, timeout=0.5)
            if self.oms is not oms:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                return None
        found: dict[str, Any] = task.result()
        return found

    async def _expect_none(self, scope: str) -> None:
        kind, _, name = scope.partition(":")
        for order in await self.truth.paper.get_open_orders():
            names = {
                "firm": "",
                "fund": order.fund_id,
                "strategy": order.strategy_id,
                "venue": "paper",
                "symbol": str(order.symbol),
            }
            if names[kind] == name and order.order_id in self.truth.orders:
                self.fail(Violation(f"P12 no residue in {scope}, and {order.order_id} is open"))

    def _lift(self, scope: str) -> None:
        self.truth_of_halts.end(scope)
        for halts in self.records():
            with contextlib.suppress(HaltStateUnreadable):
                halts.lift(scope)

    def records(self) -> Iterable[HaltStore]:
        """Return the halt record of each machine."""
        homes = {self.home: None, self.operations_home: None}
        return [HaltStore(home / "halt") for home in homes]

    async def close(self) -> None:
        """End everything."""
        tasks = [*self._work, *self.racers.tasks]
        await end_tasks(tasks)
        for process in self.processes.values():
            process.kill()
