"""The paper broker: orders in, fills out, nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mts1b_foundation import Bar, Fill, Order, Position, Quote
from mts1b_foundation.orders import FillCorrection, OrderType, TimeInForce
from mts1b_foundation.protocols import AccountSnapshot, VenueCard

from mts1b_brokers.paper.desk import VenueDesk
from mts1b_brokers.paper.profile import VenueProfile
from mts1b_brokers.paper.state import Draft
from mts1b_brokers.paper.venue import PaperVenue

__all__ = ["PaperClient"]


@dataclass
class PaperClient(VenueDesk):
    """A simulated venue behind the broker protocol and every capability there is.

    ``PaperClient()`` works at once and forgets at the end. With ``home`` (or a
    ``store_url``), everything is on disk before it is acknowledged, in
    ``<home>/db/venue-paper.sqlite``. :class:`mts1b_brokers.paper.desk.VenueDesk` has what the
    people at the venue can do.

    :param fee_bps_per_side: fee in basis points a side; short for a profile that differs in
        nothing else.
    :param profile: the whole behaviour; wins over ``fee_bps_per_side``.
    :param store_url: a PostgreSQL URL for the record, instead of a file under ``home``.
    :param clock: stamps submissions, never earlier than :meth:`set_time` said. Without one,
        the machine's clock does, until :meth:`set_time` is called; then that alone counts.
    """

    async def submit(self, order: Order) -> Order:
        """Take an order, once for each key that is remembered; it is on record on return.

        :raises KeyReuseMismatch: when the key belongs to an order with other economics.
        :raises BrokerRefused: when the order can not be taken here.
        :raises VenueUnavailable: in maintenance, or when the record failed; ask by key whether
            it was taken.
        """

        return await self._act(lambda venue, now: venue.submit(order, now))

    async def cancel(self, order_id: str) -> bool:
        """Cancel by the client's order id or the broker's.

        True only when open quantity was cancelled; False when the order is unknown here or had
        ended. No fill of the order follows a True, unless the venue's people make one.

        :raises BrokerRefused: ``RATE_LIMITED``.
        """

        return await self._act(lambda venue, now: venue.cancel(order_id, now))

    async def cancel_all(self) -> list[str]:
        """Cancel all; return the order ids that are confirmed cancelled."""

        def decide(venue: PaperVenue, now: datetime) -> tuple[Draft, Draft]:
            draft = venue.cancel_all(now)
            return draft, draft

        draft = await self._act(decide)
        return [working.order.order_id for _, working in sorted(draft.orders.items())]

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Change the total quantity of an open order (filled included) and its limit.

        A limit of None leaves what is there. Terms that hold already change nothing, so a
        repeated replace is harmless. Every id that the order had still finds it.

        :raises BrokerRefused: ``TOO_LATE``, ``BELOW_FILLED``, ``UNKNOWN_ORDER``,
            ``INVALID_REPLACE``, ``RATE_LIMITED``; the order then stands as it was.
        """

        return await self._act(
            lambda venue, now: venue.replace(
                order_id, quantity=quantity, limit_price=limit_price, now=now
            )
        )

    async def cancel_all_after(self, seconds: float) -> None:
        """Cancel all open orders ``seconds`` from now unless called again; 0 disarms.

        :raises BrokerRefused: ``UNSUPPORTED`` without a timer, ``INVALID_TIMER`` beyond the
            longest.
        """

        await self._act(lambda venue, now: (None, venue.set_timer(seconds, now)))

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Match open orders against bars, in one transaction; a bar has its effect once."""
        if len(bars) == 1:
            begins: datetime | None = bars[0].start
        else:
            begins = min((bar.start for bar in bars), default=None)
        await self._act(lambda venue, _: (None, venue.on_bars(bars)), at=begins)

    async def on_quote(self, quote: Quote) -> None:
        """Match open orders against the best bid and ask."""
        await self._act(lambda venue, _: (None, venue.on_quote(quote)), at=quote.timestamp)

    async def get_open_orders(self) -> list[Order]:
        """Return the open orders that are shown by now, oldest first."""
        venue, now = await self._look()
        found = (working.order for working in venue.state.open_orders())
        return [order for order in found if venue.shows(order, now)]

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Return the order with that key in any state.

        None is certain once ``visibility_lag_s`` has passed: it was never taken. The newest,
        where the venue took a key twice.
        """
        venue, now = await self._look()
        order = venue.order_by_key(idempotency_key)
        return order if order is not None and venue.shows(order, now) else None

    def capabilities(self) -> VenueCard:
        """Return what this venue promises about itself."""
        profile = self.profile or VenueProfile()
        return VenueCard(
            venue=self.name,
            dedupe=profile.dedupe,
            dedupe_window_s=profile.dedupe_window_s,
            visibility_lag_s=profile.visibility_lag_s,
            fill_history_s=profile.fill_history_s,
            order_types=tuple(OrderType),
            tifs=tuple(TimeInForce),
            replaces=profile.replaces,
            replace_changes_id=profile.replace_changes_id,
            cancels_all=True,
            corrects=True,
            dead_man_max_s=profile.dead_man_max_s,
            orders_per_s=profile.orders_per_s,
        )

    async def get_positions(self) -> list[Position]:
        """Return the net positions that are not flat, by symbol."""
        venue, now = await self._look()
        return venue.positions(now)

    async def account_snapshot(self) -> AccountSnapshot:
        """Return cash and positions of one moment."""
        venue, now = await self._look()
        return AccountSnapshot(
            account=self.name,
            cash_usd=venue.state.cash,
            positions=tuple(venue.positions(now)),
            as_of=now,
        )

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return the fills after ``cursor`` (None: all), oldest first, and the new cursor.

        As they were executed; :meth:`corrections_since` has what became of them. A fill that is
        older than the venue's history is left out without a word, as real venues do.

        :raises ValueError: when the cursor is not one of this venue.
        """
        venue, now = await self._look()
        fills, shown = venue.state.fills, venue.shown_fills(now)
        start = self._position(cursor, len(fills), "fills")
        return fills[max(start, venue.first_kept_fill(now)) : shown], str(max(start, shown))

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Return the corrections after ``cursor`` (None: all), oldest first, and the new cursor.

        :raises ValueError: when the cursor is not one of this venue.
        """
        corrections = (await self._look())[0].state.corrections
        start = self._position(cursor, len(corrections), "corrections")
        return corrections[start:], str(len(corrections))

    def _position(self, cursor: str | None, last: int, what: str) -> int:
        if cursor is None:
            return 0
        if cursor.isdecimal() and (place := int(cursor)) <= last:
            return place
        raise ValueError(
            f"cursor {cursor!r} is not of venue {self.name}, which has {last} {what}; "
            "was its record replaced? read from the beginning with None"
        )

    async def stream_fills(self, cursor: str | None = None) -> AsyncIterator[Fill]:
        """Yield every fill after ``cursor`` (None: from the first kept), then each new one.

        Pushed at once: the visibility lag is one of queries. A restarted reader begins where its
        cursor stood; without one it sees every fill again and knows them by ``fill_id``. Ends
        when the venue is closed.
        """
        venue, now = await self._look()
        fills = venue.state.fills
        place = max(self._position(cursor, len(fills), "fills"), venue.first_kept_fill(now))
        self._readers += 1
        try:
            while True:
                while place < len(fills):
                    place += 1
                    yield fills[place - 1]
                async with self._news:
                    while not self._closed and place == len(fills):
                        await self._news.wait()
                if place == len(fills):
                    return
        finally:
            self._readers -= 1
