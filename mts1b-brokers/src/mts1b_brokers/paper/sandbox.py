"""Accounts at the paper venue for the conformance cards: nobody has to write a sandbox first."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from mts1b_foundation import Fill, Order, Position
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.protocols import AccountSnapshot, BrokerProtocol

from mts1b_brokers.paper.client import PaperClient
from mts1b_brokers.paper.profile import VenueProfile

__all__ = ["PaperSandbox", "StrictSandbox"]

T = TypeVar("T")


class _Line:
    """What carries calls to the venue; a card may cut it, or lose a call on its way or back."""

    def __init__(self) -> None:
        self.is_cut = False
        self.loses = ""

    async def carry(self, call: Coroutine[Any, Any, T]) -> T:
        loses, self.loses = self.loses, ""
        if self.is_cut or loses == "request":
            call.close()
            raise ConnectionError("the wire is cut")
        answer = await call
        if loses == "answer":
            raise TimeoutError("no answer came")
        return answer


class _WiredClient(PaperClient):
    """A client of the paper venue behind a line."""

    line: _Line

    async def submit(self, order: Order) -> Order:
        return await self.line.carry(super().submit(order))

    async def cancel(self, order_id: str) -> bool:
        return await self.line.carry(super().cancel(order_id))

    async def cancel_all(self) -> list[str]:
        return await self.line.carry(super().cancel_all())

    async def get_open_orders(self) -> list[Order]:
        return await self.line.carry(super().get_open_orders())

    async def get_positions(self) -> list[Position]:
        return await self.line.carry(super().get_positions())

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        return await self.line.carry(super().get_order_by_key(idempotency_key))

    async def account_snapshot(self) -> AccountSnapshot:
        return await self.line.carry(super().account_snapshot())

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        return await self.line.carry(super().fills_since(cursor))

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        return await self.line.carry(super().corrections_since(cursor))

    async def stream_fills(self, cursor: str | None = None) -> AsyncIterator[Fill]:
        async for fill in super().stream_fills(cursor):
            yield fill


class _LastingClient(_WiredClient):
    """A client without a record, which no reconnection ends."""

    close = None  # type: ignore[assignment]


class PaperSandbox:
    """A new account at the paper venue, with its desk, its screen and its wire.

    :param broker: makes the broker under test of a client of the account, its only way there;
        None tries the paper venue itself.
    :param profile: how the venue behaves; by default kind.
    :param home: where the account is kept. None: in a temporary folder that :meth:`close` removes.
    :param in_memory: keep nothing; one client serves every connection, and no restart is tried.
    """

    def __init__(
        self,
        broker: Callable[[PaperClient], BrokerProtocol] | None = None,
        *,
        profile: VenueProfile | None = None,
        home: Path | None = None,
        in_memory: bool = False,
    ) -> None:
        self._broker = broker
        self._profile = profile or VenueProfile()
        self._home = home
        self._in_memory = in_memory
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._line = _Line()
        self._client: _WiredClient | None = None
        self._clients: list[_WiredClient] = []

    async def open(self) -> None:
        """Make the place where the account is kept."""
        if self._home is None and not self._in_memory:
            self._folder = tempfile.TemporaryDirectory(prefix="mts-paper-")
            self._home = Path(self._folder.name)

    async def close(self) -> None:
        """End the account, and what is left of its clients."""
        for client in self._clients:
            if client.close is not None:
                await client.close()
        if self._folder is not None:
            self._folder.cleanup()

    def connect(self) -> BrokerProtocol:
        """Return the broker under test over a new client of the account."""
        if self._client is None or not self._in_memory:
            kind = _LastingClient if self._in_memory else _WiredClient
            home = None if self._in_memory else self._home
            self._client = kind(home=home, profile=self._profile)
            self._client.line = self._line
            self._clients.append(self._client)
        return self._client if self._broker is None else self._broker(self._client)

    @property
    def _desk(self) -> PaperClient:
        if self._client is None:
            raise ValueError("nobody has connected to this account")
        return self._client

    async def bust(self, fill_id: str) -> None:
        """Take an execution back whole."""
        await self._desk.bust(fill_id)

    async def amend(self, fill_id: str, *, quantity: Decimal, price: Decimal) -> None:
        """State quantity and price of an execution anew."""
        await self._desk.amend(fill_id, quantity=quantity, price=price)

    async def charge(self, fill_id: str, *, fees: Decimal) -> None:
        """State the fees of an execution anew."""
        await self._desk.fee(fill_id, fees=fees)

    async def enter(self, order: Order) -> None:
        """Enter an order as a person at the venue's own screen would."""
        await self._desk.external(order)

    def cut(self) -> None:
        """Let every call fail from now on, before it reaches the venue."""
        self._line.is_cut = True

    def mend(self) -> None:
        """Let calls through again."""
        self._line.is_cut = False

    def lose_request(self) -> None:
        """Lose the next call on its way to the venue."""
        self._line.loses = "request"

    def lose_answer(self) -> None:
        """Let the venue carry out the next call and lose its answer."""
        self._line.loses = "answer"


class StrictSandbox(PaperSandbox):
    """The same at a venue that does everything that makes one hard (profile ``strict``)."""

    def __init__(
        self, broker: Callable[[PaperClient], BrokerProtocol] | None = None, **kept: Any
    ) -> None:
        super().__init__(broker, profile=VenueProfile.named("strict"), **kept)
