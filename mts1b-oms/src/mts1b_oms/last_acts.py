"""When something of an order may last have left for the venue, whatever the wall clock does."""

from __future__ import annotations

from mts1b_platform.clock import Clock

__all__ = ["LastActs"]

_MANY = 1024


class LastActs:
    """Tell for how long nothing of an order can have left.

    By the monotonic clock alone: a wall clock that was set forward makes a second look like
    minutes, and one that was set back makes nobody wait for it to catch up. Of what a process
    before this one did it is known that it had ended when this one began. What this one does for
    an order it does under the lock of the order's key, so who asks meanwhile waits.

    :param lag_s: how long anybody needs to know it, s.
    """

    def __init__(self, clock: Clock, *, lag_s: float) -> None:
        self._clock = clock
        self._lag_s = lag_s
        self._began = clock.monotonic()
        self._acts: dict[str, float] = {}
        self._most = _MANY

    @property
    def age_s(self) -> float:
        """Return for how many seconds nothing of a process before this one can have left."""
        return self._clock.monotonic() - self._began

    def note(self, order_id: str) -> None:
        """Note that something of an order may leave, or may have arrived, now."""
        now = self._clock.monotonic()
        self._acts[order_id] = now
        if len(self._acts) > self._most:
            self._acts = {name: at for name, at in self._acts.items() if now - at <= self._lag_s}
            self._most = max(_MANY, 2 * len(self._acts))

    def noted(self, order_id: str) -> bool:
        """Return whether this process may have sent anything of an order lately."""
        return order_id in self._acts

    def quiet_s(self, order_id: str) -> float:
        """Return for how many seconds nothing of an order can have left."""
        return self._clock.monotonic() - self._acts.get(order_id, self._began)
