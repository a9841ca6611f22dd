"""What goes wrong around the order path while it trades, and what people do about it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mts1b_brokers.paper import MaintenanceWindow
from mts1b_foundation.adjustments import AdjustBooks, AdjustReply
from mts1b_foundation.commands import HaltReply
from mts1b_foundation.nats import CMD_HALT_REQUEST, CMD_OMS_ADJUST
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_foundation.risk import ActiveHalt, HaltSeverity
from mts1b_operations.halt_record import request_of
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.halt import HaltStore
from mts1b_platform.signing import KeyRing

from mts1b_oms.adjuster import sign_adjustment
from mts1b_oms.simulation.accidents import Accidents
from mts1b_oms.simulation.limits import Limits
from mts1b_oms.simulation.resolving import Resolving

if TYPE_CHECKING:
    from mts1b_platform.rng import Rng
    from mts1b_platform.simulation import DeterministicLoop, Faults, SimProcess

    from mts1b_oms.simulation.world import World

__all__ = ["Weather", "closed_times"]

_Scopes = tuple[tuple[str, HaltSeverity], ...]
_SCOPES: _Scopes = (
    ("firm", HaltSeverity.FIRM_HALT),
    ("fund:alpha", HaltSeverity.FUND_HALT),
    ("strategy:trend", HaltSeverity.STRATEGY_HALT),
    ("venue:paper", HaltSeverity.VENUE_HALT),
    ("symbol:AAA", HaltSeverity.SYMBOL_HALT),
)
_BACKUP_EVERY_S = (5.0, 60.0)
_APPROVALS_ARE_OVER_S = 2.5
"""Nobody puts a backup back within the life of an approval."""
_CLOCK_WRONG_S = (1.0, 12.0)
_STEP_IN_DOUBT = 1 / 15
"""Steps of the OMS's clock in each second of a doubt, for each step a minute elsewhere."""
_IN_DOUBT = "I1 clock steps while an order is in doubt"
_SOON_S = 3.0
_HALTS_IN_A_STALL = 0.7
_ANSWERS_WITHIN_S = 2.0
"""How long an operator waits for operations before the record is written by hand."""
_LOOKS_AFTER_S = 10.0
"""How long people take, on average, to look at a strategy that is quarantined."""


def closed_times(
    loop: DeterministicLoop, rng: Rng, faults: Faults, *, seconds: float
) -> tuple[MaintenanceWindow, ...]:
    """Draw the maintenance of a venue over the next ``seconds``."""
    if faults.closed_per_min <= 0.0:
        return ()
    windows: list[MaintenanceWindow] = []
    at, now = 0.0, loop.clock.now()
    while True:
        at += rng.uniform(0.0, 2.0 * 60.0 / faults.closed_per_min)
        if at >= seconds:
            return tuple(windows)
        begins = now + timedelta(seconds=at)
        at += rng.uniform(0.5, 2.0 * faults.closed_s)
        windows.append(MaintenanceWindow(begins=begins, ends=now + timedelta(seconds=at)))


class Weather:
    """The tasks that disturb a world until it is quiet."""

    def __init__(self, world: World, accidents: Accidents) -> None:
        self._world = world
        self._accidents = accidents
        self._halts = HaltStore(world.home / "halt")
        self._halted = 0
        self._resumed: Counter[str] = Counter()
        self._bus = world.net.bus("operator")
        self._drills: set[asyncio.Task[None]] = set()
        self._restores = 0
        self._keys = KeyRing(world.home / "keys", world.rng)
        self._keys.create("operator-sim")
        self.limits = Limits(world, self._keys)
        self._resolving = Resolving(world, self._keys)

    def start(self) -> list[asyncio.Task[None]]:
        """Begin; the tasks end with the world."""
        faults = self._world.net.faults
        works = (
            self._blow(),
            self._drill(),
            self._look_after_quarantines(),
            self._keep_backups("oms", faults.restore_per_min, "D7 backup of oms restored"),
            self._keep_backups(
                "riskengine", faults.risk_restore_per_min, "D7 backup of riskengine restored"
            ),
            self._keep_books(),
            self.limits.change(),
            self._resolving.work(),
        )
        return [asyncio.create_task(work) for work in works]

    async def _blow(self) -> None:
        world = self._world
        self._set_drifts()
        while not world.quiet:
            await asyncio.sleep(1.0)
            if world.quiet:
                return
            for name, process in world.processes.items():
                if process.service is not None:
                    await self._strike(name, process)
            await self._strike_venue()
            self._strike_clocks()
            if world.net.takes(world.net.faults.wipe_per_min / 60.0, "E9 stream wiped"):
                await world.net.wipe(("OMS", "RISK")[world.rng.integer(0, 1)])

    async def _strike(self, name: str, process: SimProcess) -> None:
        world, net, faults = self._world, self._world.net, self._world.net.faults
        if net.takes(faults.crash_per_min / 60.0, f"crash.{name}"):
            await asyncio.sleep(world.rng.uniform(0.0, 0.5))
            process.kill()
            world.restart_later(name)
        elif net.takes(faults.partition_per_s, f"E8 partition.{name}"):
            net.partition(name, world.rng.uniform(0.1, 2.0 * faults.partition_s))

    async def _strike_venue(self) -> None:
        world, net, faults = self._world, self._world.net, self._world.net.faults
        if net.takes(faults.venue_deaf_per_s, "venue.deaf"):
            world.truth.deaf_until = world.loop.time() + world.rng.uniform(
                0.5, 2.0 * faults.venue_deaf_s
            )
        if net.takes(faults.correction_per_min / 60.0, "venue.correction"):
            await world.truth.correct()
        if net.takes(faults.overfill_per_min / 60.0, "venue.overfill"):
            await self._accidents.overfill()
        if net.takes(faults.external_per_min / 60.0, "venue.external"):
            await self._accidents.trade_by_hand()
        if net.takes(faults.payment_per_min / 60.0, "venue.payment"):
            await self._accidents.pay()

    async def _keep_backups(self, name: str, per_min: float, counter: str) -> None:
        """Back a service's store up now and then, and put a backup back where the fault says so."""
        world, due = self._world, 0.0
        store, backup = world.home / "db" / f"{name}.sqlite", world.home / f"{name}.backup"
        while per_min > 0.0 and not world.quiet:
            if world.loop.time() >= due and world.processes[name].is_up:
                _remove(backup)
                _copy(store, backup)
                due = world.loop.time() + world.rng.uniform(*_BACKUP_EVERY_S)
            await asyncio.sleep(1.0)
            kept = backup.exists() and not world.quiet
            if kept and world.net.takes(per_min / 60.0, counter):
                await self._restore(name, store, backup)

    async def _restore(self, name: str, store: Path, backup: Path) -> None:
        world = self._world
        world.trace.record(world.loop.time(), "restore", name)
        world.processes[name].kill()
        if name == "oms":
            world.restored = True
            self._restores += 1
        else:
            world.risk_restored = True
            await asyncio.sleep(_APPROVALS_ARE_OVER_S)
        _remove(store)
        _copy(backup, store)
        world.restart_later(name)

    def _set_drifts(self) -> None:
        world = self._world
        most = world.net.faults.clock_drift
        for name in world.processes if most > 0.0 else ():
            rate = world.rng.uniform(-most, most)
            world.net.clock_of(name).drift(rate)
            world.net.counters.hit("I1 clock drifts")
            world.trace.record(world.loop.time(), "drift", name, f"{rate:.6f}")

    def _strike_clocks(self) -> None:
        """Step the wall clock of one process, or of all as on one machine."""
        world, net = self._world, self._world.net
        names = [*world.processes, ""]
        if self._doubts() and net.takes(_STEP_IN_DOUBT * net.faults.clock_step_per_min, _IN_DOUBT):
            chosen = "oms"
        elif net.takes(net.faults.clock_step_per_min / 60.0, "I1 clock steps"):
            chosen = names[world.rng.integer(0, len(names) - 1)]
        else:
            return
        step = world.rng.uniform(-net.faults.clock_step_s, net.faults.clock_step_s)
        world.trace.record(world.loop.time(), "clock", chosen or "all", f"{step:.3f}")
        for name in [chosen] if chosen else [*world.processes]:
            clock = net.clock_of(name)
            clock.step(step)
            world.loop.call_later(world.rng.uniform(*_CLOCK_WRONG_S), clock.set_right)

    def _doubts(self) -> bool:
        """Return whether the OMS does not know the fate of an order."""
        oms = self._world.oms if self._world.processes["oms"].is_up else None
        orders = oms.record.open_orders.values() if oms is not None else ()
        return any(order.status is OrderStatus.UNKNOWN for order in orders)

    async def _drill(self) -> None:
        """Halt something now and then, and resume it."""
        world = self._world
        while not world.quiet:
            await asyncio.sleep(1.0)
            if not world.quiet and world.net.takes(world.net.faults.halt_per_min / 60.0, "halt"):
                await self._halt_for_a_while()

    def drill_soon(self) -> None:
        """Halt something in a moment, as an operator does who has just changed an order."""
        if self._world.net.faults.halt_per_min > 0.0:
            self._halt_soon(_SOON_S, "H3 halt beside a change", _SCOPES)

    def halt_within(self, seconds: float, order: Order) -> None:
        """Halt what an order belongs to before ``seconds`` are over, mostly: its commit stalls."""
        if self._world.rng.random() < _HALTS_IN_A_STALL:
            scopes = (
                ("firm", HaltSeverity.FIRM_HALT),
                (f"strategy:{order.strategy_id}", HaltSeverity.STRATEGY_HALT),
                (f"symbol:{order.symbol}", HaltSeverity.SYMBOL_HALT),
            )
            self._halt_soon(seconds, "H3 halt while a commit stalls", scopes)

    def _halt_soon(self, seconds: float, name: str, scopes: _Scopes) -> None:
        task = asyncio.create_task(self._halt_in_a_moment(seconds, name, scopes))
        self._drills.add(task)
        task.add_done_callback(self._drills.discard)

    async def _halt_in_a_moment(self, seconds: float, name: str, scopes: _Scopes) -> None:
        await asyncio.sleep(self._world.rng.uniform(0.0, seconds))
        if not self._world.quiet:
            self._world.counters.hit(name)
            await self._halt_for_a_while(scopes)

    async def _halt_for_a_while(self, scopes: _Scopes = _SCOPES) -> None:
        world = self._world
        self._halted += 1
        scope, severity = scopes[world.rng.integer(0, len(scopes) - 1)]
        halt = ActiveHalt(
            halt_id=f"drill-{self._halted}",
            scope=scope,
            severity=severity,
            reason="drill",
            requested_by="operator:sim",
            requested_at=world.loop.clock.now(),
            epoch=1,
        )
        resumed = self._resumed[scope]
        if world.rng.random() < 0.5 or not await self._confirmed(halt):
            self._halts.apply(halt)
        # Whoever resumed the scope meanwhile has resumed this halt too, whoever wrote it down.
        if self._resumed[scope] == resumed and not world.quiet:
            world.halt_in_force(scope)
        await asyncio.sleep(world.rng.uniform(0.5, 20.0))
        self._lift(scope)

    async def _confirmed(self, halt: ActiveHalt) -> bool:
        """Ask operations for a halt; return whether it says that the halt is done."""
        try:
            data = await self._bus.request(
                CMD_HALT_REQUEST,
                request_of(halt).model_dump_json().encode(),
                timeout_s=_ANSWERS_WITHIN_S,
            )
        except BusError:
            self._world.counters.hit("H2 operations do not answer a halt")
            return False
        HaltReply.model_validate_json(data)
        self._world.counters.hit("H1 halt by operations")
        return True

    async def _look_after_quarantines(self) -> None:
        """Resume what the OMS had halted: at once when the world is quiet, else some time later."""
        world = self._world
        while True:
            await asyncio.sleep(1.0)
            for halt in self._halts.state().active:
                looked = world.quiet or world.rng.random() < 1.0 / _LOOKS_AFTER_S
                if halt.requested_by == "oms" and looked:
                    world.counters.hit("quarantine resumed")
                    self._lift(halt.scope)

    async def _keep_books(self) -> None:
        """Book what moved the account without an order, until it is booked; all of it after a
        restore, which may have forgotten some. Stock is booked in its order: splits multiply."""
        world, restores, booked = self._world, 0, set[str]()
        while True:
            await asyncio.sleep(1.0)
            if not (world.quiet or world.rng.random() < 1.0 / _LOOKS_AFTER_S):
                continue
            if self._restores != restores:
                restores = self._restores
                booked.clear()
            waits = False
            for one in self._accidents.payments:
                if one.adjustment_id in booked or (waits and one.moves_stock):
                    continue
                if await self._booked(one):
                    booked.add(one.adjustment_id)
                else:
                    waits = waits or one.moves_stock

    async def _booked(self, one: AdjustBooks) -> bool:
        """Sign and send an adjustment; return whether the OMS says that it is booked."""
        signed = sign_adjustment(self._keys, one)
        try:
            data = await self._bus.request(
                CMD_OMS_ADJUST, signed.model_dump_json().encode(), timeout_s=_ANSWERS_WITHIN_S
            )
        except BusError:
            self._world.counters.hit("D9 adjustment not answered, or refused")
            return False
        again = AdjustReply.model_validate_json(data).again
        self._world.counters.hit("D9 adjustment sent again" if again else "D9 adjustment booked")
        return True

    def _lift(self, scope: str) -> None:
        self._world.halted.discard(scope)
        self._resumed[scope] += 1
        with contextlib.suppress(LookupError, OSError):
            self._halts.lift(scope)
        self._world.trace.record(self._world.loop.time(), "resume", scope)


def _copy(source: Path, target: Path) -> None:
    """Copy a store as a snapshot of its disk does: what is committed is in the file or its log."""
    for end in ("", "-wal"):
        kept = source.with_name(source.name + end)
        if kept.exists():
            shutil.copy(kept, target.with_name(target.name + end))


def _remove(store: Path) -> None:
    for old in store.parent.glob(f"{store.name}*"):
        old.unlink()
