"""The venue's end of the line: what clients ask is done by a paper venue, one act at a time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, cast

from mts1b_foundation import Fill, Order
from mts1b_foundation.orders import FillCorrection
from mts1b_foundation.protocols import CorrectionHistory, DeadManTimer, ReplaceOrders
from mts1b_platform.clock import Clock

from mts1b_brokers import remote_wire as wire
from mts1b_brokers.errors import BrokerError, BrokerRefused
from mts1b_brokers.paper import PaperClient

__all__ = ["VenueServer"]


class VenueServer:
    """Serve a venue on the loopback interface. There is no log-in: it is for simulations.

    :param paper: the venue; whoever made it closes it.
    :param clock: its monotonic time stamps what arrives, comparable between processes.
    :param wire: a file that gets a line for each submission: seconds at which the line was
        read off the socket, key, order id, and ``new`` or ``again``. ``again`` is a submission
        of an order that the venue has already: a second order at a venue that knows no keys.
    """

    def __init__(self, paper: PaperClient, *, clock: Clock, wire: Path | None = None) -> None:
        self.paper = paper
        self.clock = clock
        self.lines: set[_Line] = set()
        self._wire = None if wire is None else _open(wire)
        self._server: asyncio.Server | None = None
        self._arriving: set[str] = set()
        self._news = asyncio.Condition()
        self._follower: asyncio.Task[None] | None = None

    async def start(self, port: int = 0) -> int:
        """Open the record and listen; return the port.

        :param port: taken where it is free; 0 for any.
        :raises VenueUnavailable: when the record can not be read.
        """
        await self.paper.open()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Line(self), "127.0.0.1", port)
        except OSError:
            self._server = await loop.create_server(lambda: _Line(self), "127.0.0.1", 0)
        self._follower = asyncio.create_task(self._follow())
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self) -> None:
        """Stop listening and drop every line."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for line in tuple(self.lines):
            await line.drop()
        if self._server is not None:
            await self._server.wait_closed()
        if self._wire is not None:
            os.close(self._wire)
            self._wire = None

    async def _follow(self) -> None:
        """Wake whoever waits for fills."""
        _, cursor = await self.paper.fills_since(None)
        async for _ in self.paper.stream_fills(cursor):
            async with self._news:
                self._news.notify_all()

    async def value_of(self, ask: wire.Ask, at: float) -> Any:
        """Do what was asked.

        :param at: monotonic seconds at which it was read.
        :raises BrokerError, ValueError, OSError: as the venue does.
        """
        paper = self.paper
        match ask:
            case wire.AskSubmit(order=order):
                return await self._submit(order, at)
            case wire.AskByKey(key=key):
                return await paper.get_order_by_key(key)
            case wire.AskFills(cursor=cursor, wait_s=wait_s):
                return await self._fills(cursor, wait_s)
            case wire.AskBars(now=now, bars=bars):
                if now is not None:
                    paper.set_time(now)
                return await paper.on_bars(bars)
            case wire.AskQuote(quote=quote):
                return await paper.on_quote(quote)
            case wire.AskOpenOrders():
                return await paper.get_open_orders()
            case wire.AskPositions():
                return await paper.get_positions()
            case wire.AskAccount():
                return await paper.account_snapshot()
            case _:
                return await self._changed(ask)

    async def _changed(self, ask: wire.Ask) -> Any:
        venue: object = self.paper
        match ask:
            case wire.AskCancel(order_id=order_id):
                return await self.paper.cancel(order_id)
            case wire.AskCancelAll():
                return await self.paper.cancel_all()
            case wire.AskReplace() if isinstance(venue, ReplaceOrders):
                return await venue.replace(
                    ask.order_id, quantity=ask.quantity, limit_price=ask.limit_price
                )
            case wire.AskDeadMan(seconds=seconds) if isinstance(venue, DeadManTimer):
                return await venue.cancel_all_after(seconds)
            case wire.AskAdjustment(adjustment=one):
                return await self.paper.play_adjustment(one)
            case wire.AskCorrections(cursor=cursor):
                return await self._corrections(cursor)
            case _:
                raise BrokerRefused(
                    f"venue {self.paper.name} can not do this: {type(ask).__name__}",
                    code="NOT_SUPPORTED",
                )

    async def _submit(self, order: Order, at: float) -> Order:
        key = order.idempotency_key
        known = key in self._arriving
        self._arriving.add(key)
        try:
            known = known or await self.paper.get_order_by_key(key) is not None
            if self._wire is not None:
                text = f"{at:.6f} {key} {order.order_id} {'again' if known else 'new'}\n"
                os.write(self._wire, text.encode())
            return await self.paper.submit(order)
        finally:
            self._arriving.discard(key)

    async def _fills(self, cursor: str | None, wait_s: float) -> tuple[list[Fill], str]:
        found, after = await self.paper.fills_since(cursor)
        if found or wait_s <= 0.0:
            return found, after
        try:
            async with asyncio.timeout(wait_s), self._news:
                found, after = await self.paper.fills_since(cursor)
                while not found:
                    await self._news.wait()
                    found, after = await self.paper.fills_since(cursor)
        except TimeoutError:
            return [], after
        return found, after

    async def _corrections(self, cursor: str | None) -> tuple[list[FillCorrection], str]:
        venue: object = self.paper
        if isinstance(venue, CorrectionHistory):
            return await venue.corrections_since(cursor)
        return [], cursor or ""  # a venue that corrects nothing has corrected nothing


class _Line(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: VenueServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._server.lines.add(self)
        self._write(wire.Greeting(card=self._server.paper.capabilities()).model_dump_json())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client; what it asked for is finished all the same."""
        self._server.lines.discard(self)

    def data_received(self, data: bytes) -> None:
        at = self._server.clock.monotonic()
        *whole, self._rest = (self._rest + data).split(b"\n")
        for text in whole:
            task = asyncio.create_task(self._answer(text, at))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, text: bytes, at: float) -> None:
        try:
            ask = wire.ANY_ASK.validate_json(text)
        except ValueError:
            self._hang_up()
            return
        try:
            value = await self._server.value_of(ask, at)
            shown = wire.VALUES[type(ask)].dump_json(value).decode()
        except (BrokerError, ValueError, OSError) as error:
            failed = wire.Answer(number=ask.number, error=wire.failure_of(error))
            self._write(failed.model_dump_json(exclude_unset=True))
        else:
            self._write(f'{{"number":{ask.number},"value":{shown}}}')

    def _write(self, text: str) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(text.encode() + b"\n")

    def _hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def drop(self) -> None:
        """End the connection; acts that are on their way end with it or are completed."""
        self._hang_up()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
