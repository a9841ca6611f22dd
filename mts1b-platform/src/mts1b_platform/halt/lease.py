"""The right to send, for a moment: who hears nothing from operations stops sending."""

from __future__ import annotations

from typing import Self

from mts1b_foundation.commands import LeaseGrant

from mts1b_platform.clock import Clock

__all__ = ["SendLease"]


class SendLease:
    """What a sender holds. It ends by the monotonic clock, whatever becomes of the wall clock.

    The time of a grant counts from when it was ASKED for: a reply that was long on its way is not
    good for longer.

    :param clock: None for a lease that never ends, as in a replay and in a backtest.
    """

    def __init__(self, clock: Clock | None) -> None:
        self._clock = clock
        self._id: str | None = None
        self._ends = float("-inf")

    @classmethod
    def unlimited(cls) -> Self:
        """Return a lease that is always valid and has no id."""
        return cls(None)

    @property
    def current(self) -> str:
        """Return the id that approvals are bound to; empty for an unlimited or missing lease."""
        return self._id or ""

    def valid(self) -> bool:
        """Return whether an order may leave now. Reads no network and awaits nothing."""
        return self._clock is None or self._clock.monotonic() < self._ends

    def grant(self, grant: LeaseGrant, *, asked_at: float) -> None:
        """Take a grant that was asked for at the monotonic time ``asked_at``.

        A refusal ends the lease at once. A grant never shortens one of the same id.
        """
        if grant.lease_id is None:
            self.drop()
            return
        ends = asked_at + grant.seconds
        self._ends = max(self._ends, ends) if grant.lease_id == self._id else ends
        self._id = grant.lease_id

    def drop(self) -> None:
        """End the lease now."""
        self._id, self._ends = None, float("-inf")

    def left_s(self) -> float:
        """Return the seconds that are left; zero when it has ended."""
        if self._clock is None:
            return float("inf")
        return max(0.0, self._ends - self._clock.monotonic())
