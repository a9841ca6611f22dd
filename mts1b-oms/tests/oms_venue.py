"""A venue that may be silent, blind or late, and dies on either side of each act."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from mts1b_brokers.paper import PaperClient
from mts1b_foundation import Bar, Fill, Order
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.protocols import AccountSnapshot, VenueCard
from oms_fuse import Fuse


class Venue:
    """The paper venue, with checkpoints around each act and scripted silence."""

    def __init__(self, paper: PaperClient, fuse: Fuse) -> None:
        self.paper = paper
        self.name = paper.name
        self.submitted: list[Order] = []
        self.script: list[BaseException | None] = []
        self.before_submit: Callable[[], None] = lambda: None
        self.deaf = False
        self.blind = False
        self.late: list[Fill] = []
        self.corrections: list[FillCorrection] = []
        self.withheld = False
        self.lag_s = 0.0
        self._fuse = fuse

    async def submit(self, order: Order) -> Order:
        self._fuse.checkpoint("before submit")
        error = self.script.pop(0) if self.script else None
        if isinstance(error, ConnectionError):
            raise error
        theirs = await self.paper.submit(order)
        self.submitted.append(order)
        self._fuse.checkpoint("after submit")
        if error is not None:
            raise error
        return theirs

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        self._fuse.checkpoint("before replace")
        error = self.script.pop(0) if self.script else None
        if isinstance(error, ConnectionError):
            raise error
        theirs = await self.paper.replace(order_id, quantity=quantity, limit_price=limit_price)
        self._fuse.checkpoint("after replace")
        if error is not None:
            raise error
        return theirs

    async def cancel(self, order_id: str) -> bool:
        if self.deaf:
            raise TimeoutError("no answer")
        return await self.paper.cancel(order_id)

    async def get_order_by_key(self, key: str) -> Order | None:
        if self.deaf or self.blind:
            raise TimeoutError("no answer")
        return await self.paper.get_order_by_key(key)

    def capabilities(self) -> VenueCard:
        return self.paper.capabilities().with_(visibility_lag_s=self.lag_s)

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        if self.withheld and cursor is not None:
            return [], cursor
        fills, place = await self.paper.fills_since(cursor)
        return fills + self.late, place

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        told, _ = await self.paper.corrections_since(None)
        everything = [*told, *self.corrections]
        return everything[int(cursor or 0) :], str(len(everything))

    async def account_snapshot(self) -> AccountSnapshot:
        if self.deaf:
            raise TimeoutError("no answer")
        return await self.paper.account_snapshot()

    async def get_open_orders(self) -> list[Order]:
        return await self.paper.get_open_orders()

    async def get_positions(self) -> Any:
        return await self.paper.get_positions()

    def stream_fills(self) -> AsyncIterator[Fill]:
        return self.paper.stream_fills()

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        self._fuse.checkpoint("before bars")
        await self.paper.on_bars(bars)
        self._fuse.checkpoint("after bars")

    def set_time(self, now: datetime) -> None:
        self.paper.set_time(now)
