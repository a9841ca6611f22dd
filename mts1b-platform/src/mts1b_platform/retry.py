"""Try again what may succeed later: bounded, with jitter, on the injected clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from mts1b_platform.clock import Clock
from mts1b_platform.rng import Rng

__all__ = ["RetryPolicy", "retry"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Say how often, how far apart and for how long.

    The n-th wait is drawn from [0, min(cap_s, base_s * 2**n)]: full jitter, which spreads
    clients that failed together (Brooker, "Exponential Backoff And Jitter", AWS 2015).

    :param attempts: at most this many calls, the first included.
    :param budget_s: no new call begins after this many seconds; None: no limit.
    """

    attempts: int = 5
    base_s: float = 0.1
    cap_s: float = 5.0
    budget_s: float | None = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_s <= 0 or self.cap_s < self.base_s:
            raise ValueError(
                f"retry policy needs attempts >= 1 and 0 < base_s <= cap_s, got {self}"
            )

    def ceiling(self, failures: int) -> float:
        """Return the longest wait after ``failures`` failures, in seconds."""
        return float(min(self.cap_s, self.base_s * 2.0 ** min(failures, 60)))


async def retry(
    operation: Callable[[], Awaitable[T]],
    *,
    on: tuple[type[Exception], ...],
    clock: Clock,
    rng: Rng,
    policy: RetryPolicy | None = None,
) -> T:
    """Call ``operation`` until it returns; raise its own error when attempts or time run out.

    Only for what may safely happen twice: a submit without an idempotency key may not.

    :param on: errors that may pass; any other is raised at once.
    """
    rule = policy or RetryPolicy()
    begun = clock.monotonic()

    def wait(state: RetryCallState) -> float:
        return rng.uniform(0.0, rule.ceiling(state.attempt_number - 1))

    def stop(state: RetryCallState) -> bool:
        waited = clock.monotonic() - begun + state.upcoming_sleep
        late = rule.budget_s is not None and waited >= rule.budget_s
        return late or state.attempt_number >= rule.attempts

    attempts = AsyncRetrying(
        sleep=clock.sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception_type(on),
        reraise=True,
    )
    return await attempts(operation)
