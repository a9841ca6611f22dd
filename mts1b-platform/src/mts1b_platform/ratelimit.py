"""Keep below a venue's message limit: a leaky bucket with a stated burst."""

from __future__ import annotations

from types import TracebackType

from aiolimiter import AsyncLimiter

__all__ = ["RateLimiter"]


class RateLimiter:
    """Let ``rate_per_s`` units pass, at most ``burst`` of them at once.

    Use it as ``async with limiter:`` for one unit, or :meth:`acquire` for a weighted call. Time
    is that of the running event loop.

    :param burst: units that may pass together after a pause; one second's worth by default.
    """

    def __init__(self, rate_per_s: float, *, burst: float | None = None) -> None:
        size = max(rate_per_s, 1.0) if burst is None else burst
        if rate_per_s <= 0 or size < 1:
            raise ValueError(
                f"a rate limit needs rate_per_s > 0 and burst >= 1, got {rate_per_s} and {size}"
            )
        self.rate_per_s = rate_per_s
        self.burst = size
        self._bucket = AsyncLimiter(size, size / rate_per_s)

    async def acquire(self, weight: float = 1.0) -> None:
        """Return when ``weight`` units may pass.

        :raises ValueError: when ``weight`` is above the burst, so that it could never pass.
        """
        if not 0 <= weight <= self.burst:
            raise ValueError(f"weight {weight} never fits a burst of {self.burst}")
        await self._bucket.acquire(weight)

    async def try_acquire(self, weight: float = 1.0) -> bool:
        """Take ``weight`` units if they may pass now; return whether."""
        if not self._bucket.has_capacity(weight):
            return False
        await self._bucket.acquire(weight)
        return True

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None
