"""The paper broker: orders in, fills out, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from mts1b_foundation import Bar, Fill, Order, Position, Quote
from mts1b_foundation.orders import OrderType, TimeInForce
from mts1b_foundation.protocols import AccountSnapshot, DedupePolicy, VenueCard
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.store import Store, StoreError
from sqlalchemy.exc import SQLAlchemyError

from mts1b_brokers.errors import VenueUnavailable
from mts1b_brokers.paper.ledger import Ledger, metadata
from mts1b_brokers.paper.profile import FillPolicy, VenueProfile
from mts1b_brokers.paper.state import Draft
from mts1b_brokers.paper.venue import PaperVenue

__all__ = ["PaperClient"]

T = TypeVar("T")
D = TypeVar("D", Draft, Draft | None)


@dataclass
class PaperClient:
    """A simulated venue behind the broker protocol.

    ``PaperClient()`` works at once and forgets at the end. With ``home`` (or a
    ``store_url``), everything is on disk before it is acknowledged, in
    ``<home>/db/venue-paper.sqlite``.

    :param fee_bps_per_side: fee in basis points a side; short for a profile that differs in
        nothing else.
    :param profile: the whole behaviour; wins over ``fee_bps_per_side``.
    :param store_url: a PostgreSQL URL for the record, instead of a file under ``home``.
    :param clock: stamps submissions, never earlier than :meth:`set_time` said. Without one,
        the machine's clock does, until :meth:`set_time` is called; then that alone counts.
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
            raise VenueUnavailable(f"venue {self.name} is closed; make a new client")
        if self._venue is None:
            self._venue = await self._load()
        return self._venue

    async def _load(self) -> PaperVenue:
        profile = self.profile or VenueProfile()
        if self.home is None and self.store_url is None:
            return PaperVenue(name=self.name, profile=profile)
        target = self.store_url or Path(self.home or ".") / "db" / f"venue-{self.name}.sqlite"
        schema = f"venue_{self.name.replace('-', '_')}"
        try:
            store = await Store.open(target, metadata=metadata, name=schema)
            self._ledger = Ledger(
                store, venue=self.name, every_mark=profile.fill is FillPolicy.IMMEDIATE
            )
            state = await self._ledger.load(initial_cash=profile.initial_cash)
        except (StoreError, SQLAlchemyError, OSError) as error:
            raise VenueUnavailable(f"venue {self.name} can not read its record: {error}") from error
        return PaperVenue(name=self.name, profile=profile, state=state)

    async def close(self) -> None:
        """Finish what is begun and close the record; streams of fills end."""
        async with self._turn:
            self._closed = True
            if self._ledger is not None:
                await self._ledger.close()
        async with self._news:
            self._news.notify_all()

    def set_time(self, now: datetime) -> None:
        """Set the venue's time (aware); an earlier time than before changes nothing."""
        if now.tzinfo is None:
            raise ValueError("the venue's time must be aware, e.g. with tzinfo=UTC")
        self._now = now if self._now is None else max(self._now, now)

    def _time(self) -> datetime:
        if self.clock is None:
            return self._now or SystemClock().now()
        now = self.clock.now()
        return now if self._now is None else max(self._now, now)

    async def submit(self, order: Order) -> Order:
        """Take an order, once per idempotency key; it is on record when this returns.

        :raises KeyReuseMismatch: when the key belongs to an order with other economics.
        :raises BrokerRefused: when the order can not be taken here.
        :raises VenueUnavailable: when the record failed; ask by key whether it was taken.
        """
        return await self._act(lambda venue: venue.submit(order, self._time()))

    async def cancel(self, order_id: str) -> bool:
        """Cancel by the client's order id or the broker's.

        True only when open quantity was cancelled; False when the order is unknown here or had
        ended. No fill of the order follows a True.
        """
        draft = await self._act(lambda venue: _twice(venue.cancel(order_id)))
        return draft is not None

    async def cancel_all(self) -> list[str]:
        """Cancel all; return the order ids that are confirmed cancelled."""
        draft = await self._act(lambda venue: _twice(venue.cancel_all()))
        return [working.order.order_id for _, working in sorted(draft.orders.items())]

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Match open orders against bars, in one transaction; a bar has its effect once."""
        await self._act(lambda venue: _twice(venue.on_bars(bars)))

    async def on_quote(self, quote: Quote) -> None:
        """Match open orders against the best bid and ask."""
        await self._act(lambda venue: _twice(venue.on_quote(quote)))

    async def _act(self, decide: Callable[[PaperVenue], tuple[T, Draft | None]]) -> T:
        """Decide, put on record, put into effect; one act at a time.

        Once decided, an act completes also when its caller gives up waiting, and the turn ends
        with it: memory and disk never differ.
        """
        await self._turn.acquire()
        task: asyncio.Task[None] | None = None
        try:
            venue = await self._opened()
            answer, draft = decide(venue)
            if draft is None:
                return answer
            task = asyncio.create_task(self._record(venue, draft))
        finally:
            if task is None:
                self._turn.release()
        self._acts.add(task)
        task.add_done_callback(self._acts.discard)
        await asyncio.shield(task)
        return answer

    async def _record(self, venue: PaperVenue, draft: Draft) -> None:
        try:
            if self._ledger is not None:
                await self._ledger.write(draft, fills_before=len(venue.state.fills))
            venue.state.apply(draft)
        except (StoreError, SQLAlchemyError, OSError) as error:
            raise VenueUnavailable(
                f"venue {self.name} could not record: {error}; ask by key what became of it"
            ) from error
        finally:
            self._turn.release()
        if draft.fills:
            async with self._news:
                self._news.notify_all()

    async def _look(self) -> PaperVenue:
        """Return the venue between two acts, never within one."""
        async with self._turn:
            return await self._opened()

    async def get_open_orders(self) -> list[Order]:
        """Return the open orders, oldest first."""
        return [working.order for working in (await self._look()).state.open_orders()]

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Return the order with that key in any state; None is certain: it was never taken."""
        return (await self._look()).order_by_key(idempotency_key)

    def capabilities(self) -> VenueCard:
        """Return what this venue promises about itself."""
        return VenueCard(
            venue=self.name,
            dedupe=DedupePolicy.PERMANENT,
            order_types=tuple(OrderType),
            tifs=tuple(TimeInForce),
            cancels_all=True,
        )

    async def get_positions(self) -> list[Position]:
        """Return the net positions that are not flat, by symbol."""
        return (await self._look()).positions(self._time())

    async def account_snapshot(self) -> AccountSnapshot:
        """Return cash and positions of one moment."""
        venue = await self._look()
        now = self._time()
        return AccountSnapshot(
            account=self.name,
            cash_usd=venue.state.cash,
            positions=tuple(venue.positions(now)),
            as_of=now,
        )

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return the fills after ``cursor`` (None: all), oldest first, and the new cursor.

        :raises ValueError: when the cursor is not one of this venue.
        """
        fills = (await self._look()).state.fills
        start = self._position(cursor, len(fills))
        return fills[start:], str(len(fills))

    def _position(self, cursor: str | None, last: int) -> int:
        if cursor is None:
            return 0
        if cursor.isdecimal() and int(cursor) <= last:
            return int(cursor)
        raise ValueError(
            f"cursor {cursor!r} is not of venue {self.name}, which has {last} fills; "
            "was its record replaced? read from the beginning with None"
        )

    async def stream_fills(self, cursor: str | None = None) -> AsyncIterator[Fill]:
        """Yield every fill after ``cursor`` (None: from the first ever), then each new one.

        A restarted reader begins where its cursor stood; without one it sees every fill again
        and knows them by ``fill_id``. Ends when the venue is closed.
        """
        fills = (await self._look()).state.fills
        place = self._position(cursor, len(fills))
        while True:
            while place < len(fills):
                place += 1
                yield fills[place - 1]
            async with self._news:
                while not self._closed and place == len(fills):
                    await self._news.wait()
            if place == len(fills):
                return


def _twice(draft: D) -> tuple[D, D]:
    return draft, draft
