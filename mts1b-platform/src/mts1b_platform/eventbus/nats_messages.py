"""What arrives over NATS: messages, and the reader of one stream."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeout
from nats.js import JetStreamContext

from mts1b_platform.eventbus.port import BusError, Message, dead_letter_subject

__all__ = [
    "MESSAGE_ID",
    "NO_HEADERS",
    "NatsConsumer",
    "NatsFollower",
    "NatsMessage",
    "as_header",
]

MESSAGE_ID = "Nats-Msg-Id"
NO_HEADERS: Mapping[str, str] = {}

_ENDED_S = 0.1
"""How soon a reader whose follower has ended asks for another one."""
_MOST_MESSAGES = 10_000
_MOST_BYTES = 64_000_000
"""What waits in memory for a reader that is behind; the stream keeps the rest."""


def as_header(message_id: str) -> str:
    """Return an id as a header may say it: one line of plain characters, whatever the id is."""
    plain = message_id.isascii() and message_id.isprintable()
    if plain and "%" not in message_id and message_id == message_id.strip():
        return message_id
    return quote(message_id, safe="")


Publish = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]


@dataclass(slots=True)
class NatsMessage:
    """One message, as the port describes it."""

    raw: Msg
    subject: str
    data: bytes
    headers: Mapping[str, str]
    message_id: str | None = None
    stream: str | None = None
    sequence: int | None = None
    deliveries: int = 1
    settled: bool = False

    async def ack(self) -> None:
        """Say that the effect is on record."""
        if not self.settled:
            await self.raw.ack()

    async def nak(self, delay_s: float | None = None) -> None:
        """Ask for redelivery, after ``delay_s`` where given."""
        await self.raw.nak(delay=delay_s)

    async def in_progress(self) -> None:
        """Ask for more time."""
        await self.raw.in_progress()

    async def term(self) -> None:
        """Give up on the message."""
        await self.raw.term()

    @classmethod
    def core(cls, raw: Msg) -> NatsMessage:
        """Wrap a message that no stream delivered."""
        headers = raw.headers or NO_HEADERS
        said = headers.get(MESSAGE_ID)
        message_id = unquote(said) if said is not None and "%" in said else said
        return cls(raw, raw.subject, raw.data, headers, message_id)

    @classmethod
    def stored(cls, raw: Msg) -> NatsMessage:
        """Wrap a message that a stream delivered."""
        message = cls.core(raw)
        meta = raw.metadata
        message.stream = meta.stream
        message.sequence = meta.sequence.stream
        message.deliveries = meta.num_delivered or 1
        return message


class NatsConsumer:
    """Read one stream through a durable pull consumer.

    :param publish: sends to the dead letters.
    """

    def __init__(
        self,
        publish: Publish,
        pull: JetStreamContext.PullSubscription,
        stream: str,
        durable: str,
        max_deliver: int,
    ) -> None:
        self._publish = publish
        self._pull = pull
        self._stream = stream
        self._durable = durable
        self._max_deliver = max_deliver

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Message]:
        """Return up to ``max_messages`` as soon as any are there; [] on time-out."""
        try:
            raw = await self._pull.fetch(max_messages, timeout=timeout_s)
        except (NatsTimeout, TimeoutError):
            return []
        except NatsError as error:
            raise BusError(f"stream {self._stream}: {error}") from error
        kept: list[Message] = []
        for item in raw:
            message = NatsMessage.stored(item)
            if message.deliveries > self._max_deliver:
                await self._bury(message)
            else:
                kept.append(message)
        return kept

    async def _bury(self, message: NatsMessage) -> None:
        headers = {"mts-subject": message.subject, "mts-sequence": str(message.sequence)}
        subject = dead_letter_subject(self._stream, self._durable)
        await self._publish(subject, message.data, headers)
        await message.term()

    async def close(self) -> None:
        """Stop reading; the durable position stays."""
        with contextlib.suppress(NatsError):
            await self._pull.unsubscribe()


class NatsFollower:
    """Read one stream as the server pushes it, each message once, without acknowledgements.

    A server that restarts forgets its followers: then nothing more comes, and the reader, which
    knows how far the stream should be, asks for a new one. What was on the wire when a connection
    broke is lost and not sent again: a follower ends before the first message that it lacks. It
    also ends where the server is too far ahead of the reader for all of it to wait here.
    """

    def __init__(self) -> None:
        self.subscription: Subscription | None = None
        self._waiting: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._taken = 0
        self._bytes = 0
        self._ended = False

    async def take(self, raw: Msg) -> None:
        """Keep one pushed message until it is fetched, unless one before it is missing."""
        full = len(self._waiting) >= _MOST_MESSAGES or self._bytes >= _MOST_BYTES
        if self._ended or full or raw.metadata.sequence.consumer != self._taken + 1:
            self._ended = True
            return
        self._taken += 1
        self._bytes += len(raw.data)
        message = NatsMessage.stored(raw)
        message.settled = True
        self._waiting.append(message)
        self._arrived.set()

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Message]:
        """Return up to ``max_messages`` as soon as any are there; [] on time-out."""
        if self._ended:
            await self.close()  # so that the server sends no more of what is thrown away
        if not self._waiting:
            self._arrived.clear()
            patience_s = min(timeout_s, _ENDED_S) if self._ended else timeout_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._arrived.wait()
        count = min(max_messages, len(self._waiting))
        taken = [self._waiting.popleft() for _ in range(count)]
        self._bytes -= sum(len(message.data) for message in taken)
        return taken

    async def close(self) -> None:
        """Stop reading."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()
