"""Give senders the right to send, two seconds at a time."""

from __future__ import annotations

from collections.abc import Callable

from mts1b_foundation.commands import LeaseGrant, LeaseRequest
from mts1b_platform.halt import HaltStateUnreadable, HaltStore
from mts1b_platform.ids import derive_id

__all__ = ["LEASE_S", "LeaseOffice"]

LEASE_S = 2.0
"""How long a sender may go on without hearing from operations."""


class LeaseOffice:
    """Grant leases while the halt record can be read.

    Of one holder the newest incarnation alone gets a lease: a process that was frozen and comes
    back after its successor has started gets none. Incarnations are compared as texts.

    :param sound: whether the audit log is written to; while it is not, nobody gets a lease.
    """

    def __init__(
        self,
        halts: HaltStore,
        *,
        seconds: float = LEASE_S,
        sound: Callable[[], bool] = lambda: True,
    ) -> None:
        self._halts = halts
        self._seconds = seconds
        self._sound = sound
        self._newest: dict[str, str] = {}

    def grant(self, request: LeaseRequest) -> LeaseGrant:
        """Return the lease, with the halts in force; ``lease_id`` is None where it is refused."""
        try:
            state = self._halts.state()
        except HaltStateUnreadable:
            return LeaseGrant(epoch=request.epoch)
        newest = self._newest.setdefault(request.holder, request.incarnation)
        if request.incarnation < newest or not self._sound():
            return LeaseGrant(epoch=state.epoch, active=state.active)
        self._newest[request.holder] = request.incarnation
        return LeaseGrant(
            lease_id=derive_id("lease", request.holder, request.incarnation),
            seconds=self._seconds,
            epoch=state.epoch,
            active=state.active,
        )
