"""HTTP, messages, metrics, calendars and symbols: the edges to the world."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.symbology import Symbol
from mts1b_foundation.time import MarketCalendar
from mts1b_platform.calendars import CalendarSpanError, UnknownCalendar, exchange_calendar
from mts1b_platform.http import (
    HttpRefused,
    HttpTimeouts,
    HttpUnavailable,
    http_client,
    raise_for_outcome,
)
from mts1b_platform.messaging import Messenger, MessengerMisconfigured, Urgency
from mts1b_platform.metrics import MetricNameError, Metrics
from mts1b_platform.security import SecretRegistry
from mts1b_platform.symbology import SymbolError, VenueSymbols, normalize_symbol
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

# the alert library itself still imports a module that Python 3.13 drops
alerts = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class Site:
    """A real HTTP server on loopback that answers with one status and keeps what it was sent."""

    def __init__(self, status: str, *, headers: str = "", wait_s: float = 0.0) -> None:
        self.status = status
        self.headers = headers
        self.wait_s = wait_s
        self.bodies: list[bytes] = []
        self.port = 0
        self.visits: set[asyncio.Task[None] | None] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.add(asyncio.current_task())
        try:
            await self._reply(reader, writer)
        finally:
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            (
                int(line.partition(":")[2])
                for line in head.splitlines()
                if line.lower().startswith("content-length:")
            ),
            0,
        )
        self.bodies.append(await reader.readexactly(length))
        await asyncio.sleep(self.wait_s)
        writer.write(
            f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: 2\r\n"
            "Connection: close\r\n\r\nno".encode()
        )
        await writer.drain()


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[str]:
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{site.port}"
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*(visit for visit in site.visits if visit), return_exceptions=True)


async def test_a_refusal_is_evidence_and_holds_no_secret() -> None:
    secrets = SecretRegistry()
    secrets.add("pk_live_123456")
    async with serving(Site("403 Forbidden")) as base, http_client(base_url=base) as client:
        response = await client.get("/orders", params={"q": "pk_live_123456", "apikey": "abc"})
        with pytest.raises(HttpRefused, match="403") as caught:
            raise_for_outcome(response, secrets=secrets)
    assert "pk_live_123456" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize("status", ["429 Too Many", "500 Oops", "503 Away"])
async def test_no_meaningful_answer_is_not_a_refusal(status: str) -> None:
    site = Site(status, headers="Retry-After: 7\r\n")
    async with serving(site) as base, http_client(base_url=base) as client:
        response = await client.post("/orders", json={"a": 1})
        with pytest.raises(HttpUnavailable) as caught:
            raise_for_outcome(response)
    assert caught.value.retry_after_s == 7
    assert json.loads(site.bodies[0]) == {"a": 1}


async def test_a_redirect_is_not_followed() -> None:
    site = Site("302 Found", headers="Location: http://127.0.0.1:1/\r\n")
    async with serving(site) as base, http_client(base_url=base) as client:
        with pytest.raises(HttpRefused, match="302"):
            raise_for_outcome(await client.get("/"))


async def test_a_silent_server_times_out() -> None:
    timeouts = HttpTimeouts(read_s=0.05)
    async with (
        serving(Site("200 OK", wait_s=0.5)) as base,
        http_client(base_url=base, timeouts=timeouts) as client,
    ):
        with pytest.raises(httpx2.ReadTimeout):
            await client.get("/")


async def test_a_success_raises_nothing() -> None:
    async with serving(Site("200 OK")) as base, http_client(base_url=base) as client:
        response = await client.get("/")
        raise_for_outcome(response)
        assert response.status_code == 200


@alerts
async def test_a_message_reaches_its_address_and_says_so() -> None:
    site = Site("200 OK")
    async with serving(site):
        secrets = SecretRegistry()
        url = f"json://user:s3cret-word@127.0.0.1:{site.port}/alerts"
        messenger = Messenger([SecretStr(url)], secrets=secrets)
        outcome = await messenger.send("Fund halted", "drawdown", urgency=Urgency.FAILURE)
    assert [delivery.delivered for delivery in outcome] == [True]
    assert "s3cret-word" not in outcome[0].target
    assert url not in secrets.redact(f"sending to {url}")
    sent = json.loads(site.bodies[0])
    assert (sent["title"], sent["message"], sent["type"]) == ("Fund halted", "drawdown", "failure")


@alerts
async def test_a_message_that_is_not_taken_is_reported_not_raised() -> None:
    site = Site("500 Oops")
    async with serving(site):
        messenger = Messenger([SecretStr(f"json://127.0.0.1:{site.port}/")])
        assert [d.delivered for d in await messenger.send("t", "b")] == [False]


async def test_no_address_sends_nothing() -> None:
    assert await Messenger([]).send("t", "b") == []


@alerts
def test_a_wrong_address_is_told_without_its_secret() -> None:
    with pytest.raises(MessengerMisconfigured, match="address 1") as caught:
        Messenger([SecretStr("nosuchthing://tok_secret_1")])
    assert "tok_secret_1" not in str(caught.value)


def test_metrics_follow_the_naming_rule() -> None:
    metrics = Metrics(CollectorRegistry())
    orders = metrics.counter("oms", "orders", "orders by status", ["status"])
    orders.labels(status="FILLED").inc()
    metrics.histogram("riskengine", "check", "how long a check takes").observe(0.0003)
    metrics.gauge("oms", "nav", "usd", "net asset value").set(5)
    text = metrics.render().decode()
    assert 'mts_oms_orders_total{status="FILLED"} 1.0' in text
    assert "mts_riskengine_check_seconds_count 1.0" in text
    assert "mts_oms_nav_usd 5.0" in text


def test_a_metric_is_made_once_and_has_one_shape() -> None:
    metrics = Metrics(CollectorRegistry())
    first = metrics.counter("oms", "orders", "orders")
    assert metrics.counter("oms", "orders", "orders") is first
    with pytest.raises(MetricNameError, match="labels"):
        metrics.counter("oms", "orders", "orders", ["status"])


@pytest.mark.parametrize(
    ("package", "what", "unit"),
    [("OMS", "nav", "usd"), ("oms", "nav", "dollars"), ("oms", "nav-total", "usd")],
)
def test_a_name_outside_the_rule_is_refused(package: str, what: str, unit: str) -> None:
    with pytest.raises(MetricNameError):
        Metrics(CollectorRegistry()).gauge(package, what, unit, "x")


NYSE = ("XNYS", date(1999, 1, 1), date(2018, 12, 31))


def test_sessions_know_holidays_and_half_days() -> None:
    calendar = exchange_calendar(*NYSE)
    assert isinstance(calendar, MarketCalendar)
    assert calendar.session_on(date(2001, 9, 12)) is None
    assert calendar.session_on(date(2018, 12, 25)) is None
    half = calendar.session_on(date(2018, 11, 23))
    assert half is not None
    assert half.closes_at == datetime(2018, 11, 23, 18, tzinfo=UTC)
    assert len(calendar.sessions(date(1999, 1, 1), date(2018, 12, 31))) == 5031


def test_summer_time_moves_the_open_in_utc() -> None:
    calendar = exchange_calendar(*NYSE)
    winter, summer = calendar.session_on(date(2018, 3, 9)), calendar.session_on(date(2018, 3, 12))
    assert winter is not None
    assert summer is not None
    assert (winter.opens_at.hour, summer.opens_at.hour) == (14, 13)


def test_a_moment_is_in_a_session_or_not() -> None:
    calendar = exchange_calendar(*NYSE)
    inside = calendar.session_at(datetime(2018, 3, 12, 15, tzinfo=UTC))
    assert inside is not None
    assert inside.session_date == date(2018, 3, 12)
    assert calendar.session_at(datetime(2018, 3, 12, 20, tzinfo=UTC)) is None  # the close itself
    assert calendar.session_at(datetime(2018, 3, 11, 15, tzinfo=UTC)) is None
    following = calendar.session_after(datetime(2018, 3, 9, 21, tzinfo=UTC))
    assert following is not None
    assert following.session_date == date(2018, 3, 12)


def test_crypto_never_closes() -> None:
    calendar = exchange_calendar("24/7", date(2024, 1, 1), date(2024, 1, 31))
    assert len(calendar.sessions(date(2024, 1, 1), date(2024, 1, 31))) == 31


def test_a_wrong_calendar_or_span_is_told() -> None:
    with pytest.raises(UnknownCalendar, match="XNYS"):
        exchange_calendar("XNYZ", date(2018, 1, 1), date(2018, 12, 31))
    with pytest.raises(CalendarSpanError, match="longer span"):
        exchange_calendar(*NYSE).session_on(date(2019, 1, 2))
    with pytest.raises(CalendarSpanError):
        exchange_calendar("XNYS", date(2018, 1, 2), date(2018, 1, 1))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (" aapl ", "AAPL"),
        ("brk-b", "BRK.B"),
        ("BRK/B", "BRK.B"),
        ("btc/usd", "BTC-USD"),
        ("eth_usdt", "ETH-USDT"),
        ("es@202612", "ES@202612"),
    ],
)
def test_what_people_write_becomes_one_symbol(written: str, meant: str) -> None:
    assert normalize_symbol(written) == meant


def test_a_venue_spelling_becomes_one_symbol() -> None:
    assert normalize_symbol("XBT/USD", venue="kraken") == "BTC-USD"
    assert normalize_symbol("BRK B", venue="ibkr") == "BRK.B"
    with pytest.raises(SymbolError, match="no symbol table"):
        normalize_symbol("AAPL", venue="nyse")
    with pytest.raises(SymbolError, match="is not a symbol"):
        normalize_symbol("A B C")


@settings(max_examples=50, deadline=None)
@given(st.from_regex(r"[A-Z]{2,5}(\.[A-Z])?", fullmatch=True))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalize_symbol(text)
    assert normalize_symbol(once) == once
    assert isinstance(once, Symbol)


def test_a_universe_translates_both_ways() -> None:
    universe = VenueSymbols("kraken", ["BTC-USD", "ETH-USD"])
    assert universe.native("btc/usd") == "XBT/USD"
    assert universe.symbol("XBT/USD") == "BTC-USD"
    assert len(universe) == 2
    with pytest.raises(SymbolError, match="not in the universe"):
        universe.symbol("DOT/USD")
    with pytest.raises(SymbolError, match="lists no equity"):
        VenueSymbols("kraken", ["AAPL"])


def test_two_symbols_of_one_spelling_are_refused() -> None:
    with pytest.raises(SymbolError, match="both"):
        VenueSymbols("kraken", ["BTC-USD", "XBT-USD"])
