"""What leaves the store: events written with the state, published afterwards, in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from mts1b_foundation.nats import StreamSpec, spec_for

from mts1b_platform.eventbus.port import BusError, EventBus, PublishAck, StreamMissing
from mts1b_platform.logging import get_logger
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.days import BEGINNING, ORIGIN, Days, Mark
from mts1b_platform.store.prepared import Prepared
from mts1b_platform.store.tables import outbox, outbox_days, outbox_heads, outbox_position

if TYPE_CHECKING:
    from mts1b_platform.store.engine import Store

__all__ = ["Outbox", "OutboxRelay"]

_BATCH = 500
_RECORD_EVERY = 100
_RETRY_S = (0.05, 2.0)
_LOOK_EVERY_S = 10.0
_LAST_FLUSH_S = 2.0
_TELL_AFTER_S = 5.0
"""A server that restarts, or an acknowledgement that is lost, is no news."""
_LINGER_S = 0.02
"""What several commits of one order add goes out together: readers commit once for all of it."""
_MOST_BYTES = 4_000_000
"""What the server takes (4 MiB), less its headers."""
_ADD = Prepared(outbox.insert())
_RECORD = Prepared(
    sa.text(
        "INSERT INTO outbox_position (stream, published, incarnation) "
        "VALUES (:stream, :published, :incarnation) ON CONFLICT (stream) DO UPDATE "
        "SET published = excluded.published, incarnation = excluded.incarnation"
    )
)
_RECORDED = Prepared(
    sa.select(outbox_position).where(outbox_position.c.stream == sa.bindparam("of"))
)
_RECORD_HEAD = Prepared(
    sa.text(
        "INSERT INTO outbox_heads (stream, head) VALUES (:stream, :head) "
        "ON CONFLICT (stream) DO UPDATE SET head = excluded.head"
    )
)
_HEAD = Prepared(sa.select(outbox_heads.c.head).where(outbox_heads.c.stream == sa.bindparam("of")))
_UNPUBLISHED = Prepared(
    sa.select(outbox)
    .where(outbox.c.position > sa.bindparam("position"))
    .order_by(outbox.c.position)
    .limit(sa.bindparam("most"))
)
_MARKS = Prepared(sa.select(outbox_days.c.position, outbox_days.c.day).order_by(outbox_days.c.day))
_MARK = Prepared(outbox_days.insert())
_UNMARK = Prepared(sa.delete(outbox_days).where(outbox_days.c.day < sa.bindparam("kept_day")))
_LAST = Prepared(sa.select(sa.func.max(outbox.c.position)))


class Outbox:
    """Collect events inside transactions."""

    def __init__(self) -> None:
        self.added = asyncio.Event()
        self._staged = False
        self._days: Days | None = None
        self._days_staged: Days | None = None
        self._position: dict[str, tuple[int, str]] = {}
        self._heads: dict[str, int] = {}
        self._recorded: dict[str, tuple[int, str]] = {}

    async def add(
        self, tx: AsyncConnection, *, event_id: str, subject: str, payload: bytes
    ) -> None:
        """Add one event. ``event_id`` becomes the message id and must be stable.

        :raises sqlalchemy.exc.IntegrityError: when the id was used before.
        :raises LookupError: when the subject is not in the registry.
        """
        await self.add_many(tx, [(event_id, subject, payload)])

    async def add_many(self, tx: AsyncConnection, events: list[tuple[str, str, bytes]]) -> None:
        """Add (event_id, subject, payload) rows in order.

        :raises ValueError: for one that no bus would take: it would hold up all that follow.
        """
        if not events:
            return
        for event_id, subject, payload in events:
            spec_for(subject)
            if len(payload) > _MOST_BYTES:
                raise ValueError(
                    f"event {event_id} on {subject} has {len(payload)} bytes; "
                    f"the bus takes {_MOST_BYTES}"
                )
        rows = [{"event_id": e, "subject": s, "payload": p} for e, s, p in events]
        await _ADD.run_many(tx, rows)
        self._staged = True

    def begun(self) -> None:
        """Forget what a transaction before this one staged and did not commit."""
        self._staged, self._days_staged = False, None

    def committed(self) -> None:
        """Tell relays that what was added is committed now."""
        if self._days_staged is not None:
            self._days, self._days_staged = self._days_staged, None
        if self._staged:
            self._staged = False
            self.added.set()

    async def days(self, connection: AsyncConnection) -> Days:
        """Return the days of its events, as they are committed."""
        if self._days is None:
            rows = await _MARKS.run(connection)
            found = Days([Mark(int(row.position), int(row.day)) for row in rows])
            if self._days is None:  # else a commit came meanwhile, and knows better
                self._days = found
        return self._days

    async def begin_day(self, tx: AsyncConnection, day: int) -> None:
        """Let what is added from now on be of ``day``; a day that is past changes nothing."""
        days = await self.days(tx)
        if day <= days.today:
            return
        position = int((await _LAST.run(tx)).scalar() or 0) + 1
        marks = [Mark(position, day)]
        if not days.today:
            marks.insert(0, BEGINNING)  # nothing is pruned: what has no day is kept as well
        await _MARK.run_many(tx, [{"position": one.position, "day": one.day} for one in marks])
        self._days_staged = Days([*days.marks, *marks])

    async def keep_from(self, tx: AsyncConnection, mark: Mark) -> None:
        """Never send again what was added before ``mark``, one of the days."""
        days = await self.days(tx)
        await _UNMARK.run(tx, {"kept_day": mark.day})
        self._days_staged = Days([one for one in days.marks if one.day >= mark.day])

    def published(self, stream: str, position: int, incarnation: str, head: int = 0) -> None:
        """Note how far a relay got, and its stream; the next transaction records it."""
        self._position[stream] = (position, incarnation)
        self._heads[stream] = head

    async def record_position(self, tx: AsyncConnection, *, every: int = _RECORD_EVERY) -> None:
        """Write down how far relays got, now and then: losing it only means publishing again."""
        for stream, (position, incarnation) in self._position.items():
            recorded = self._recorded.get(stream, (0, incarnation))
            if recorded[1] == incarnation and position - recorded[0] < every:
                continue
            await _RECORD.run(
                tx, {"stream": stream, "published": position, "incarnation": incarnation}
            )
            await _RECORD_HEAD.run(tx, {"stream": stream, "head": self._heads[stream]})
            self._recorded[stream] = (position, incarnation)


class OutboxRelay:
    """Publish the outbox of a store to one stream, in order, at least once.

    The message id is the event id, so the stream drops what was published twice within its
    window, and the inbox of each consumer drops the rest. When the stream was made anew, all
    of it is published again: the store is the record.

    ``waits_for`` says what keeps :meth:`run` from publishing; None while nothing does.
    """

    def __init__(self, store: Store, bus: EventBus, stream: StreamSpec, log: Any = None) -> None:
        self._store = store
        self._bus = bus
        self._spec = stream
        self._lock = asyncio.Lock()
        self._position = 0
        self._ahead: set[int] = set()
        """Acknowledged positions behind one that is not: they are not sent again."""
        self._incarnation = ""
        self._first = 0
        """Where the stream begins: what was acknowledged before that is not in it."""
        self._clean = False
        self._went_back = False
        """The stream has lost its end: a message that is new got the number of an older one."""
        self.head = 0
        self.stream = stream.name
        self.waits_for: BusError | None = None
        self._log = get_logger("relay") if log is None else log
        self._waits_since = 0.0
        self._told = False

    async def start(self) -> None:
        """Make sure of the stream and find where publishing goes on."""
        await self._bus.ensure_stream(self._spec)
        info = await self._bus.stream_info(self.stream)
        async with self._store.read() as connection:
            row = (await _RECORDED.run(connection, {"of": self.stream})).first()
            head = int((await _HEAD.run(connection, {"of": self.stream})).scalar() or 0)
        same = row is not None and row.incarnation == info.incarnation
        same = same and info.last_sequence >= head  # else an older copy of it came back
        self._position = int(row.published) if row is not None and same else 0
        self._incarnation, self._first = info.incarnation, info.first_sequence
        self.head = info.last_sequence

    async def flush(self) -> int:
        """Publish everything that is committed; return how many events went out."""
        total = 0
        async with self._lock:
            if self._clean and not self._store.outbox.added.is_set():
                return 0
            self._store.outbox.added.clear()
            self._clean = False
            while True:
                if self._went_back:
                    await self._begin_again()
                sent, more = await self._publish_batch()
                total += sent
                if not more and not self._went_back:
                    self._clean = True
                    return total

    async def close(self) -> None:
        """Publish what is committed, as far as the bus takes it soon.

        What it does not take stays in the store, and the next start publishes it.
        """
        with contextlib.suppress(TimeoutError, BusError):
            async with asyncio.timeout(_LAST_FLUSH_S):
                await self.flush()

    async def _publish_batch(self) -> tuple[int, bool]:
        """Publish what is next; return how many events, and whether there may be more."""
        async with self._store.read() as connection:
            kept = (await self._store.outbox.days(connection)).kept
            self._position = max(self._position, kept.position - 1)
            found = await _UNPUBLISHED.run(connection, {"position": self._position, "most": _BATCH})
            days = await self._store.outbox.days(connection)
        known = found.all()
        if not known:
            return 0, False
        rows = _together(known)
        missing = [row for row in rows if row.position not in self._ahead]
        answers = await asyncio.gather(
            *(self._publish(row, days) for row in missing), return_exceptions=True
        )
        self._went_back = any(_is_older(answer, self.head) for answer in answers)
        failures: list[BaseException] = []
        for row, answer in zip(missing, answers, strict=True):
            if isinstance(answer, BaseException):
                failures.append(answer)
            elif answer.sequence < self._first:
                failures.append(
                    BusError(f"{self.stream} was emptied and still knows {row.event_id}")
                )
            else:
                self.head = max(self.head, answer.sequence)
                self._ahead.add(row.position)
        self._advance([row.position for row in rows])
        if failures:
            raise failures[0]
        return len(rows), len(rows) < len(known) or len(known) == _BATCH

    async def _publish(self, row: Any, days: Days) -> PublishAck:
        origin = days.origin(row.position)
        said = {} if origin is None else {"headers": {ORIGIN: origin.header()}}
        return await self._bus.publish_durable(
            row.subject, row.payload, message_id=row.event_id, **said
        )

    def _advance(self, positions: list[int]) -> None:
        """Move over what is acknowledged without a gap."""
        for position in positions:
            if position not in self._ahead:
                break
            self._ahead.remove(position)
            self._position = position
        self._store.outbox.published(self.stream, self._position, self._incarnation, self.head)

    async def run(self) -> None:
        """Publish whatever is added, until cancelled; a bus that is away is waited for."""
        time = asyncio.get_running_loop().time
        pause, look_at = _RETRY_S[0], time() + _LOOK_EVERY_S
        while True:
            try:
                if time() >= look_at:
                    await self._look_for_a_new_stream()
                    look_at = time() + _LOOK_EVERY_S
                await self.flush()
            except BusError as error:
                self._tell(error)
                look_at = time()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _RETRY_S[1])
                continue
            self._tell(None)
            pause = _RETRY_S[0]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(look_at):
                    await self._store.outbox.added.wait()
                    await asyncio.sleep(_LINGER_S)

    def _tell(self, error: BusError | None) -> None:
        """Log when publishing has had to wait for a while, and when it goes on after that."""
        now = asyncio.get_running_loop().time()
        if self.waits_for is None:
            self._waits_since = now
        if error is not None and not self._told and now - self._waits_since >= _TELL_AFTER_S:
            self._told = True
            self._log.warning("events wait to be published", stream=self.stream, error=str(error))
        elif error is None and self._told:
            self._told = False
            self._log.info("events wait no more", stream=self.stream)
        self.waits_for = error

    async def _look_for_a_new_stream(self) -> None:
        """Start from the beginning when the stream was made anew meanwhile, or lost its end."""
        try:
            info = await self._bus.stream_info(self.stream)
        except StreamMissing:
            await self._bus.ensure_stream(self._spec)
            info = await self._bus.stream_info(self.stream)
        if info.incarnation == self._incarnation and info.last_sequence >= self.head:
            return
        async with self._lock:
            await self._begin_again()

    async def _begin_again(self) -> None:
        """Publish all that is kept: to a stream that was made anew, or has lost its end."""
        info = await self._bus.stream_info(self.stream)
        self._incarnation, self._position = info.incarnation, 0
        self._first, self._clean = info.first_sequence, False
        self.head = info.last_sequence
        self._ahead.clear()
        self._went_back = False
        self._log.info("events are published again", stream=self.stream, head=self.head)


def _together(rows: Sequence[Any]) -> Sequence[Any]:
    """Return the first rows that may be on their way at the same time."""
    alone = (number for number, row in enumerate(rows) if spec_for(row.subject).alone)
    return rows[: max(next(alone, len(rows)), 1)]


def _is_older(answer: object, head: int) -> bool:
    return isinstance(answer, PublishAck) and not answer.duplicate and answer.sequence <= head
