"""The bus inside one process: deterministic, with the delivery rules of the real one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from mts1b_foundation.nats import StreamSpec, matches

from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.eventbus.memory_stream import MemoryStream, Stored
from mts1b_platform.eventbus.port import (
    BusError,
    Consumer,
    Message,
    MessageHandler,
    NoResponders,
    PublishAck,
    RequestHandler,
    RequestTimeout,
    StreamInfo,
    StreamMissing,
    Subscription,
    dead_letter_subject,
)
from mts1b_platform.ids import Ids, SystemIds
from mts1b_platform.supervision import answer, hand_over

__all__ = ["LocalBus"]

_EMPTY: Mapping[str, str] = {}


@dataclass(slots=True)
class _LocalMessage:
    subject: str
    data: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    message_id: str | None = None
    stream: str | None = None
    sequence: int | None = None
    deliveries: int = 1
    owner: _LocalConsumer | None = None

    def _consumer(self) -> _LocalConsumer:
        if self.owner is None:
            raise BusError(f"message on {self.subject} is not of a consumer: nothing to ack")
        return self.owner

    async def ack(self) -> None:
        self._consumer().settle(self.sequence or 0)

    async def nak(self, delay_s: float | None = None) -> None:
        self._consumer().return_after(self.sequence or 0, delay_s or 0.0)

    async def in_progress(self) -> None:
        consumer = self._consumer()
        consumer.return_after(self.sequence or 0, consumer.ack_wait_s)

    async def term(self) -> None:
        self._consumer().settle(self.sequence or 0)


class _LocalConsumer:
    """Deliver a stream's messages until each is settled."""

    def __init__(
        self,
        bus: LocalBus,
        stream: MemoryStream,
        durable: str,
        *,
        next_sequence: int,
        acknowledge: bool,
        ack_wait_s: float,
        max_deliver: int,
    ) -> None:
        self._bus = bus
        self._stream = stream
        self._durable = durable
        self._next = next_sequence
        self._acknowledge = acknowledge
        self._max_deliver = max_deliver
        self._waiting: dict[int, tuple[float, int]] = {}  # sequence -> (due, deliveries so far)
        self.ack_wait_s = ack_wait_s

    def settle(self, sequence: int) -> None:
        self._waiting.pop(sequence, None)

    def return_after(self, sequence: int, seconds: float) -> None:
        if sequence in self._waiting:
            _, deliveries = self._waiting[sequence]
            self._waiting[sequence] = (self._bus.clock.monotonic() + seconds, deliveries)
            self._stream.tell()

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Message]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            ready = await self._take(max_messages)
            if ready:
                return ready
            left = deadline - loop.time()
            if left <= 0:
                return []
            wait = min(left, max(self._next_redelivery(), 0.0005))
            await self._stream.news(wait)

    def _next_redelivery(self) -> float:
        if not self._waiting:
            return 3600.0
        now = self._bus.clock.monotonic()
        return min(due - now for due, _ in self._waiting.values())

    async def _take(self, limit: int) -> list[Message]:
        stream = self._stream
        self._next = max(self._next, stream.dropped + 1)
        if not self._waiting and self._next > stream.last:
            return []
        now = self._bus.clock.monotonic()
        if stream.dropped:
            for gone in [sequence for sequence in self._waiting if sequence <= stream.dropped]:
                self.settle(gone)
        due = sorted(seq for seq, (when, _) in self._waiting.items() if when <= now)
        fresh = range(self._next, stream.last + 1)
        taken: list[Message] = []
        for sequence in itertools.chain(due, fresh):
            if len(taken) >= limit:
                break
            _, before = self._waiting.get(sequence, (0.0, 0))
            self._next = max(self._next, sequence + 1)
            if before >= self._max_deliver:
                await self._bury(sequence)
                continue
            if self._acknowledge:
                self._waiting[sequence] = (now + self.ack_wait_s, before + 1)
            taken.append(self._message(sequence, before + 1))
        return taken

    def _message(self, sequence: int, deliveries: int) -> _LocalMessage:
        stored = self._stream.at(sequence)
        return _LocalMessage(
            subject=stored.subject,
            data=stored.data,
            headers=stored.headers,
            message_id=stored.message_id,
            stream=self._stream.spec.name,
            sequence=sequence,
            deliveries=deliveries,
            owner=self,
        )

    async def _bury(self, sequence: int) -> None:
        self.settle(sequence)
        stored = self._stream.at(sequence)
        subject = dead_letter_subject(self._stream.spec.name, self._durable)
        headers = {"mts-subject": stored.subject, "mts-sequence": str(sequence)}
        await self._bus.publish(subject, stored.data, headers=headers)

    async def close(self) -> None:
        """Keep the durable position; there is nothing to release."""


class _LocalSubscription:
    """Deliver to one handler, in order."""

    def __init__(
        self, bus: LocalBus, subject: str, handler: MessageHandler, queue: str | None
    ) -> None:
        self.subject = subject
        self.queue = queue
        self._bus = bus
        self._handler = handler
        self._inbox: asyncio.Queue[_LocalMessage] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    def put(self, message: _LocalMessage) -> None:
        self._inbox.put_nowait(message)

    async def _run(self) -> None:
        while True:
            await hand_over(self._handler, await self._inbox.get())

    async def unsubscribe(self) -> None:
        self.end()

    def end(self) -> None:
        self._bus.forget(self)
        self._task.cancel()


class _LocalServer:
    def __init__(self, bus: LocalBus, subject: str, handler: RequestHandler) -> None:
        self.subject = subject
        self.handler = handler
        self._bus = bus

    async def unsubscribe(self) -> None:
        self._bus.forget_server(self)


class LocalBus:
    """Connect the services of one process.

    Streams live in memory: the stores stay the record, and after a restart the outbox relays
    fill the streams again.

    :param clock: decides ack waits and the duplicate window.
    :param ids: names the incarnation of each stream.
    """

    name = "local"

    def __init__(self, *, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.clock = clock or SystemClock()
        self._ids = ids or SystemIds()
        self._streams: dict[str, MemoryStream] = {}
        self._kept_by: dict[str, str] = {}
        self._subscriptions: list[_LocalSubscription] = []
        self._servers: list[_LocalServer] = []
        self._turn = itertools.count()
        self._running: set[asyncio.Task[bytes]] = set()
        self._open = True

    @property
    def connected(self) -> bool:
        """Return whether the bus is open."""
        return self._open

    def _require_open(self) -> None:
        if not self._open:
            raise BusError("the local bus is closed")

    async def publish(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send to who listens now."""
        self._require_open()
        self._deliver(_LocalMessage(subject, data, headers or _EMPTY))

    def _deliver(self, message: _LocalMessage) -> None:
        groups: dict[str, list[_LocalSubscription]] = {}
        for subscription in self._subscriptions:
            if not matches(subscription.subject, message.subject):
                continue
            if subscription.queue is None:
                subscription.put(message)
            else:
                groups.setdefault(subscription.queue, []).append(subscription)
        for members in groups.values():
            members[next(self._turn) % len(members)].put(message)

    async def publish_durable(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> PublishAck:
        """Store on the stream of ``subject``, once per ``message_id`` within the window."""
        self._require_open()
        stream = self._keeping(subject)
        now = self.clock.monotonic()
        while stream.seen and next(iter(stream.seen.values()))[1] <= now - stream.window_s:
            stream.seen.popitem(last=False)
        if message_id in stream.seen:
            return PublishAck(stream.spec.name, stream.seen[message_id][0], duplicate=True)
        sequence = stream.last + 1
        kept = Stored(sequence, subject, data, headers or _EMPTY, message_id)
        stream.keep(kept)
        stream.seen[message_id] = (sequence, now)
        stream.tell()
        self._deliver(
            _LocalMessage(subject, data, kept.headers, message_id, stream.spec.name, sequence)
        )
        return PublishAck(stream.spec.name, sequence, duplicate=False)

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue: str | None = None
    ) -> Subscription:
        """Call ``handler`` for each message, in order."""
        self._require_open()
        subscription = _LocalSubscription(self, subject, handler, queue)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: _LocalSubscription) -> None:
        """Drop a subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def drop(self, subscription: Subscription) -> None:
        """End a subscription at once, without waiting for what its handler does."""
        if isinstance(subscription, _LocalSubscription):
            subscription.end()

    def wipe(self, stream: str) -> None:
        """Empty a stream and make it anew, as a server does that has lost its disk."""
        old = self._stream(stream)
        self._streams[stream] = MemoryStream(old.spec, self._ids.new("stream"), old.window_s)
        self._kept_by.clear()
        old.tell()

    def forget_id(self, subject: str, message_id: str) -> None:
        """Forget that a message was seen, as a stream does after its window for duplicates."""
        self._keeping(subject).seen.pop(message_id, None)

    def forget_server(self, server: _LocalServer) -> None:
        """Drop a request handler."""
        if server in self._servers:
            self._servers.remove(server)

    async def serve(
        self, subject: str, handler: RequestHandler, *, queue: str | None = None
    ) -> Subscription:
        """Answer requests; several servers of one subject take turns."""
        self._require_open()
        server = _LocalServer(self, subject, handler)
        self._servers.append(server)
        return server

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Ask one server of ``subject``; a request that timed out may still be carried out."""
        self._require_open()
        able = [server for server in self._servers if matches(server.subject, subject)]
        if not able:
            raise NoResponders(f"nobody serves {subject}")
        chosen = able[next(self._turn) % len(able)]
        task = asyncio.create_task(answer(chosen.handler, data))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if not done:
            raise RequestTimeout(f"no reply on {subject} within {timeout_s} s")
        return task.result()

    async def ensure_stream(self, spec: StreamSpec, *, duplicate_window_s: float = 120.0) -> None:
        """Create the stream, or update its subjects."""
        known = self._streams.get(spec.name)
        if known is None:
            self._streams[spec.name] = MemoryStream(
                spec, self._ids.new("stream"), duplicate_window_s
            )
        else:
            known.spec = spec
        self._kept_by.clear()

    def _keeping(self, subject: str) -> MemoryStream:
        name = self._kept_by.get(subject)
        if name is None:
            found = next((s for s in self._streams.values() if s.keeps(subject)), None)
            if found is None:
                raise StreamMissing(f"no stream keeps {subject}")
            name = self._kept_by[subject] = found.spec.name
        return self._streams[name]

    def _stream(self, name: str) -> MemoryStream:
        try:
            return self._streams[name]
        except KeyError:
            raise StreamMissing(f"no stream {name}") from None

    async def stream_info(self, stream: str) -> StreamInfo:
        """Return the state of a stream."""
        found = self._stream(stream)
        return StreamInfo(stream, found.incarnation, found.first, found.last)

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
        """Return the durable consumer, made anew when ``start_sequence`` is given."""
        found = self._stream(stream)
        if durable not in found.consumers or start_sequence is not None:
            found.consumers[durable] = _LocalConsumer(
                self,
                found,
                durable,
                next_sequence=start_sequence or 1,
                acknowledge=acknowledge,
                ack_wait_s=ack_wait_s,
                max_deliver=max_deliver,
            )
        return found.consumers[durable]

    async def close(self) -> None:
        """Stop every subscription and request."""
        self._open = False
        for subscription in list(self._subscriptions):
            await subscription.unsubscribe()
        self._servers.clear()
        for task in list(self._running):
            task.cancel()
