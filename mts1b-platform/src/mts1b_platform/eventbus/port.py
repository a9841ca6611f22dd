"""The bus as services see it. Two implementations keep one contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mts1b_foundation.nats import StreamSpec

__all__ = [
    "BusError",
    "Consumer",
    "EventBus",
    "Message",
    "MessageHandler",
    "NoResponders",
    "NotPermitted",
    "PublishAck",
    "RemoteError",
    "RequestHandler",
    "RequestTimeout",
    "StreamInfo",
    "StreamMissing",
    "Subscription",
    "dead_letter_subject",
]


class BusError(Exception):
    """The bus could not do what was asked; what became of it may be unknown."""


class RequestTimeout(BusError):
    """No reply came in time. The request may or may not have been carried out."""


class NoResponders(BusError):
    """Nobody serves the subject; the request was not carried out."""


class NotPermitted(BusError):
    """The server does not let us publish on the subject; nothing was sent to anybody."""


class StreamMissing(BusError):
    """The stream does not exist."""


class RemoteError(BusError):
    """The other side refused or failed; ``code`` is for programs, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class PublishAck:
    """The stream has stored a message; ``duplicate`` when it already had its id."""

    stream: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """State of a stream; ``incarnation`` changes when the stream is made anew."""

    name: str
    incarnation: str
    first_sequence: int
    last_sequence: int


class Message(Protocol):
    """One delivered message. Only messages of a consumer can be acknowledged."""

    @property
    def subject(self) -> str:
        """Return the subject that it was published on."""
        ...

    @property
    def data(self) -> bytes:
        """Return the payload."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers; empty when there are none."""
        ...

    @property
    def message_id(self) -> str | None:
        """Return the stable id that the publisher gave."""
        ...

    @property
    def stream(self) -> str | None:
        """Return the stream, or None for a core message."""
        ...

    @property
    def sequence(self) -> int | None:
        """Return the sequence in the stream, or None for a core message."""
        ...

    @property
    def deliveries(self) -> int:
        """Return how often it has been delivered, this time included."""
        ...

    async def ack(self) -> None:
        """Say that the effect is on record."""
        ...

    async def nak(self, delay_s: float | None = None) -> None:
        """Ask for redelivery, after ``delay_s`` where given."""
        ...

    async def in_progress(self) -> None:
        """Ask for more time."""
        ...

    async def term(self) -> None:
        """Give up on the message; it is not delivered again."""
        ...


MessageHandler = Callable[[Message], Awaitable[None]]
RequestHandler = Callable[[bytes], Awaitable[bytes]]


class Subscription(Protocol):
    """A running subscription."""

    async def unsubscribe(self) -> None:
        """Stop receiving."""
        ...


class Consumer(Protocol):
    """A durable reader of one stream."""

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Message]:
        """Return up to ``max_messages``, as soon as any are there; [] on time-out.

        A message that is not acknowledged within the ack wait comes again. After
        ``max_deliver`` deliveries it goes to ``mts.dead.<stream>.<durable>`` instead.
        """
        ...

    async def close(self) -> None:
        """Stop reading; the durable position stays."""
        ...


@runtime_checkable
class EventBus(Protocol):
    """Publish, subscribe, request and keep streams."""

    @property
    def name(self) -> str:
        """Return the kind of bus: ``nats`` or ``local``."""
        ...

    @property
    def connected(self) -> bool:
        """Return whether messages can be sent now."""
        ...

    async def publish(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send to who listens now; at most once."""
        ...

    async def publish_durable(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> PublishAck:
        """Store on the stream of ``subject``; the same ``message_id`` is stored once.

        :raises StreamMissing: when no stream keeps the subject.
        :raises BusError: when it is unknown whether it is stored; try again with the same id.
        """
        ...

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue: str | None = None
    ) -> Subscription:
        """Call ``handler`` for each message, in order; one member of a ``queue`` gets each."""
        ...

    async def serve(
        self, subject: str, handler: RequestHandler, *, queue: str | None = None
    ) -> Subscription:
        """Answer requests, concurrently. A handler that raises makes the requester raise
        :class:`RemoteError`, with the exception's ``code`` attribute or its class name."""
        ...

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Ask and return the reply.

        :raises NoResponders: when nobody serves the subject.
        :raises RequestTimeout: when no reply came in time.
        :raises RemoteError: when the handler raised.
        """
        ...

    async def ensure_stream(self, spec: StreamSpec, *, duplicate_window_s: float = 120.0) -> None:
        """Create the stream, or update its subjects."""
        ...

    async def stream_info(self, stream: str) -> StreamInfo:
        """Return the state of a stream.

        :raises StreamMissing: when it does not exist.
        """
        ...

    async def consumer(
        self,
        stream: str,
        durable: str,
        *,
        start_sequence: int | None = None,
        acknowledge: bool = True,
        ack_wait_s: float = 30.0,
        max_deliver: int = 5,
    ) -> Consumer:
        """Return the durable consumer, creating it at the start of the stream.

        With ``start_sequence`` the durable is made anew to begin there: a reader whose own
        store is the record does not wait for what a dead predecessor left unacknowledged. Such
        a reader needs no acknowledgements either: without ``acknowledge`` each message is
        delivered once, and its ``ack`` does nothing.
        """
        ...

    async def close(self) -> None:
        """Flush, then disconnect."""
        ...


def dead_letter_subject(stream: str, durable: str) -> str:
    """Return where messages go that could not be processed."""
    return f"mts.dead.{stream}.{durable}"
