"""When something of an order may last have left for the venue, whatever the wall clock does."""

from __future__ import annotations

from datetime import datetime

from mts1b_platform.clock import Clock

__all__ = ["LastActs"]

_MANY = 1024


class LastActs:
    """Tell for how long nothing of an order can have left.

    By the wall clock and by the monotonic one, and the shorter counts: a wall clock that was set
    forward makes a second look like minutes, and a monotonic one says nothing of what a process
    before this one did, only that it had ended when this one began.

    :param lag_s: how long anybody needs to know it, s.
    """

    def __init__(self, clock: Clock, *, lag_s: float) -> None:
        self._clock = clock
        self._lag_s = lag_s
        self._began = clock.monotonic()
        self._acts: dict[str, float] = {}
        self._most = _MANY

    def note(self, order_id: str) -> None:
        """Note that something of an order may leave, or may have arrived, now."""
        now = self._clock.monotonic()
        self._acts[order_id] = now
        if len(self._acts) > self._most:
            self._acts = {name: at for name, at in self._acts.items() if now - at <= self._lag_s}
            self._most = max(_MANY, 2 * len(self._acts))

    def quiet_s(self, order_id: str, recorded: datetime) -> float:
        """Return for how many seconds nothing of an order can have left.

        :param recorded: when it was written ahead of the wire, by the wall clock.
        """
        own = self._clock.monotonic() - self._acts.get(order_id, self._began)
        return min(own, (self._clock.now() - recorded).total_seconds())
