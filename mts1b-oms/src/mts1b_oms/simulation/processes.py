"""What of the simulated processes is not the service itself: failing stores, and operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mts1b_foundation.commands import HaltReply, LeaseGrant, LeaseRequest
from mts1b_foundation.nats import CMD_HALT_LEASE, CMD_HALT_REQUEST
from mts1b_foundation.risk import HaltRequest
from mts1b_operations.halt_record import halt_of, put_in_force
from mts1b_operations.lease import LEASE_S, LeaseOffice
from mts1b_platform.halt import HaltStore
from mts1b_platform.service.base import Service, ServiceContext
from mts1b_platform.simulation import SimNet
from mts1b_platform.store import Store, StoreError
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.gate import ReconciliationGate

__all__ = ["FaultyStore", "Operations", "WatchedGate"]


class FaultyStore(Store):
    """A store whose commit may fail, and leave nothing of the transaction, or a doubt."""

    net: SimNet
    stalled: Callable[[str, float], None] = staticmethod(lambda name, seconds: None)
    """Called with the store's name and for how many seconds a commit stalls."""
    committed: Callable[[], object] = staticmethod(lambda: None)
    """Called after each commit: what a service knows changes right after one, and only then."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction whose commit may come late, or not at all.

        :raises StoreError: where the disk is full, and nothing is kept; or where it fails, and
            only a process that opens the store anew knows what is.
        """
        kept = False
        async with super().transaction() as tx:
            yield tx
            if self.net.takes(self.net.faults.store_slow, "store.slow_commit"):
                seconds = self.net.rng.uniform(0.0, self.net.faults.store_slow_s)
                self.stalled(self.name, seconds)
                await asyncio.sleep(seconds)
            if self.net.takes(self.net.faults.store_error, "F1 commit failed"):
                raise StoreError(f"store {self.name}: no space left on device")
            if self.net.takes(self.net.faults.store_doubt, "F2 commit in doubt"):
                kept = self.net.rng.random() < 0.5
                if not kept:
                    self._fail()
        if kept:
            try:
                self._fail()
            finally:
                self._tell_doubt()
        self.committed()

    def _fail(self) -> None:
        self._backend.in_doubt = True
        raise StoreError(f"store {self.name}: disk I/O error")


class WatchedGate(ReconciliationGate):
    """A gate of which the world knows by itself since when it was told to be closed.

    :param time: seconds of the world.
    """

    def __init__(self, time: Callable[[], float]) -> None:
        super().__init__()
        self._time = time
        self._closed_at: float | None = time()

    @property
    def closed_s(self) -> float:
        """Return for how long it was told to be closed without a break, s; 0 when opened."""
        return 0.0 if self._closed_at is None else self._time() - self._closed_at

    def open(self) -> None:
        """Let orders pass."""
        self._closed_at = None
        super().open()

    def close(self, reason: str) -> None:
        """Hold every order."""
        if self._closed_at is None:
            self._closed_at = self._time()
        super().close(reason)


class Operations(Service):
    """What of operations the order path needs: leases, and halts on the durable record."""

    name = "operations"

    def __init__(
        self,
        ctx: ServiceContext,
        granted: Callable[[float], None],
        halted: Callable[[str], None],
    ) -> None:
        super().__init__(ctx)
        self._granted = granted
        self._halted = halted

    async def start(self) -> None:
        """Serve both."""
        self._halts = HaltStore(self.ctx.home / "halt")
        self._office = LeaseOffice(self._halts)
        await self.ctx.serve_model(CMD_HALT_LEASE, LeaseRequest, self._lease)
        await self.ctx.serve_model(CMD_HALT_REQUEST, HaltRequest, self._halt)

    async def _lease(self, request: LeaseRequest) -> LeaseGrant:
        grant = self._office.grant(request)
        if grant.lease_id is not None:
            self._granted(LEASE_S)
        return grant

    async def _halt(self, request: HaltRequest) -> HaltReply:
        active, created = put_in_force(self._halts, halt_of(request, self.ctx.clock.now()))
        if active is not None:
            self._halted(active.scope)
        return HaltReply(active=active, created=created, epoch=self._halts.state().epoch)

    async def stop(self) -> None:
        """Nothing is open."""
