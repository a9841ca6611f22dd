"""A venue whose answers get lost, whose reports are late and wrong, and that has accidents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from mts1b_foundation import Bar, Fill, Order, OrderStatus, Position
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.protocols import AccountSnapshot, VenueCard
from mts1b_platform.clock import Clock
from mts1b_platform.rng import Rng

from mts1b_brokers.errors import BrokerConfigError, BrokerRefused, VenueUnavailable
from mts1b_brokers.faulty.accidents import Accidents
from mts1b_brokers.faulty.faults import Dice, VenueFaults
from mts1b_brokers.faulty.listings import Listings
from mts1b_brokers.faulty.ports import Desk
from mts1b_brokers.faulty.reports import FillReports
from mts1b_brokers.shape import CompleteVenue

__all__ = ["FaultyVenue"]

T = TypeVar("T")


class FaultyVenue:
    """Stand between the order path and a venue, and do to both what real venues do.

    Deterministic: the same calls and the same ``rng`` give the same faults. Each fault is counted
    under its id of the fault catalogue at the moment at which it really happens. Feed the market
    to the wrapped venue or to this one. It belongs to the venue: keep it over a restart of the
    process that trades.

    :param venue: the venue itself; what happens happens there, so its books are the truth.
    :param counters: called with the name of each fault that happens.
    :raises BrokerConfigError: when a fault needs the venue's people and it has none to be had.
    """

    def __init__(
        self,
        venue: CompleteVenue,
        *,
        rng: Rng,
        clock: Clock,
        faults: VenueFaults,
        counters: Callable[[str], None],
    ) -> None:
        desk = venue if isinstance(venue, Desk) else None
        if desk is None and faults.needing_desk():
            raise BrokerConfigError(
                f"venue {venue.name} has no people who could cause "
                f"{', '.join(faults.needing_desk())}; wrap a PaperClient or switch these off"
            )
        self._venue = venue
        self._clock = clock
        self._faults = faults
        self._dice = Dice(rng, counters)
        self._reports = FillReports(venue, clock=clock, dice=self._dice, faults=faults)
        self._accidents = Accidents(
            venue, desk, reports=self._reports, dice=self._dice, faults=faults
        )
        self._listings = Listings(self._dice, faults)
        self._deaf_until = 0.0

    @property
    def name(self) -> str:
        """Return the venue's name."""
        return self._venue.name

    def capabilities(self) -> VenueCard:
        """Return the venue's card: what it promises, not what it does here."""
        return self._venue.capabilities()

    async def _wire(self) -> None:
        if self._clock.monotonic() < self._deaf_until:
            raise VenueUnavailable(f"venue {self.name} does not answer now")
        if self._dice.takes(self._faults.deaf, "venue.maintenance"):
            self._deaf_until = self._clock.monotonic() + self._dice.up_to(self._faults.deaf_s)
            raise VenueUnavailable(f"venue {self.name} went into maintenance")

    async def _sent(
        self,
        act: Callable[[], Awaitable[T]],
        *,
        lost: float,
        done: str,
        undone: str,
        error: type[OSError] = TimeoutError,
    ) -> T:
        """Carry out an act whose answer may be lost, done or not, half and half."""
        if not self._dice.falls(lost):
            return await act()
        arrives = self._dice.falls(0.5)
        if arrives:
            await act()
        self._dice.count(done if arrives else undone)
        await self._clock.sleep(self._faults.answer_s)
        raise error("no answer from the venue")

    async def submit(self, order: Order) -> Order:
        """Submit; anything may become of the answer.

        :raises TimeoutError, ConnectionResetError, ValueError: which say nothing of the order.
        """
        await self._wire()
        return await self._sent(
            lambda: self._submit(order),
            lost=self._faults.timeout,
            done="A3 executed",
            undone="A4 not executed",
        )

    async def _submit(self, order: Order) -> Order:
        theirs = await self._sent(
            lambda: self._arrive(order),
            lost=self._faults.reset,
            done="A11 reset executed",
            undone="A11 reset not executed",
            error=ConnectionResetError,
        )
        if self._dice.takes(self._faults.malformed, "A14 malformed"):
            raise ValueError("status 200 with a body that is no order: '<html>'")
        return theirs

    async def _arrive(self, order: Order) -> Order:
        theirs = await self._venue.submit(order)
        self._accidents.note(order)
        if self._dice.falls(self._faults.reject_later):
            self._accidents.doom(order)
        if self._dice.falls(self._faults.fill_before_ack):
            await self._cross(order.order_id, "B3 fill before ack", whole=False)
            await self._clock.sleep(self._faults.answer_s / 2.0)
        return theirs

    async def _cross(self, order_id: str, name: str, *, whole: bool) -> None:
        if await self._accidents.execute(order_id, whole=whole):
            self._dice.count(name)

    async def cancel(self, order_id: str) -> bool:
        """Cancel; a fill may come in between, and the answer may be lost."""
        await self._wire()
        if self._dice.falls(self._faults.cancel_crosses_fill):
            await self._cross(order_id, "C1 cancel crossed a fill", whole=True)
        return await self._sent(
            lambda: self._venue.cancel(order_id),
            lost=self._faults.cancel_lost,
            done="C2 cancel executed",
            undone="C2 cancel not executed",
        )

    async def cancel_all(self) -> list[str]:
        """Cancel all; the answer may be lost."""
        await self._wire()
        return await self._sent(
            self._venue.cancel_all,
            lost=self._faults.cancel_lost,
            done="C2 cancel-all executed",
            undone="C2 cancel-all not executed",
        )

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Replace; fills cross it, it can kill the order, the answer may be lost."""
        await self._wire()
        if self._dice.falls(self._faults.replace_crosses_fill):
            await self._cross(order_id, "C5 replace crossed a partial fill", whole=False)
        if self._dice.falls(self._faults.replace_kills) and await self._venue.cancel(order_id):
            self._dice.count("C7 refused and gone")
            raise BrokerRefused("replace refused", code="REPLACE_REJECTED")

        async def act() -> Order:
            return await self._replace(order_id, quantity, limit_price)

        return await self._sent(
            act,
            lost=self._faults.replace_lost,
            done="C2 replace executed",
            undone="C2 replace not executed",
        )

    async def _replace(self, order_id: str, quantity: Decimal, limit: Decimal | None) -> Order:
        before = await self._accidents.view(order_id)
        changed = await self._venue.replace(order_id, quantity=quantity, limit_price=limit)
        if before is None or before.broker_order_id == changed.broker_order_id:
            return changed
        self._listings.ended_half(before.with_(status=OrderStatus.CANCELED))
        if self._dice.falls(self._faults.fill_on_new_id):
            await self._cross(changed.order_id, "C6 fill on the new id first", whole=False)
            await self._clock.sleep(self._faults.answer_s / 2.0)
        return changed

    async def cancel_all_after(self, seconds: float) -> None:
        """Set the dead-man timer; the answer may be lost."""
        await self._wire()
        await self._sent(
            lambda: self._venue.cancel_all_after(seconds),
            lost=self._faults.cancel_lost,
            done="H7 timer executed",
            undone="H7 timer not executed",
        )

    async def _ask(self) -> None:
        await self._wire()
        if self._dice.takes(self._faults.query_lost, "D5 query failed"):
            await self._clock.sleep(self._faults.answer_s)
            raise TimeoutError("no answer to the query")

    async def get_open_orders(self) -> list[Order]:
        """Return a listing, which may be incomplete, doubled or old."""
        await self._ask()
        return self._listings.of_orders(await self._venue.get_open_orders())

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Return the order, also one that the venue rejected after it had accepted it."""
        await self._ask()
        rejected = self._accidents.rejected.get(idempotency_key)
        return rejected or await self._venue.get_order_by_key(idempotency_key)

    async def get_positions(self) -> list[Position]:
        """Return the positions, or older ones."""
        await self._ask()
        return self._listings.cached("positions", await self._venue.get_positions())

    async def account_snapshot(self) -> AccountSnapshot:
        """Return cash and positions, or older ones; ``as_of`` tells."""
        await self._ask()
        return self._listings.cached("account", await self._venue.account_snapshot())

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return what the venue tells by now; accidents happen meanwhile."""
        await self._ask()
        await self._reports.refresh()
        await self._accidents.happen()
        await self._reports.refresh()
        return self._reports.since(cursor)

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Return the corrections, also of executions that are not told yet."""
        await self._ask()
        found, after = await self._venue.corrections_since(cursor)
        if found and self._dice.takes(self._faults.repeat, "B8 correction told again"):
            found = [*found, found[-1]]
        return found, after

    async def stream_fills(self) -> AsyncIterator[Fill]:
        """Yield executions as they occur, some of them twice, some under a second id.

        What is told late is not streamed; the history has it in time.
        """
        async for fill in self._venue.stream_fills():
            await self._reports.refresh()
            told = self._reports.streamed(fill)
            if told is None:
                continue
            yield told
            if self._dice.takes(self._faults.repeat, "B1 streamed again"):
                yield told

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Pass the market on to the venue."""
        await self._venue.on_bars(bars)

    def set_time(self, now: datetime) -> None:
        """Set the venue's time."""
        self._venue.set_time(now)
