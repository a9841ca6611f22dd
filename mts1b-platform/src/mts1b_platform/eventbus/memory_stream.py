"""A stream of the local bus: its messages in memory, and who waits for them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from mts1b_foundation.nats import StreamSpec, matches

from mts1b_platform.eventbus.port import Consumer

__all__ = ["MemoryStream", "Stored"]

_FAST_KEPT = 100_000
"""How many messages a stream of prices keeps at least: it is in memory, and never ends."""


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as it is kept."""

    sequence: int
    subject: str
    data: bytes
    headers: Mapping[str, str]
    message_id: str


@dataclass(slots=True)
class MemoryStream:
    """The messages of a stream, and who reads it."""

    spec: StreamSpec
    incarnation: str
    window_s: float
    messages: list[Stored] = field(default_factory=list)
    dropped: int = 0
    """How many of the oldest are gone."""
    seen: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)
    consumers: dict[str, Consumer] = field(default_factory=dict)
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def last(self) -> int:
        """Return the sequence of the last message, 0 before the first."""
        return self.dropped + len(self.messages)

    @property
    def first(self) -> int:
        """Return the sequence of the oldest message that is kept."""
        return min(self.dropped + 1, self.last)

    def at(self, sequence: int) -> Stored:
        """Return a message that is kept."""
        return self.messages[sequence - self.dropped - 1]

    def keep(self, message: Stored) -> None:
        """Add a message; a stream of prices lets go of its oldest, many at a time."""
        self.messages.append(message)
        if self.spec.fast and len(self.messages) >= 2 * _FAST_KEPT:
            del self.messages[:_FAST_KEPT]
            self.dropped += _FAST_KEPT

    async def news(self, seconds: float) -> None:
        """Wait until there may be something to fetch, at most so many seconds."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        timer = loop.call_later(seconds, _wake, waiter)
        self.waiting.append(waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self.waiting.remove(waiter)

    def tell(self) -> None:
        """Wake who waits for news."""
        for waiter in self.waiting:
            _wake(waiter)

    def keeps(self, subject: str) -> bool:
        """Return whether a subject is of this stream."""
        return any(matches(pattern, subject) for pattern in self.spec.subjects)
