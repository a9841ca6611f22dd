"""The venue of its own process is held to the cards over a real line, which is cut."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal

from mts1b_brokers import PaperClient, VenueProfile
from mts1b_brokers.remote_client import RemoteVenue
from mts1b_brokers.remote_server import VenueServer
from mts1b_foundation import Order
from mts1b_platform.clock import SystemClock
from mts1b_pluginsdk.conformance import BROKER_CARDS, Group, Verdict, check_broker

PROFILE = VenueProfile(dead_man_max_s=60.0, replace_changes_id=True)


class Relay:
    """A line between client and venue that can be cut, also in the middle of a call."""

    def __init__(self, venue_port: int) -> None:
        self._venue_port = venue_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_cut, self.loses = False, ""

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        self.hang_up()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        far, venue = await asyncio.open_connection("127.0.0.1", self._venue_port)
        self._writers |= {client, venue}
        pumps = [self._pump(near, venue, "request"), self._pump(far, client, "answer")]
        tasks = [asyncio.ensure_future(one) for one in pumps]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._writers -= {client, venue}
        for writer in (client, venue):
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: str
    ) -> None:
        """Carry lines one way until the line is cut; the venue's greeting is no answer."""
        greets = way == "answer"
        while line := await reader.readline():
            if self.is_cut:
                return
            if self.loses == way and not greets:
                self.loses = ""
                return
            greets = False
            writer.write(line)


class DrivenRemote(RemoteVenue):
    """A remote client whose venue is told the time at once, not with the next bars."""

    paper: PaperClient

    def set_time(self, now: datetime) -> None:
        super().set_time(now)
        self.paper.set_time(now)


class RemoteSandbox:
    """A venue behind a socket, with its desk, its screen and its line."""

    async def open(self) -> None:
        self._paper = PaperClient(profile=PROFILE)
        self._server = VenueServer(self._paper, clock=SystemClock())
        self._relay = Relay(await self._server.start())
        self._port = await self._relay.start()

    async def close(self) -> None:
        await self._relay.close()
        await self._server.close()
        await self._paper.close()

    def connect(self) -> DrivenRemote:
        client = DrivenRemote(f"127.0.0.1:{self._port}", card=self._paper.capabilities())
        client.paper = self._paper
        return client

    async def bust(self, fill_id: str) -> None:
        await self._paper.bust(fill_id)

    async def amend(self, fill_id: str, *, quantity: Decimal, price: Decimal) -> None:
        await self._paper.amend(fill_id, quantity=quantity, price=price)

    async def charge(self, fill_id: str, *, fees: Decimal) -> None:
        await self._paper.fee(fill_id, fees=fees)

    async def enter(self, order: Order) -> None:
        await self._paper.external(order)

    def cut(self) -> None:
        self._relay.is_cut = True
        self._relay.hang_up()

    def mend(self) -> None:
        self._relay.is_cut = False

    def lose_request(self) -> None:
        self._relay.loses = "request"

    def lose_answer(self) -> None:
        self._relay.loses = "answer"


def test_the_remote_venue_passes_what_it_claims() -> None:
    report = asyncio.run(check_broker(RemoteSandbox, cards=BROKER_CARDS))
    assert [(one.number, one.detail) for one in report.failed] == []
    outage = {card.number for card in BROKER_CARDS if card.number.startswith(("B81", "B82"))}
    passed = {one.number for one in report.results if one.verdict is Verdict.PASSED}
    assert len(outage) == 13
    assert outage <= passed
    assert {one.group for one in report.results if one.number in passed} == set(Group) - {
        Group.LIMITS
    }
