"""One open paper venue: its record, its time, and one act after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.store import StoreError
from sqlalchemy.exc import SQLAlchemyError

from mts1b_brokers.errors import VenueUnavailable
from mts1b_brokers.paper.ledger import Ledger
from mts1b_brokers.paper.profile import FillPolicy, VenueProfile
from mts1b_brokers.paper.state import Draft
from mts1b_brokers.paper.venue import PaperVenue

__all__ = ["PaperSession"]

T = TypeVar("T")
Decide = Callable[[PaperVenue, datetime], tuple[T, Draft | None]]


@dataclass
class PaperSession:
    """What every part of the paper client stands on.

    See :class:`mts1b_brokers.paper.PaperClient` for the fields.
    """

    name: str = "paper"
    fee_bps_per_side: float | Decimal = 5.0
    profile: VenueProfile | None = None
    home: Path | None = None
    clock: Clock | None = None
    store_url: str | None = None
    _venue: PaperVenue | None = field(default=None, init=False, repr=False)
    _ledger: Ledger | None = field(default=None, init=False, repr=False)
    _now: datetime | None = field(default=None, init=False, repr=False)
    _closed: bool = field(default=False, init=False, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    _acts: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)
    _readers: int = field(default=0, init=False, repr=False)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.profile is None:
            fee = Decimal(str(self.fee_bps_per_side))
            self.profile = VenueProfile(fee_bps_per_side=fee)
        self.fee_bps_per_side = self.profile.fee_bps_per_side

    async def open(self) -> None:
        """Open the record and read it. Every other method does this when it is needed.

        :raises VenueUnavailable: when the record can not be read, or the venue is closed.
        """
        async with self._turn:
            await self._opened()

    async def _opened(self) -> PaperVenue:
        if self._closed:
            raise self._is_closed()
        if self._venue is None:
            self._venue = await self._load()
        return self._venue

    def _is_closed(self) -> VenueUnavailable:
        return VenueUnavailable(f"venue {self.name} is closed; make a new client")

    async def _load(self) -> PaperVenue:
        profile = self.profile or VenueProfile()
        if self.home is None and self.store_url is None:
            return PaperVenue(name=self.name, profile=profile)
        target = self.store_url or Path(self.home or ".") / "db" / f"venue-{self.name}.sqlite"
        try:
            self._ledger = await Ledger.open(
                target, venue=self.name, every_mark=profile.fill is FillPolicy.IMMEDIATE
            )
            state = await self._ledger.load(initial_cash=profile.initial_cash)
        except (StoreError, SQLAlchemyError, OSError) as error:
            await self._forget_record()
            raise VenueUnavailable(f"venue {self.name} can not read its record: {error}") from error
        return PaperVenue(name=self.name, profile=profile, state=state)

    async def _forget_record(self) -> None:
        """Close a record that was opened and could not be read: the next try opens another."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            await ledger.close()

    async def close(self) -> None:
        """Finish what is begun and close the record; streams of fills end."""
        async with self._turn:
            self._closed = True
            if self._ledger is not None:
                await self._ledger.close()
        await self._tell_readers()

    def set_time(self, now: datetime) -> None:
        """Set the venue's time (aware); an earlier time than before changes nothing."""
        if now.tzinfo is None:
            raise ValueError("the venue's time must be aware, e.g. with tzinfo=UTC")
        if self._now is None or now > self._now:
            self._now = now if now.tzinfo is UTC else now.astimezone(UTC)

    def _time(self, at: datetime | None = None) -> datetime:
        """Return the venue's time, or ``at`` where the market is ahead of it."""
        known = self._now
        if self.clock is None:
            now = known or SystemClock().now()
        else:
            now = self.clock.now()
            if known is not None and known > now:
                now = known
        return now if at is None or at <= now else at

    async def _act(self, decide: Decide[T], *, at: datetime | None = None) -> T:
        """Decide, put on record, put into effect; one act at a time.

        A dead-man timer that ran out does what it must before the act, as an act of its own.

        :param at: the market's time, where that may be ahead of the venue's.
        """
        venue = self._venue
        if venue is None or self._ledger is not None or self._turn.locked():
            return await self._act_in_turn(decide, at)
        if self._closed:
            raise self._is_closed()
        now = self._time(at)
        while venue.state.timer is not None and (fired := venue.fired(now)) is not None:
            venue.state.apply(fired)
            now = self._time(at)
        answer, draft = decide(venue, now)
        if draft is not None:
            venue.state.apply(draft)
            if draft.fills and self._readers:
                await self._tell_readers()
        return answer

    async def _act_in_turn(self, decide: Decide[T], at: datetime | None) -> T:
        """Act where something has to be waited for: the record, or another act."""
        answers: list[T] = []

        def step(venue: PaperVenue) -> Draft | None:
            now = self._time(at)
            draft = venue.fired(now)
            if draft is None:
                answer, draft = decide(venue, now)
                answers.append(answer)
            return draft

        while not answers:
            await self._step(step)
        return answers[0]

    async def _tell_readers(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def _step(self, decide: Callable[[PaperVenue], Draft | None]) -> None:
        """Carry out one decision.

        Once decided, it completes also when its caller gives up waiting, and the turn ends with
        it: memory and disk never differ.
        """
        await self._turn.acquire()
        task: asyncio.Task[None] | None = None
        try:
            venue = await self._opened()
            draft = decide(venue)
            if draft is None:
                return
            task = asyncio.create_task(self._record(venue, draft))
        finally:
            if task is None:
                self._turn.release()
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)
        await asyncio.shield(task)

    async def _record(self, venue: PaperVenue, draft: Draft) -> None:
        try:
            if self._ledger is not None:
                await self._ledger.write(draft, venue.state)
            venue.state.apply(draft)
        except (StoreError, SQLAlchemyError, OSError) as error:
            raise VenueUnavailable(
                f"venue {self.name} could not record: {error}; ask by key what became of it"
            ) from error
        finally:
            self._turn.release()
        if draft.fills and self._readers:
            await self._tell_readers()

    async def _look(self) -> tuple[PaperVenue, datetime]:
        """Return the venue between two acts, never within one, and its time.

        :raises VenueUnavailable: in maintenance.
        """
        venue = self._venue
        if venue is None or self._closed or self._turn.locked():
            async with self._turn:
                venue = await self._opened()
        now = self._time()
        if venue.profile.maintenance:
            venue.require_open(now)
        if venue.state.timer is None or venue.fired(now) is None:
            return venue, now
        return await self._act(lambda venue, now: ((venue, now), None))
