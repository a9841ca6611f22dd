"""The trader's end of the line: a venue in another process, behind the broker protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from mts1b_foundation import Bar, Fill, Order, Position, Quote
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.protocols import AccountSnapshot, VenueCard
from pydantic import ValidationError
from pydantic_core import from_json

from mts1b_brokers import remote_wire as wire
from mts1b_brokers.errors import BrokerConfigError, VenueUnavailable

__all__ = ["RemoteVenue", "address_of"]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LAST_PORT = 65_535
_STREAM_S = 5.0
_AGAIN_S = 0.2


class RemoteVenue:
    """A simulated venue that runs as its own process; see :mod:`mts1b_brokers.remote`.

    Connects when it is first needed and again after a connection broke. A time-out, a broken
    connection and an answer that can not be read raise :class:`VenueUnavailable`: they are no
    evidence of anything, and what was asked may have been done. Nothing is sent twice by itself.

    :param address: ``HOST:PORT`` on this machine.
    :param card: what the venue is expected to promise; one that greets with another card is not
        talked to.
    :param timeout_s: how long an answer may take.
    :raises BrokerConfigError: when the address is not one of this machine.
    """

    def __init__(self, address: str, *, card: VenueCard, timeout_s: float = 2.0) -> None:
        self._host, self._port = address_of(address)
        self._card = card
        self._timeout_s = timeout_s
        self._now: datetime | None = None
        self._number = 0
        self._line: _Line | None = None
        self._greeting: _Line | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    @property
    def name(self) -> str:
        """Return the venue's name."""
        return str(self._card.venue)

    def capabilities(self) -> VenueCard:
        """Return the card."""
        return self._card

    async def open(self) -> None:
        """Connect now, instead of when the venue is first needed.

        :raises VenueUnavailable: when it does not answer, or greets with another card.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._connected()
        except (TimeoutError, OSError) as error:
            raise self._unavailable(error) from error

    async def close(self) -> None:
        """Hang up, also where it is only connecting; streams of fills end."""
        self._closed = True
        for line in (self._line, self._greeting):
            if line is not None:
                line.hang_up()

    async def _connected(self) -> _Line:
        async with self._connecting:
            self._require_open()
            if self._line is None or self._line.is_broken:
                loop = asyncio.get_running_loop()
                _, line = await loop.create_connection(_Line, self._host, self._port)
                self._greeting = line
                try:
                    self._require_open()
                    await self._check(line)
                    self._require_open()
                    self._line = line
                except ConnectionError:
                    self._require_open()
                    raise
                finally:
                    self._greeting = None
                    if self._line is not line:
                        line.hang_up()
            return self._line

    def _require_open(self) -> None:
        if self._closed:
            raise VenueUnavailable(f"the line to venue {self.name} is closed")

    async def _check(self, line: _Line) -> None:
        theirs, ours = dict(await line.greeting), dict(self._card)
        differing = [name for name in ours if theirs[name] != ours[name]]
        if differing:
            shown = ", ".join(
                f"{name} {theirs[name]} instead of {ours[name]}" for name in differing
            )
            raise VenueUnavailable(
                f"the venue at {self._host}:{self._port} promises {shown}; give both sides the "
                "same settings"
            )

    def _unavailable(self, error: BaseException) -> VenueUnavailable:
        why = str(error) or f"no answer within {self._timeout_s:g} s"
        return VenueUnavailable(
            f"venue {self.name} at {self._host}:{self._port}: {why}; it may have been done, ask"
        )

    async def _ask(self, kind: type[wire.Ask], *, waits_s: float = 0.0, **fields: Any) -> Any:
        """Ask once and return the value.

        :param waits_s: how long the venue may wait before it answers.
        :raises BrokerRefused: what the venue refused, for certain.
        :raises ValueError: when the venue can make nothing of the question.
        :raises VenueUnavailable: in every other case; whether it was done is not known.
        """
        self._number += 1
        ask = kind(number=self._number, **fields)
        try:
            async with asyncio.timeout(self._timeout_s + waits_s):
                answer = await (await self._connected()).ask(ask)
        except (TimeoutError, OSError) as error:
            raise self._unavailable(error) from error
        if answer.error is None:
            return self._read(kind, answer.value)
        known = wire.raised_by(answer.error)
        raise known if known is not None else VenueUnavailable(answer.error.text)

    def _read(self, kind: type[wire.Ask], value: object) -> Any:
        try:
            return wire.VALUES[kind].validate_python(value)
        except ValidationError as error:
            raise self._unavailable(error) from error

    async def submit(self, order: Order) -> Order:
        """Submit an order; return it with the venue's id and state."""
        found: Order = await self._ask(wire.AskSubmit, order=order)
        return found

    async def cancel(self, order_id: str) -> bool:
        """Cancel an open order; True only when the venue confirmed it."""
        done: bool = await self._ask(wire.AskCancel, order_id=order_id)
        return done

    async def cancel_all(self) -> list[str]:
        """Cancel all; return the order ids that are confirmed cancelled."""
        found: list[str] = await self._ask(wire.AskCancelAll)
        return found

    async def replace(
        self, order_id: str, *, quantity: Decimal, limit_price: Decimal | None
    ) -> Order:
        """Change an open order."""
        found: Order = await self._ask(
            wire.AskReplace, order_id=order_id, quantity=quantity, limit_price=limit_price
        )
        return found

    async def get_open_orders(self) -> list[Order]:
        """List the open orders."""
        found: list[Order] = await self._ask(wire.AskOpenOrders)
        return found

    async def get_order_by_key(self, idempotency_key: str) -> Order | None:
        """Return the order with a key, in any state."""
        found: Order | None = await self._ask(wire.AskByKey, key=idempotency_key)
        return found

    async def get_positions(self) -> list[Position]:
        """List the positions."""
        found: list[Position] = await self._ask(wire.AskPositions)
        return found

    async def account_snapshot(self) -> AccountSnapshot:
        """Return cash and positions of one moment."""
        found: AccountSnapshot = await self._ask(wire.AskAccount)
        return found

    async def fills_since(self, cursor: str | None) -> tuple[list[Fill], str]:
        """Return the fills after ``cursor`` (None: all), oldest first, and the new cursor.

        :raises ValueError: when the cursor is not one of this venue.
        """
        found: tuple[list[Fill], str] = await self._ask(wire.AskFills, cursor=cursor)
        return found

    async def corrections_since(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        """Return the corrections after ``cursor`` (None: all), oldest first, and the new one."""
        found: tuple[list[FillCorrection], str] = await self._ask(
            wire.AskCorrections, cursor=cursor
        )
        return found

    async def cancel_all_after(self, seconds: float) -> None:
        """Cancel all ``seconds`` from now unless called again; 0 disarms."""
        await self._ask(wire.AskDeadMan, seconds=seconds)

    async def play_adjustment(self, one: AdjustBooks) -> AdjustBooks:
        """Move money or stock of the account without an order, once for each id."""
        played: AdjustBooks = await self._ask(wire.AskAdjustment, adjustment=one)
        return played

    def set_time(self, now: datetime) -> None:
        """Set the venue's time (aware); it is told with the next bars."""
        if now.tzinfo is None:
            raise ValueError("the venue's time must be aware, e.g. with tzinfo=UTC")
        self._now = now

    async def on_bars(self, bars: Sequence[Bar]) -> None:
        """Match the open orders against bars; the same bar twice does nothing."""
        await self._ask(wire.AskBars, now=self._now, bars=tuple(bars))

    async def on_quote(self, quote: Quote) -> None:
        """Match the open orders against the best bid and ask."""
        await self._ask(wire.AskQuote, quote=quote)

    async def stream_fills(self, cursor: str | None = None) -> AsyncIterator[Fill]:
        """Yield every fill after ``cursor`` (None: from the first ever), then each new one.

        Goes on where it was after a connection broke; ends when this is closed.
        """
        while not self._closed:
            try:
                found, cursor = await self._ask(
                    wire.AskFills, cursor=cursor, wait_s=_STREAM_S, waits_s=_STREAM_S
                )
            except VenueUnavailable:
                await asyncio.sleep(_AGAIN_S)
                continue
            for fill in found:
                yield fill


class _Line(asyncio.Protocol):
    """One connection; what is asked over it is answered over it, or not at all."""

    def __init__(self) -> None:
        self.greeting: asyncio.Future[VenueCard] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[int, asyncio.Future[wire.Answer]] = {}
        self._parts: list[bytes] = []

    @property
    def is_broken(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def ask(self, ask: wire.Ask) -> wire.Answer:
        """Send and wait for the answer.

        :raises ConnectionError: when the line breaks before there is one.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection broke")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[wire.Answer] = loop.create_future()
        self._waiting[ask.number] = future
        try:
            self._transport.write(ask.model_dump_json().encode() + b"\n")
            return await future
        finally:
            del self._waiting[ask.number]

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError("the connection broke"))
        if not self.greeting.done():
            self.greeting.set_exception(ConnectionResetError("it hung up before it greeted"))
            self.greeting.exception()  # looked at, so that nobody has to wait for it

    def data_received(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._parts.append(first)
        for part in others:
            self._take(b"".join(self._parts))
            self._parts = [part]

    def _take(self, text: bytes) -> None:
        try:
            if not self.greeting.done():
                self.greeting.set_result(wire.Greeting.model_validate_json(text).card)
                return
            answer = wire.Answer.model_validate(from_json(text))
        except ValueError:
            self.hang_up()  # what can not be read is no answer
            return
        future = self._waiting.get(answer.number)
        if future is not None and not future.done():
            future.set_result(answer)


def address_of(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    :raises BrokerConfigError: when it is no address of this machine.
    """
    host, _, port = address.rpartition(":")
    if host not in _LOOPBACK or not (port.isdecimal() and 0 < int(port) <= _LAST_PORT):
        raise BrokerConfigError(
            f"venue.address is {address!r}; give HOST:PORT of this machine, e.g. 127.0.0.1:4711"
        )
    return host, int(port)
