"""Move events from streams into a service: parsed, once each, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import STREAMS, SubjectSpec, base_subject, fund_of, spec_for
from pydantic import ValidationError

from mts1b_platform.eventbus.port import BusError, Consumer, EventBus, Message, dead_letter_subject
from mts1b_platform.logging import get_logger
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.days import ORIGIN, Mark, Origin
from mts1b_platform.store.engine import Store
from mts1b_platform.store.inbox import Memory
from mts1b_platform.supervision import end_tasks

__all__ = ["Event", "EventPump", "PumpStalled"]

_BATCH = 256
_CATCH_UP_S = 0.02


class PumpStalled(Exception):
    """A stream did not deliver what its publisher says it holds."""


@dataclass(frozen=True, slots=True)
class Event:
    """One parsed event. ``base_subject`` has no fund suffix."""

    subject: str
    base_subject: str
    fund_id: str | None
    payload: FrozenModel
    message_id: str
    stream: str
    sequence: int


EventHandler = Callable[[AsyncConnection, Event], Awaitable[None]]
Also = Callable[[AsyncConnection], Awaitable[None]]


@dataclass(slots=True)
class _Source:
    stream: str
    incarnation: str
    position: int
    consumer: Consumer
    memory: Memory
    fast: bool
    """Its publisher has no outbox: how old a message is, only its reader can say."""
    fresh: bool = True
    """Nothing was fetched yet: what lies between the position and the first message is gone."""
    whole: bool = True
    """It begins where the stream does."""
    doubtful: bool = False
    """The first message does not follow on what was read: the stream may have lost its end, and
    have given its numbers anew."""

    async def fetch(self, most: int, timeout_s: float) -> tuple[list[Message], bool]:
        """Return messages, and whether none is missing before them."""
        messages = await self.consumer.fetch(most, timeout_s=timeout_s)
        if not messages:
            return [], True
        follows = self.fresh or (messages[0].sequence or 0) <= self.position + 1
        self.doubtful = self.fresh and not self.whole and self._is_odd(messages[0])
        self.fresh = False
        return messages, follows and not self.doubtful

    def _is_odd(self, first: Message) -> bool:
        origin, seen = Origin.of(first.headers.get(ORIGIN)), self.memory.seen
        return origin is not None and bool(seen.day) and origin.position != seen.position + 1


class _Batch:
    """What was fetched of one stream, and what it says of its publisher."""

    def __init__(self, source: _Source, messages: list[Message]) -> None:
        self.source = source
        self.messages = messages
        self.origins: dict[int, Origin] = {}
        self.missing: list[str] = []
        seen, known_before = source.memory.seen, source.memory.known_before
        for message in messages:
            origin = Origin.of(message.headers.get(ORIGIN))
            if origin is None:
                continue
            self.origins[message.sequence or 0] = origin
            # What was read last stands right before what is kept, or is kept itself.
            if origin.kept.day > seen.day and origin.kept.position - 1 != seen.position:
                self.missing.append(f"{_text(seen)} to {_text(origin.kept)}")
            seen = max(seen, Mark(origin.position, origin.day), key=_by_day)
            known_before = max(known_before, origin.kept.day)
        self.memory = Memory(seen, known_before)

    def knows(self, message: Message) -> bool:
        """Return whether it is from a day of which every id is forgotten."""
        origin = self.origins.get(message.sequence or 0)
        return origin is not None and origin.day < self.source.memory.known_before


class EventPump:
    """Read ``streams`` (in that order) into ``handler``, each event once.

    The handler runs inside a transaction that also records the message and how far the stream
    is read; an exception rolls all of it back. The store's position is the only one: nothing is
    acknowledged to the bus, and a restart reads on from the store. A message that is no valid
    payload goes to the dead letters and is recorded, so it can not block the stream. Where the
    publisher keeps no more what this reader has not read, that is logged, and stands in ``missed``.

    :param name: the durable name; also the consumer name in the inbox.
    :param at_end: runs once at the end of each transaction in which a handler ran.
    :param wanted: base subjects to parse; others are skipped. None takes all.
    """

    def __init__(
        self,
        bus: EventBus,
        store: Store,
        *,
        name: str,
        streams: Sequence[str],
        handler: EventHandler,
        wanted: frozenset[str] | None = None,
        at_end: Also | None = None,
    ) -> None:
        self._bus = bus
        self._store = store
        self._name = name
        self._streams = tuple(streams)
        self._handler = handler
        self._at_end = at_end
        self._wanted = wanted
        self._sources: dict[str, _Source] = {}
        self._log = get_logger("pump")
        self.missed: dict[str, str] = {}
        """By stream, what it holds no more and was not read before."""

    async def start(self) -> None:
        """Attach to every stream at the position that the store records."""
        for stream in self._streams:
            await self._attach(stream)

    async def _attach(self, stream: str, *, anew: bool = False) -> _Source:
        await self._bus.ensure_stream(STREAMS[stream])
        info = await self._bus.stream_info(stream)
        async with self._store.read() as connection:
            position = await self._store.inbox.position(
                connection, self._name, stream, info.incarnation
            )
            memory = await self._store.inbox.memory(connection, self._name, stream)
        if anew or position > info.last_sequence:
            position = 0  # an older copy of it came back; what was read of it is known
        position = max(position, info.first_sequence - 1)  # what was emptied is published anew
        consumer = await self._bus.consumer(
            stream,
            f"{self._name}-{stream}",
            start_sequence=position + 1,
            acknowledge=False,
        )
        source = _Source(stream, info.incarnation, position, consumer, memory, STREAMS[stream].fast)
        source.whole = position < max(info.first_sequence, 1)
        self._sources[stream] = source
        return source

    async def drain(
        self,
        upto: Mapping[str, int],
        *,
        patience_s: float = 20.0,
        also: Also | None = None,
    ) -> int:
        """Process everything up to the given sequences; return how many events had an effect.

        What all streams hold is applied in one transaction, stream by stream.

        :param also: runs inside each such transaction.
        :raises PumpStalled: when a stream does not deliver within ``patience_s``.
        """
        handled = 0
        while True:
            behind = [s for s in self._sources.values() if s.position < upto.get(s.stream, 0)]
            if not behind:
                return handled
            fetched = await asyncio.gather(
                *(self._fetch(source, upto[source.stream], patience_s) for source in behind)
            )
            batches = list(zip(behind, fetched, strict=True))
            handled += await self._process(batches, also)

    async def _fetch(self, source: _Source, upto: int, patience_s: float) -> list[Message]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            want = min(upto - source.position, _BATCH)
            messages, whole = await source.fetch(want, 1.0)
            if messages and whole:
                return messages
            if loop.time() > deadline:
                raise PumpStalled(
                    f"{self._name}: stream {source.stream} stands at {source.position}, "
                    f"its publisher says {upto}"
                )
            with contextlib.suppress(BusError):  # the bus is away: the next turn tries again
                await self._attach_again(source)

    async def _attach_again(self, source: _Source) -> None:
        """Attach anew, and let what drains the source now read on with that."""
        await source.consumer.close()
        attached = await self._attach(source.stream, anew=source.doubtful)
        source.consumer, source.position = attached.consumer, attached.position
        source.incarnation, source.fresh = attached.incarnation, True
        source.memory, source.whole = attached.memory, attached.whole
        self._sources[source.stream] = source

    async def run(self, *, idle_s: float = 2.0, linger_s: float = 0.0) -> None:
        """Process events as they come, until cancelled.

        :param idle_s: after how long without an event to ask whether the stream was made anew.
        :param linger_s: how long to wait for more before a batch is taken: each batch is one
            durable commit, so a reader that nobody waits for leaves the disk to the others.
        """
        # A TaskGroup would cancel them in the order of their addresses: no run would repeat.
        tasks = [
            asyncio.create_task(self._follow(stream, idle_s, linger_s)) for stream in self._streams
        ]
        try:
            await asyncio.gather(*tasks)
        finally:
            await end_tasks(tasks)

    async def _follow(self, stream: str, idle_s: float, linger_s: float) -> None:
        task = asyncio.current_task()
        # A cancellation that what is awaited here loses is still noted on the task.
        while task is None or not task.cancelling():
            source = self._sources[stream]
            messages, whole = await source.fetch(_BATCH, idle_s)
            if linger_s and 0 < len(messages) < _BATCH:
                await asyncio.sleep(linger_s)
                messages += await source.consumer.fetch(_BATCH - len(messages), timeout_s=0.0)
            if messages and whole:
                await self._process([(source, messages)])
                continue
            try:
                if messages or await self._is_behind(source):
                    await source.consumer.close()
                    await self._attach(stream, anew=source.doubtful)
            except BusError:
                continue  # the bus is away: the next turn tries again

    async def catch_up(self) -> None:
        """Wait until :meth:`run` has read what the streams hold now, and for a bus that is away."""
        for stream in self._streams:
            upto: int | None = None
            while upto is None or not await self._has_read(stream, upto):
                with contextlib.suppress(BusError):
                    last = (await self._bus.stream_info(stream)).last_sequence
                    upto = last if upto is None else min(upto, last)  # it may be made anew
                await asyncio.sleep(_CATCH_UP_S)

    async def has_read_all(self, stream: str) -> bool:
        """Return whether everything that a stream holds now has had its effect.

        :raises BusError: when the bus is away.
        """
        return not await self._is_behind(self._sources[stream])

    async def _has_read(self, stream: str, upto: int) -> bool:
        source = self._sources[stream]
        try:
            info = await self._bus.stream_info(stream)
        except BusError:
            return False
        return info.incarnation == source.incarnation and source.position >= upto

    async def _is_behind(self, source: _Source) -> bool:
        """Return whether the stream holds what this reader was never sent: its server restarted."""
        info = await self._bus.stream_info(source.stream)
        return info.incarnation != source.incarnation or info.last_sequence != source.position

    async def _process(
        self, batches: Sequence[tuple[_Source, list[Message]]], also: Also | None = None
    ) -> int:
        fresh = [
            _Batch(source, [m for m in messages if (m.sequence or 0) > source.position])
            for source, messages in batches
        ]
        handled = 0
        if any(batch.messages for batch in fresh):
            async with self._store.transaction() as tx:
                for batch in fresh:
                    handled += await self._apply(tx, batch)
                if self._at_end is not None and handled:
                    await self._at_end(tx)
                if also is not None:
                    await also(tx)
        for batch in fresh:
            batch.source.memory = batch.memory
        for source, messages in batches:
            source.position = max([source.position, *(m.sequence or 0 for m in messages)])
        return handled

    async def _apply(self, tx: AsyncConnection, batch: _Batch) -> int:
        if not batch.messages:
            return 0
        source, inbox = batch.source, self._store.inbox
        candidates = [
            m for m in batch.messages if self._is_wanted(m.subject) and not batch.knows(m)
        ]
        new = await inbox.claim(tx, self._name, [_id_of(m) for m in candidates])
        handled, aged = 0, []
        today = (await self._store.outbox.days(tx)).today if source.fast else 0
        for message in candidates:
            message_id = _id_of(message)
            if message_id not in new:
                continue
            new.discard(message_id)
            origin = batch.origins.get(message.sequence or 0)
            day = today if origin is None else origin.day
            if day:
                aged.append((day, message_id))
            handled += await self._handle(tx, message)
        await inbox.age(tx, self._name, source.stream, aged)
        await self._remember(tx, batch)
        last = max(message.sequence or 0 for message in batch.messages)
        await inbox.advance(tx, self._name, source.stream, source.incarnation, last)
        return handled

    async def _remember(self, tx: AsyncConnection, batch: _Batch) -> None:
        """Record what the batch says of its publisher, and tell of what nobody can read now."""
        source, memory = batch.source, batch.memory
        if memory == source.memory:
            return
        await self._store.inbox.remember(tx, self._name, source.stream, memory)
        for missing in batch.missing:
            self.missed[source.stream] = missing
            self._log.error(
                "events are gone that were never read",
                reader=self._name,
                stream=source.stream,
                missing=missing,
            )

    async def _handle(self, tx: AsyncConnection, message: Message) -> bool:
        try:
            spec: SubjectSpec = spec_for(message.subject)
            payload = spec.model.model_validate_json(message.data)
        except (LookupError, ValidationError) as error:
            await self._refuse(message, error)
            return False
        event = Event(
            subject=message.subject,
            base_subject=base_subject(message.subject),
            fund_id=fund_of(message.subject),
            payload=payload,
            message_id=_id_of(message),
            stream=message.stream or "",
            sequence=message.sequence or 0,
        )
        await self._handler(tx, event)
        return True

    def _is_wanted(self, subject: str) -> bool:
        wanted, base = self._wanted, base_subject(subject)
        if wanted is None or base in wanted:
            return True
        try:
            return spec_for(base).subject in wanted
        except LookupError:
            return False

    async def _refuse(self, message: Message, error: Exception) -> None:
        headers = {"mts-subject": message.subject, "mts-error": type(error).__name__}
        subject = dead_letter_subject(message.stream or "", self._name)
        await self._bus.publish(subject, message.data, headers=headers)

    async def close(self) -> None:
        """Release the consumers; positions stay."""
        for source in self._sources.values():
            await source.consumer.close()


def _id_of(message: Message) -> str:
    return message.message_id or f"{message.stream}:{message.sequence}"


def _by_day(mark: Mark) -> tuple[int, int]:
    return mark.day, mark.position


def _text(mark: Mark) -> str:
    day = date.fromordinal(mark.day).isoformat() if mark.day else "the beginning"
    return f"event {mark.position} of {day}"
