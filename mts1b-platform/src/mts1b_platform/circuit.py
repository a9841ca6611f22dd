"""Stop calling what keeps failing, and try it again after a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

from mts1b_platform.clock import Clock
from mts1b_platform.errors import RetryLater

__all__ = ["CircuitBreaker", "CircuitOpen", "CircuitState"]


class CircuitState(StrEnum):
    """Say whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitOpen(RetryLater):
    """The call was not made; ``retry_after_s`` says when one may be."""

    code = "CIRCUIT_OPEN"

    def __init__(self, name: str, failures: int, retry_after_s: float) -> None:
        super().__init__(
            f"{name} failed {failures} times in a row and is left alone; "
            f"try again in {retry_after_s:.1f} s"
        )
        self.retry_after_s = retry_after_s


class CircuitBreaker:
    """Count failures in a row of one dependency (Nygard, "Release It!", 2007, chapter 5).

    closed -> open after ``threshold`` failures in a row; open -> half open after ``reset_after_s``;
    half open lets one call pass: success closes, failure opens again.

    :param failures: the errors that count; any other passes through and counts as an answer.
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        failures: tuple[type[Exception], ...],
        threshold: int = 5,
        reset_after_s: float = 30.0,
    ) -> None:
        if threshold < 1 or reset_after_s <= 0:
            raise ValueError(
                f"breaker {name} needs threshold >= 1 and reset_after_s > 0, "
                f"got {threshold} and {reset_after_s}"
            )
        self.name = name
        self._clock = clock
        self._counted = failures
        self._threshold = threshold
        self._reset_after_s = reset_after_s
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> CircuitState:
        """Return the state now."""
        if self._opened_at is None:
            return CircuitState.CLOSED
        return CircuitState.HALF_OPEN if self._left() <= 0 else CircuitState.OPEN

    def _left(self) -> float:
        opened = self._opened_at if self._opened_at is not None else 0.0
        return opened + self._reset_after_s - self._clock.monotonic()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Guard one call: ``async with breaker.call(): ...``.

        :raises CircuitOpen: when the call may not be made.
        """
        trial = self.state is CircuitState.HALF_OPEN
        if self.state is CircuitState.OPEN or (trial and self._trying):
            raise CircuitOpen(self.name, self._failures, max(self._left(), 0.0))
        self._trying = self._trying or trial
        try:
            yield
        except self._counted:
            self._failed()
            raise
        else:
            self._failures, self._opened_at = 0, None
        finally:
            if trial:
                self._trying = False

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= self._threshold:
            self._opened_at = self._clock.monotonic()
