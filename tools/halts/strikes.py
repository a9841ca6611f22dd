"""The halt itself, by each of its ways, at a moment that the seed decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mts1b_foundation.nats import CMD_HALT_REQUEST
from mts1b_foundation.risk import ActiveHalt
from mts1b_operations.halt_record import SEVERITIES, put_in_force, request_of
from mts1b_operations.lease import LEASE_S
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.halt import HaltStore

if TYPE_CHECKING:
    from tools.halts.world import RaceWorld

__all__ = ["SCOPES", "Striker"]

SCOPES = ("firm", "fund:alpha", "strategy:trend", "venue:paper", "symbol:AAA")
_NEAR = ("record", "bus", "socket")


class Striker:
    """Halt one scope; from the moment the record is written on, the truth says so."""

    def __init__(self, world: RaceWorld) -> None:
        self._world = world
        self._bus = world.net.bus("operator")

    async def strike(self, number: int) -> ActiveHalt:
        """Wait a little, halt some scope in some way, and return the halt."""
        world, rng = self._world, self._world.rng
        halt = self._halt(number)
        await asyncio.sleep(rng.uniform(0.0, 0.02))
        for _ in range(rng.integer(0, 60)):
            await asyncio.sleep(0)  # time stands still: the halt falls between two steps
        if world.far:
            self._elsewhere(halt)
            return halt
        way = _NEAR[rng.integer(0, len(_NEAR) - 1)]
        world.counters.hit(f"halt by {way}")
        world.counters.hit(f"halt of {halt.scope.partition(':')[0]}")
        if way == "bus":
            await self._by_bus(halt)
        elif way == "socket":
            await self._by_socket(halt)
        self._by_record(halt)
        return halt

    def _halt(self, number: int) -> ActiveHalt:
        world = self._world
        scope = SCOPES[world.rng.integer(0, len(SCOPES) - 1)]
        return ActiveHalt(
            halt_id=f"race-{number}",
            scope=scope,
            severity=SEVERITIES[scope.partition(":")[0]],
            reason="race",
            requested_by="operator:race",
            requested_at=world.loop.clock.now(),
            epoch=1,
            reduce_only_allowed=world.rng.random() < 0.3,
        )

    def _by_record(self, halt: ActiveHalt) -> None:
        """Write the record of this machine, as the command does first; nothing is awaited."""
        world = self._world
        put_in_force(HaltStore(world.home / "halt"), halt)
        world.truth_of_halts.begin(halt, at=world.loop.time())

    async def _by_bus(self, halt: ActiveHalt) -> None:
        data = request_of(halt).model_dump_json().encode()
        try:
            await self._bus.request(CMD_HALT_REQUEST, data, timeout_s=1.0)
        except BusError:
            self._world.counters.hit("halt request lost")
            return
        self._world.truth_of_halts.begin(halt, at=self._world.loop.time())

    async def _by_socket(self, halt: ActiveHalt) -> None:
        oms = self._world.oms
        if oms is not None and self._world.processes["oms"].is_up:
            await oms._answer_socket({"do": "halt", "halt": halt.model_dump(mode="json")})
            self._world.truth_of_halts.begin(halt, at=self._world.loop.time())

    def _elsewhere(self, halt: ActiveHalt) -> None:
        """Write the record of another machine; often the OMS is cut off just then."""
        world, rng = self._world, self._world.rng
        cut = rng.random() < 0.5
        world.counters.hit("halt elsewhere, cut off" if cut else "halt elsewhere")
        world.counters.hit(f"halt of {halt.scope.partition(':')[0]}")
        if cut:
            world.net.partition("oms", 10.0)
        put_in_force(HaltStore(world.operations_home / "halt"), halt)
        world.truth_of_halts.begin(halt, at=world.loop.time(), until=LEASE_S)
