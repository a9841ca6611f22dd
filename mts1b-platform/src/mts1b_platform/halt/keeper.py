"""Keep a lease alive, and take over the halts that come with each grant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mts1b_foundation.commands import LeaseGrant, LeaseRequest

from mts1b_platform.clock import Clock
from mts1b_platform.eventbus.port import BusError
from mts1b_platform.halt.lease import SendLease
from mts1b_platform.halt.store import HaltStateUnreadable, HaltStore

__all__ = ["LeaseKeeper"]

Ask = Callable[[LeaseRequest], Awaitable[LeaseGrant]]


class LeaseKeeper:
    """Ask for the lease again and again, well before it ends.

    :param ask: sends the request to operations; what it raises as ``BusError`` is silence, and
        silence lets the lease run out.
    :param incarnation: grows with every start of the holder, so that an older one is refused.
    :param every_s: seconds between requests.
    """

    def __init__(
        self,
        ask: Ask,
        lease: SendLease,
        halts: HaltStore,
        *,
        clock: Clock,
        holder: str,
        incarnation: str,
        log: Any,
        every_s: float = 0.5,
    ) -> None:
        self._ask = ask
        self._lease = lease
        self._halts = halts
        self._clock = clock
        self._holder = holder
        self._incarnation = incarnation
        self._log = log
        self._every_s = every_s
        self._silent = False

    async def renew(self) -> bool:
        """Ask once; return whether the lease is valid afterwards."""
        asked_at = self._clock.monotonic()
        try:
            grant = await self._ask(self._request())
        except BusError as error:
            if not self._silent:
                self._log.warning("no lease from operations", error=str(error))
            self._silent = True
            return self._lease.valid()
        self._silent = False
        self._merge(grant)
        self._lease.grant(grant, asked_at=asked_at)
        return self._lease.valid()

    def _request(self) -> LeaseRequest:
        try:
            epoch = self._halts.state().epoch
        except HaltStateUnreadable:
            epoch = 0
        return LeaseRequest(holder=self._holder, incarnation=self._incarnation, epoch=epoch)

    def _merge(self, grant: LeaseGrant) -> None:
        """Put halts in force that this machine's record does not have."""
        try:
            state = self._halts.state()
            known = {halt.halt_id for halt in state.active} | set(state.lifted)
            for halt in grant.active:
                if halt.halt_id not in known:
                    self._halts.apply(halt)
        except HaltStateUnreadable:
            return  # everything is halted here already

    async def run(self) -> None:
        """Renew until cancelled."""
        while True:
            await self.renew()
            await self._clock.sleep(self._every_s)
