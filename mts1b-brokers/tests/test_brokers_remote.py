"""A venue in another process: the same answers, and no evidence where there is none."""

import asyncio
import contextlib
import signal
import socket
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_brokers import (
    BrokerConfigError,
    BrokerRefused,
    KeyReuseMismatch,
    PaperClient,
    VenueProfile,
    VenueUnavailable,
    create_venue,
)
from mts1b_brokers.paper import FillPolicy
from mts1b_brokers.registry import check_settings
from mts1b_brokers.remote import RemoteVenue, VenueServer
from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind
from mts1b_foundation.protocols import (
    AccountQuery,
    BrokerProtocol,
    CancelAllOrders,
    CapabilityCard,
    CorrectionHistory,
    DeadManTimer,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
    SimulatedVenue,
)
from mts1b_platform.clock import SystemClock, VirtualClock
from mts1b_platform.config import Settings, VenueSettings
from mts1b_platform.ids import SystemIds

D = Decimal
CAPABILITIES = (
    BrokerProtocol,
    OrderQuery,
    FillHistory,
    AccountQuery,
    CancelAllOrders,
    CapabilityCard,
    ReplaceOrders,
    CorrectionHistory,
    DeadManTimer,
    SimulatedVenue,
)


class _SlowPaper(PaperClient):
    """A venue that takes its time to answer, after it has acted."""

    pause_s = 0.0

    def __post_init__(self):
        super().__post_init__()
        self.acted = asyncio.Event()

    async def submit(self, order):
        taken = await super().submit(order)
        self.acted.set()
        await asyncio.sleep(self.pause_s)
        return taken


@pytest.fixture
async def desk(tmp_path, start):
    """A venue behind a line: (the venue itself, its server, a client, the port)."""
    profile = VenueProfile(fill=FillPolicy.IMMEDIATE)
    paper = _SlowPaper(profile=profile, home=tmp_path, clock=VirtualClock(start))
    server = VenueServer(paper, clock=SystemClock(), wire=tmp_path / "wire.log")
    port = await server.start()
    venue = RemoteVenue(f"127.0.0.1:{port}", card=paper.capabilities(), timeout_s=0.5)
    yield paper, server, venue, port
    await venue.close()
    await server.close()
    await paper.close()


def test_it_has_every_capability_that_the_paper_venue_has():
    venue = RemoteVenue("127.0.0.1:1", card=PaperClient().capabilities())
    for protocol in CAPABILITIES:
        assert isinstance(venue, protocol) or not isinstance(PaperClient(), protocol)
    assert venue.name == "paper"


async def test_it_answers_as_the_venue_itself_does(desk, make_order, make_bar):
    paper, _, venue, _ = desk
    bar = make_bar(0, 100)
    venue.set_time(bar.timestamp)
    await venue.on_bars([bar])
    taken = await venue.submit(make_order("k1"))
    resting = await venue.submit(make_order("k2", order_type="limit", limit_price=D(90)))
    assert taken.submitted_at is not None
    assert await venue.get_order_by_key("k1") == await paper.get_order_by_key("k1")
    assert await venue.get_order_by_key("nobody") is None
    assert await venue.get_open_orders() == await paper.get_open_orders() == [resting]
    assert await venue.get_positions() == await paper.get_positions() != []
    assert await venue.account_snapshot() == await paper.account_snapshot()
    fills, cursor = await venue.fills_since(None)
    assert (fills, cursor) == await paper.fills_since(None)
    assert [fill.quantity for fill in fills] == [10]
    assert await venue.fills_since(cursor) == ([], cursor)
    assert await venue.cancel("order-k2") is True
    assert await venue.cancel("order-k2") is False
    await venue.submit(make_order("k3", order_type="limit", limit_price=D(90)))
    assert await venue.cancel_all() == ["order-k3"]
    assert await venue.get_open_orders() == []


async def test_replace_corrections_and_the_dead_man_go_over_the_line(desk, make_order, make_bar):
    paper, _, venue, _ = desk
    await venue.submit(make_order("k1", order_type="limit", limit_price=D(90)))
    changed = await venue.replace("order-k1", quantity=D(20), limit_price=D(91))
    assert (changed.quantity, changed.limit_price) == (20, 91)
    assert await venue.get_open_orders() == await paper.get_open_orders()
    with pytest.raises(BrokerRefused):
        await venue.replace("order-nobody", quantity=D(20), limit_price=None)
    await venue.on_bars([make_bar(0, 100)])
    await venue.submit(make_order("k2"))
    [fill] = (await venue.fills_since(None))[0]
    correction = await paper.bust(fill.fill_id, "a mistake")
    found, cursor = await venue.corrections_since(None)
    assert found == [correction]
    assert await venue.corrections_since(cursor) == ([], cursor)
    with pytest.raises(BrokerRefused, match="dead-man"):
        await venue.cancel_all_after(5.0)


async def test_what_moves_the_account_without_an_order_goes_over_the_line(desk):
    paper, _, venue, _ = desk
    one = AdjustBooks(
        adjustment_id="a-1",
        kind=AdjustmentKind.DEPOSIT,
        fund_id="f",
        strategy_id="s",
        cash_usd=D(500),
        reason="a test",
        signed_by="operator:ann",
        requested_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    before = (await venue.account_snapshot()).cash_usd
    assert await venue.play_adjustment(one) == one
    await venue.play_adjustment(one)
    assert (await paper.account_snapshot()).cash_usd == before + 500
    with pytest.raises(BrokerRefused, match="says something else"):
        await venue.play_adjustment(one.with_(cash_usd=D(5)))


async def test_what_the_venue_refuses_is_refused_here(desk, make_order):
    _, _, venue, _ = desk
    await venue.submit(make_order("k1", quantity=1))
    with pytest.raises(KeyReuseMismatch, match="k1"):
        await venue.submit(make_order("k1", quantity=2))
    with pytest.raises(BrokerRefused) as refused:
        await venue.submit(make_order("k2", order_id="order-k1"))
    assert refused.value.code == "DUPLICATE_ORDER_ID"
    with pytest.raises(BrokerRefused) as refused:
        await venue.submit(make_order("k3", mode="live"))
    assert refused.value.code == "WRONG_MODE"
    with pytest.raises(ValueError, match="cursor"):
        await venue.fills_since("99")


async def test_a_time_out_is_no_evidence(desk, make_order):
    paper, _, venue, _ = desk
    paper.pause_s = 5.0
    with pytest.raises(VenueUnavailable) as silent:
        await venue.submit(make_order("k1"))
    assert not isinstance(silent.value, BrokerRefused)
    assert (await venue.get_order_by_key("k1")).order_id == "order-k1"


async def test_a_broken_line_is_no_evidence_and_is_mended(desk, make_order):
    paper, server, venue, _ = desk
    paper.pause_s = 5.0
    asked = asyncio.create_task(venue.submit(make_order("k1")))
    await paper.acted.wait()
    for line in tuple(server.lines):
        await line.drop()
    with pytest.raises(VenueUnavailable, match="broke"):
        await asked
    assert (await venue.get_order_by_key("k1")).order_id == "order-k1"


async def test_nobody_listening_is_no_evidence(desk, make_order):
    _, server, venue, _ = desk
    await server.close()
    with pytest.raises(VenueUnavailable):
        await venue.submit(make_order("k1"))


@pytest.mark.parametrize(
    ("answer", "begin"),
    [
        (b"nonsense\n", "submit"),
        (b'{"number":1,"value":{"order_id":1}}\n', "submit"),
        (b'{"number":1}\n', "ask"),
        (b'{"number":1,"error":null}\n', "ask"),
        (b'{"number":1,"value":null,"error":{"kind":"refused","code":"C","text":"t"}}\n', "ask"),
    ],
)
async def test_an_answer_that_can_not_be_read_is_no_evidence(make_order, answer, begin):
    card = PaperClient().capabilities()
    greeting = b'{"card":' + card.model_dump_json().encode() + b"}\n"

    ended = asyncio.Event()

    async def talk(reader, writer):
        writer.write(greeting)
        await reader.readline()
        writer.write(answer)
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionResetError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    venue = RemoteVenue(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", card=card)
    with pytest.raises(VenueUnavailable):
        if begin == "submit":
            await venue.submit(make_order("k1"))
        else:
            await venue.get_order_by_key("k1")
    await venue.close()
    await ended.wait()
    server.close()
    await server.wait_closed()


class _Mute:
    """A venue that takes a connection and greets only when it is told to."""

    def __init__(self, card):
        self._greeting = b'{"card":' + card.model_dump_json().encode() + b"}\n"
        self.called, self.left = asyncio.Event(), asyncio.Event()
        self.greets = asyncio.Event()

    async def talk(self, reader, writer):
        self.called.set()
        greet = asyncio.create_task(self._greet(writer))
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        self.left.set()
        greet.cancel()
        writer.close()

    async def _greet(self, writer):
        await self.greets.wait()
        writer.write(self._greeting)


@pytest.mark.parametrize("begin", ["open", "get_open_orders"])
async def test_closing_ends_a_connection_that_is_only_beginning(begin):
    card = PaperClient().capabilities()
    mute = _Mute(card)
    async with await asyncio.start_server(mute.talk, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        venue = RemoteVenue(address, card=card, timeout_s=60.0)
        waiting = asyncio.create_task(getattr(venue, begin)())
        async with asyncio.timeout(5):
            await mute.called.wait()
            await venue.close()
            with pytest.raises(VenueUnavailable, match="is closed"):
                await waiting
            await mute.left.wait()


@pytest.mark.parametrize("turns", range(12))
async def test_no_connection_outlives_a_close_whenever_that_comes(turns):
    card = PaperClient().capabilities()
    mute = _Mute(card)
    mute.greets.set()
    async with await asyncio.start_server(mute.talk, "127.0.0.1", 0) as server:
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        venue = RemoteVenue(address, card=card, timeout_s=60.0)
        opening = asyncio.create_task(venue.open())
        for _ in range(turns):
            await asyncio.sleep(0)
        await venue.close()
        async with asyncio.timeout(5):
            with contextlib.suppress(VenueUnavailable):
                await opening
            if mute.called.is_set():
                await mute.left.wait()
        with pytest.raises(VenueUnavailable, match="is closed"):
            await venue.open()


async def test_a_venue_with_another_card_is_not_talked_to(desk, make_order):
    paper, _, _, port = desk
    other = paper.capabilities().with_(visibility_lag_s=3.0)
    venue = RemoteVenue(f"127.0.0.1:{port}", card=other)
    with pytest.raises(VenueUnavailable, match="same settings"):
        await venue.submit(make_order("k1"))
    assert await paper.get_order_by_key("k1") is None


async def test_a_line_that_makes_no_sense_is_hung_up_on(desk):
    _, _, venue, port = desk
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    writer.write(b'{"act":"format_disk","number":1}\n')
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    assert await venue.get_open_orders() == []


async def test_the_stream_goes_on_after_the_line_broke(desk, make_order, make_bar):
    paper, server, venue, _ = desk
    await venue.on_bars([make_bar(0, 100)])
    await venue.submit(make_order("k1"))
    stream = venue.stream_fills()
    assert (await anext(stream)).order_id == "order-k1"
    following = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    for line in tuple(server.lines):
        await line.drop()
    await paper.submit(make_order("k2"))
    assert (await following).order_id == "order-k2"
    await venue.close()
    assert [fill async for fill in stream] == []


async def test_the_wire_log_tells_a_second_submission_of_a_living_order(desk, tmp_path, make_order):
    _, _, venue, _ = desk
    before = SystemClock().monotonic()
    await asyncio.gather(*(venue.submit(make_order("k1")) for _ in range(2)))
    await venue.submit(make_order("k2"))
    rows = [line.split() for line in (tmp_path / "wire.log").read_text().splitlines()]
    assert [(row[1], row[3]) for row in rows] == [("k1", "new"), ("k1", "again"), ("k2", "new")]
    assert all(before <= float(row[0]) <= SystemClock().monotonic() + 1e-6 for row in rows)


NOWHERE = ["10.0.0.1:5", "127.0.0.1", "127.0.0.1:x", "", "127.0.0.1:0", "localhost:65536"]


@pytest.mark.parametrize("address", NOWHERE)
def test_only_an_address_of_this_machine_is_taken(address):
    with pytest.raises(BrokerConfigError, match="HOST:PORT"):
        RemoteVenue(address, card=PaperClient().capabilities())
    with pytest.raises(BrokerConfigError, match="HOST:PORT"):
        check_settings(Settings(venue={"address": address}))
    check_settings(Settings(venue={"address": "127.0.0.1:65535"}))


async def _start(home: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "mts1b_brokers.remote", "--home", str(home)]
    return await asyncio.create_subprocess_exec(*command, "--port-file", str(home / "port"))


async def _until_up(venue: RemoteVenue) -> None:
    async with asyncio.timeout(15):
        while True:
            with contextlib.suppress(VenueUnavailable):
                await venue.open()
                return
            await asyncio.sleep(0.02)


async def test_killed_it_comes_back_with_all_that_it_had_taken(tmp_path, make_order, make_bar):
    """The process, its settings, its address by the settings, a kill -9 and a restart."""
    (tmp_path / "mts.yaml").write_text("venue: {fill: immediate}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "port").write_text(address.rpartition(":")[2])
    child = await _start(tmp_path)
    settings = Settings(venue=VenueSettings(fill="immediate", address=address))
    venue = create_venue(settings, home=tmp_path, clock=SystemClock(), ids=SystemIds())
    assert isinstance(venue, RemoteVenue)
    await _until_up(venue)
    await venue.on_bars([make_bar(0, 100)])
    await venue.submit(make_order("k1"))
    before = await venue.account_snapshot(), await venue.fills_since(None)
    child.send_signal(signal.SIGKILL)
    await child.wait()
    with pytest.raises(VenueUnavailable):
        await venue.submit(make_order("k2"))
    child = await _start(tmp_path)
    await _until_up(venue)
    after = await venue.account_snapshot(), await venue.fills_since(None)
    assert after[1] == before[1]
    assert after[0].cash_usd == before[0].cash_usd
    assert await venue.get_order_by_key("k2") is None
    await venue.close()
    child.terminate()
    assert await child.wait() == 0
