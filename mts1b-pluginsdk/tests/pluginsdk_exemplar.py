"""A venue in memory that claims everything, for the cards to be tried on.

The tests change its text, one small defect at a time, and see which cards find it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from mts1b_foundation import Bar, CorrectionKind, Fill, FillCorrection, Order, Position
from mts1b_foundation.protocols import AccountSnapshot, VenueCard
from pluginsdk_account import Account
from pluginsdk_books import Traits

__all__ = ["Client", "Exemplar", "Traits"]

T = TypeVar("T")


class Exemplar:
    """A sandbox: one account with its desk, its screen and its wire."""

    def __init__(self, traits: Traits | None = None) -> None:
        self.account = Account(traits or Traits())
        self.is_cut, self.loses = False, ""

    def connect(self) -> Client:
        """Return a new client."""
        return Client(self)

    async def bust(self, fill_id: str) -> None:
        """Take an execution back."""
        self.account.correct(fill_id, CorrectionKind.BUST)

    async def amend(self, fill_id: str, *, quantity: Decimal, price: Decimal) -> None:
        """Correct an execution."""
        self.account.correct(fill_id, CorrectionKind.AMEND, quantity=quantity, price=price)

    async def charge(self, fill_id: str, *, fees: Decimal) -> None:
        """Correct the fees of an execution."""
        self.account.correct(fill_id, CorrectionKind.FEE, fees=fees)

    async def enter(self, order: Order) -> None:
        """Enter an order by hand."""
        self.account.submit(order)

    def cut(self) -> None:
        """Cut the wire."""
        self.is_cut = True

    def mend(self) -> None:
        """Mend it."""
        self.is_cut = False

    def lose_request(self) -> None:
        """Lose the next call."""
        self.loses = "request"

    def lose_answer(self) -> None:
        """Lose the answer to the next call."""
        self.loses = "answer"


class Client:
    """The adapter's side: it ends with its process."""

    name = "exemplar"

    def __init__(self, sandbox: Exemplar) -> None:
        self._sandbox, self._account = sandbox, sandbox.account
        self._closed = False
        self._news = asyncio.Condition()

    async def _call(self, act: Callable[[], T]) -> T:
        """Carry a call to the venue and its answer back."""
        await asyncio.sleep(0)
        sandbox = self._sandbox
        if self._closed or sandbox.is_cut or sandbox.loses == "request":
            sandbox.loses = ""
            raise ConnectionError("the venue can not be reached")
        answer = act()
        await asyncio.sleep(0)
        if sandbox.loses == "answer":
            sandbox.loses = ""
            raise TimeoutError("no answer came")
        return answer

    def capabilities(self) -> VenueCard:
        """Return the card."""
        traits = self._account.traits
        return VenueCard(
            venue=self.name,
            dedupe=traits.dedupe,
            dedupe_window_s=traits.window_s,
            visibility_lag_s=traits.lag_s,
            fill_history_s=traits.history_s,
            order_types=traits.types,
            tifs=traits.tifs,
            replaces=True,
            replace_changes_id=traits.changes_id,
            cancels_all=True,
            corrects=True,
            dead_man_max_s=traits.dead_man_max_s,
            orders_per_s=traits.rate,
        )

    def set_time(self, now: datetime) -> None:
        """Tell the time."""
        self._account.set_time(now)

    async def submit(self, order: Order) -> Order:
        """Submit an order."""
        return await self._call(lambda: self._account.submit(order))

    async def cancel(self, order_id: str) -> bool:
        """Cancel an order."""
        return await self._call(lambda: self._account.cancel(order_id))

    async def cancel_all(self) -> list[str]:
        """Cancel all orders."""
        return await self._call(self._account.cancel_all)

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Replace an order."""
        return await self._call(lambda: self._account.replace(order_id, quantity, limit_price))

    async def cancel_all_after(self, seconds: float) -> None:
        """Set the dead-man timer."""
        await self._call(lambda: self._account.arm(seconds))

    def _listed(self) -> list[Order]:
        entries, now = self._account.open_entries(), self._account.now
        return [one.order for one in entries if one.shown_at <= now]

    async def get_open_orders(self) -> list[Order]:
        """List what works and is shown."""
        return await self._call(self._listed)

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Find an order by its key."""
        entry = await self._call(lambda: self._account.by_key(idempotency_key))
        shown = entry is not None and entry.shown_at <= self._account.now
        return entry.order if entry is not None and shown else None

    async def get_positions(self) -> list[Position]:
        """List positions."""
        return await self._call(self._account.positions)

    def _snapshot(self) -> AccountSnapshot:
        account = self._account
        rows = tuple(account.positions())
        return AccountSnapshot(
            account=self.name, cash_usd=account.cash(), positions=rows, as_of=account.now
        )

    async def account_snapshot(self) -> AccountSnapshot:
        """State cash and positions."""
        return await self._call(self._snapshot)

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Tell fills after a cursor."""
        return await self._call(lambda: self._account.told(cursor))

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Tell corrections after a cursor."""
        found = self._account.corrections
        start = self._account.place(cursor, len(found))
        return await self._call(lambda: (found[start:], str(len(found))))

    async def stream_fills(self) -> AsyncIterator[Fill]:
        """Tell every fill, then each new one."""
        place = 0
        while True:
            while place < len(self._account.fills):
                place += 1
                yield self._account.fills[place - 1][0]
            async with self._news:
                while not self._closed and place == len(self._account.fills):
                    await self._news.wait()
            if place == len(self._account.fills):
                return

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Let the market move."""
        self._account.on_bars(bars)
        await self._tell()

    async def close(self) -> None:
        """End this client."""
        self._closed = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
