"""A venue that knows the truth, and a wire to it that loses answers."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from mts1b_foundation.market_data import Quote
from mts1b_foundation.orders import CorrectionKind, Fill, FillCorrection, Order, OrderStatus
from mts1b_foundation.positions import Position
from mts1b_foundation.protocols import AccountSnapshot, VenueCard
from mts1b_platform.simulation import SimNet

from mts1b_brokers.errors import BrokerRefused
from mts1b_brokers.paper import FillPolicy, MaintenanceWindow, PaperClient, VenueProfile

__all__ = ["SimVenue", "TrueVenue"]

Watch = Callable[[Order], None]
WatchChange = Callable[[str, Decimal], None]

_AS_LATE_AS_PROMISED = 0.98
_SLOW = 0.25
"""How many of the orders are slow where the way to the venue is."""
_BURST = 3
"""Messages at once where the venue limits them; one of them is kept for cancels."""


class TrueVenue:
    """The venue itself. It outlives every process, and remembers what arrived and how often.

    ``arrived`` counts, by key, the submissions that a venue WITHOUT any memory of keys would have
    taken as orders: the OMS must not rely on the venue to notice a second one.
    """

    def __init__(
        self,
        net: SimNet,
        *,
        cash: Decimal,
        lag_s: float,
        new_ids: bool = False,
        forgets_refusals: bool = False,
        maintenance: tuple[MaintenanceWindow, ...] = (),
    ) -> None:
        self._net = net
        spacing, timer = net.faults.spacing_s, net.faults.dead_man_s
        self.paper = PaperClient(
            profile=VenueProfile(
                fill=FillPolicy.QUOTE,
                fee_bps_per_side=Decimal(1),
                initial_cash=cash,
                replace_changes_id=new_ids,
                orders_per_s=1.0 / spacing if spacing > 0.0 else None,
                burst=_BURST if spacing > 0.0 else None,
                dead_man_max_s=timer if timer > 0.0 else None,
                maintenance=maintenance,
            ),
            clock=net.loop.clock,
        )
        self.lag_s = lag_s
        self.deaf_until = 0.0
        """Until when the venue answers nobody."""
        self.arrived: Counter[str] = Counter()
        self.refused: dict[str, Order] = {}
        self.forgets_refusals = forgets_refusals
        self.taken_at: dict[str, float] = {}
        self.orders: dict[str, Order] = {}
        self.shown_at: dict[str, float] = {}

    async def account(self) -> AccountSnapshot:
        """Return cash and positions."""
        return await self.paper.account_snapshot()

    async def submit(self, order: Order) -> Order:
        """Take an order."""
        theirs = await self.paper.submit(order)
        self.arrived[order.idempotency_key] += 1
        self.taken_at.setdefault(order.idempotency_key, self._net.loop.time())
        self.orders[order.order_id] = order
        return theirs

    def held(self, fund: str, strategy: str, symbol: str) -> Decimal:
        """Return how many units of a symbol were bought for a strategy, less what it sold."""
        venue = self.paper._venue
        owner = (fund, strategy, symbol)
        return Decimal(0) if venue is None else venue.state.holdings.get(owner, Decimal(0))

    @property
    def is_closed(self) -> bool:
        """Return whether the venue is in maintenance."""
        profile = self.paper.profile
        if profile is None or not profile.maintenance:
            return False
        return profile.closed_until(self._net.loop.clock.now()) is not None

    def open_up(self) -> None:
        """End maintenance and the limit on messages."""
        venue, profile = self.paper._venue, self.paper.profile
        if profile is None:
            return
        kind = profile.with_(maintenance=(), orders_per_s=None, burst=None)
        self.paper.profile = kind
        if venue is not None:
            venue.profile = kind

    async def fire(self) -> None:
        """Let a dead-man timer that has run out cancel, and count it."""
        venue = self.paper._venue
        if venue is None or venue.fired(self._net.loop.clock.now()) is None or self.is_closed:
            return
        stops = len(venue.state.open_orders())
        self._net.counters.hit("H7 dead-man timer ran out")
        self._net.trace.record(self._net.loop.time(), "dead-man", stops)
        await self.paper.get_positions()

    async def quote(self, quote: Quote) -> None:
        """Move the market; fills are told some time later. In maintenance nothing moves."""
        if self.is_closed:
            return
        await self.fire()
        await self.paper.on_quote(quote)
        self.tell()

    def tell(self) -> None:
        """Decide when each execution is told that happened since the last call."""
        venue = self.paper._venue
        if venue is None:
            return
        late = self._net.faults.late_fill_s
        fills = venue.state.fills
        for fill in fills[len(self.shown_at) :]:
            delay = self._net.rng.uniform(0.0, late) if late > 0.0 else 0.0
            if delay > 1.0:
                self._net.counters.hit("venue.late_fill")
            self.shown_at[fill.fill_id] = self._net.loop.time() + delay
            self._net.trace.record(
                self._net.loop.time(), "fill", fill.fill_id, fill.order_id, fill.quantity
            )

    async def correct(self) -> None:
        """Take back or restate one of the last executions, told or not.

        Only in ways that leave no strategy with more than it was told of: what a buyer loses, and
        money. What a venue adds, nobody can keep below a cap.
        """
        if self.is_closed:
            return
        fills, _ = await self.paper.fills_since(None)
        told, _ = await self.paper.corrections_since(None)
        busted = {one.fill_id for one in told if one.kind is CorrectionKind.BUST}
        last = [fill for fill in fills[-10:] if fill.fill_id not in busted]
        if not last:
            return
        net = self._net
        untold = [fill for fill in last if not self.is_shown(fill, net.loop.time())]
        if untold and net.rng.random() < 0.5:
            last = untold
        fill = last[net.rng.integer(0, len(last) - 1)]
        kind = ("bust", "amend", "fee")[net.rng.integer(0, 2)] if fill.side.sign > 0 else "fee"
        if kind == "bust":
            await self.paper.bust(fill.fill_id, "an error at the venue")
        elif kind == "amend":
            await self.paper.amend(fill.fill_id, price=fill.price - Decimal("0.5"))
        else:
            await self.paper.fee(fill.fill_id, fees=fill.fees + Decimal("0.07"))
        early = not self.is_shown(fill, net.loop.time())
        net.counters.hit(f"B8 {kind}{' before its fill' if early else ''}")
        net.trace.record(net.loop.time(), kind, fill.fill_id)

    def is_shown(self, fill: Fill, now: float) -> bool:
        """Return whether the venue tells of an execution yet."""
        return now >= self.shown_at.get(fill.fill_id, math.inf)


class SimVenue:
    """One OMS process's connection to the venue.

    An answer is lost after the act or before it, the venue can be deaf, an order is shown late, a
    fill is told late, twice and out of order.

    :param watch: called with each order at the last moment before it leaves, awaiting nothing.
    :param watch_change: called so with the id and new quantity of each change of an order.
    """

    name = "paper"

    def __init__(
        self,
        truth: TrueVenue,
        net: SimNet,
        watch: Watch,
        watch_change: WatchChange = lambda order_id, quantity: None,
    ) -> None:
        self._truth = truth
        self._net = net
        self._watch = watch
        self._watch_change = watch_change
        self.told_refused: set[str] = set()
        """The keys whose refusal was told over this connection."""
        self.looked = False
        """Whether the account was read over this connection."""

    def capabilities(self) -> VenueCard:
        """Return the card."""
        card = self._truth.paper.capabilities()
        return card.with_(visibility_lag_s=self._truth.lag_s)

    async def _wire(self) -> None:
        if self._net.loop.time() < self._truth.deaf_until:
            self._net.counters.hit("venue.deaf")
            await asyncio.sleep(1.0)
            raise TimeoutError("the venue does not answer")
        await asyncio.sleep(self._net.rng.uniform(0.0005, 0.02))
        if self._truth.is_closed:
            self._net.counters.hit("venue.closed")
        await self._truth.fire()

    async def _query(self) -> None:
        """Be on the way of a query, whose answer may be lost."""
        await self._wire()
        if self._net.takes(self._net.faults.query_lost, "D5 query failed"):
            raise TimeoutError("no answer to the query")

    async def submit(self, order: Order) -> Order:
        """Submit; the answer may be lost."""
        self._watch(order)
        net, faults = self._net, self._net.faults
        net.trace.record(net.loop.time(), "send", order.order_id)
        if net.takes(_SLOW if faults.venue_slow_s > 0.0 else 0.0, "A2 slow on its way"):
            await asyncio.sleep(net.rng.uniform(0.0, faults.venue_slow_s))
        await self._wire()
        if net.takes(faults.venue_timeout / 2.0, "A4 not executed"):
            await asyncio.sleep(1.0)
            raise TimeoutError("no answer; the order did not arrive")
        if net.takes(faults.venue_refuse, "venue.refused"):
            self._truth.refused[order.idempotency_key] = order.with_(
                status=OrderStatus.REJECTED,
                rejected_code="VENUE_RISK",
                rejected_reason="the venue does not want this order",
            )
            self.told_refused.add(order.idempotency_key)
            raise BrokerRefused("the venue does not want this order", code="VENUE_RISK")
        with self._limited("A11 order refused by the limit on messages"):
            theirs = await self._truth.submit(order)
        if net.takes(faults.venue_timeout / 2.0, "A3 executed"):
            await asyncio.sleep(1.0)
            raise TimeoutError("no answer; the order did arrive")
        await asyncio.sleep(net.rng.uniform(0.0005, 0.02))
        return theirs

    async def cancel(self, order_id: str) -> bool:
        """Cancel; the answer may be lost."""
        net = self._net
        await self._wire()
        if net.takes(net.faults.venue_timeout / 2.0, "C2 cancel not executed"):
            raise TimeoutError("no answer; nothing was cancelled")
        with self._limited("C9 cancel refused by the limit on messages"):
            done = await self._truth.paper.cancel(order_id)
        if net.takes(net.faults.venue_timeout / 2.0, "C2 cancel executed"):
            raise TimeoutError("no answer; the cancel was carried out")
        return done

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Change an open order; the answer may be lost."""
        self._watch_change(order_id, quantity)
        net = self._net
        net.trace.record(net.loop.time(), "change", order_id, quantity, limit_price)
        await self._wire()
        if net.takes(net.faults.venue_timeout / 2.0, "C5 replace not executed"):
            await asyncio.sleep(1.0)
            raise TimeoutError("no answer; nothing was changed")
        with self._limited("C5 change refused by the limit on messages"):
            theirs = await self._truth.paper.replace(
                order_id, quantity=quantity, limit_price=limit_price
            )
        if net.takes(net.faults.venue_timeout / 2.0, "C5 replace executed"):
            await asyncio.sleep(1.0)
            raise TimeoutError("no answer; the change was made")
        await asyncio.sleep(net.rng.uniform(0.0005, 0.02))
        return theirs

    async def cancel_all_after(self, seconds: float) -> None:
        """Arm the dead-man timer anew; the answer may be lost."""
        await self._wire()
        await self._truth.paper.cancel_all_after(seconds)
        if self._net.takes(self._net.faults.query_lost, "H7 renewal without an answer"):
            raise TimeoutError("no answer; the timer was renewed")

    @contextmanager
    def _limited(self, name: str) -> Iterator[None]:
        """Count a message that the venue's limit on messages kept out."""
        try:
            yield
        except BrokerRefused as error:
            if error.code == "RATE_LIMITED":
                self._net.counters.hit(name)
            raise

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Return every correction after the cursor, whether its fill was told or not."""
        await self._query()
        paper, start = self._truth.paper, int(cursor or 0)
        if start and self._net.takes(self._net.faults.repeat_fill, "B8 correction told again"):
            return await paper.corrections_since(str(start - 1))
        return await paper.corrections_since(cursor)

    def _hidden(self, key: str) -> bool:
        if self._truth.lag_s == 0.0:
            return False
        taken = self._truth.taken_at.get(key)
        if taken is None:
            return False
        hidden = self._net.loop.time() < taken + _AS_LATE_AS_PROMISED * self._truth.lag_s
        if hidden:
            self._net.counters.hit("A10 shown late")
        return hidden

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Return the order; what was taken a moment ago may not be shown."""
        await self._query()
        if self._hidden(idempotency_key):
            return None
        refused = self._truth.refused.get(idempotency_key)
        if refused is not None and self._truth.forgets_refusals:
            return None
        return refused or await self._truth.paper.get_order_by_key(idempotency_key)

    async def get_open_orders(self) -> list[Order]:
        """Return the open orders that are shown."""
        await self._query()
        found = await self._truth.paper.get_open_orders()
        return [order for order in found if not self._hidden(order.idempotency_key)]

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return fills that are told by now; the cursor stops before the first that is not."""
        await self._query()
        start = int(cursor or 0)
        every, _ = await self._truth.paper.fills_since(None)
        now, told = self._net.loop.time(), start
        found: list[Fill] = []
        while told < len(every) and self._truth.is_shown(every[told], now):
            found.append(every[told])
            told += 1
        early = [f for f in every[told + 1 :] if self._truth.is_shown(f, now)]
        if early:
            self._net.counters.hit("B7 out of order", len(early))
        if start and self._net.takes(self._net.faults.repeat_fill, "B1 told again"):
            found = [every[start - 1], *found]
        return [*early, *found], str(told)

    async def get_positions(self) -> list[Position]:
        """Return the positions."""
        await self._query()
        return await self._truth.paper.get_positions()

    async def account_snapshot(self) -> AccountSnapshot:
        """Return cash and positions, with every execution that has happened."""
        await self._query()
        account = await self._truth.account()
        self.looked = True
        return account

    async def stream_fills(self) -> AsyncIterator[Fill]:
        """Tell now and then that there is news; the history is what counts."""
        seen = 0
        while True:
            await asyncio.sleep(0.5)
            if self._truth.is_closed:
                continue
            every, _ = await self._truth.paper.fills_since(None)
            if len(every) == seen:
                continue
            now = self._net.loop.time()
            shown = [f for f in every if self._truth.is_shown(f, now)]
            if len(shown) > seen:
                seen = len(shown)
                yield shown[-1]
