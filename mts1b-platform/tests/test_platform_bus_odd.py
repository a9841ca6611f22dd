"""What no ordinary day brings to the bus: frozen servers, huge payloads, odd ids, full streams."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from mts1b_foundation import Symbol
from mts1b_foundation.nats import OMS_NAV_UPDATED, STREAMS, bars_subject
from mts1b_platform.eventbus import nats as nats_module
from mts1b_platform.eventbus import nats_client
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import BusError, RemoteError, RequestTimeout
from mts1b_platform.eventbus.server import NatsServer
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.service.base import Service
from mts1b_platform.store import OutboxRelay, Store
from mts1b_platform.store import outbox as outbox_module
from mts1b_platform.supervision import end_tasks
from platform_pruning import DATA, SUBJECT, tell
from sqlalchemy.ext.asyncio import AsyncConnection


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    made = NatsServer(tmp_path)
    await made.start()
    yield made
    os.kill(made.pid or 0, signal.SIGCONT)
    await made.stop()


@pytest.fixture
async def bus(server: NatsServer, tmp_path: Path) -> AsyncIterator[NatsBus]:
    from mts1b_platform.eventbus.server import read_address

    made = await NatsBus.connect(lambda: read_address(tmp_path, {}))
    yield made
    await made.close()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not what():  # noqa: ASYNC110 (nothing tells)
            await asyncio.sleep(0.02)


async def echo(data: bytes) -> bytes:
    return data


async def test_a_reply_that_is_too_large_is_told_to_who_asked(bus: NatsBus) -> None:
    async def large(data: bytes) -> bytes:
        return b"x" * 5_000_000

    await bus.serve("x.large", large)
    with pytest.raises(RemoteError, match="5000000 bytes") as told:
        await bus.request("x.large", b"", timeout_s=5)
    assert told.value.code == "REPLY_TOO_LARGE"


async def test_what_can_not_be_sent_is_told_at_once_and_is_no_silence(bus: NatsBus) -> None:
    await bus.ensure_stream(STREAMS["OMS"])
    await bus.serve("x.echo", echo)
    for subject, data in (("x.echo", b"x" * 5_000_000), ("x. echo", b"")):
        with pytest.raises(BusError, match="nothing was sent") as told:
            await bus.request(subject, data, timeout_s=5)
        assert not isinstance(told.value, RequestTimeout)
    with pytest.raises(BusError, match="nothing was sent"):
        async with asyncio.timeout(1):
            await bus.publish_durable(SUBJECT, b"x" * 5_000_000, message_id="a")
    assert await bus.request("x.echo", b"x" * 4_000_000, timeout_s=5)
    assert await bus.request("x.echo", b"", timeout_s=5) == b""


@pytest.mark.parametrize("odd", ["a\r\nNats-Expected-Last-Sequence: 77", "ü ", " a", "50%", "%20"])
async def test_an_id_of_any_characters_is_one_id(bus: NatsBus, odd: str) -> None:
    await bus.ensure_stream(STREAMS["OMS"])
    acks = [await bus.publish_durable(SUBJECT, DATA, message_id=odd) for _ in range(2)]
    assert [ack.duplicate for ack in acks] == [False, True]
    reader = await bus.consumer("OMS", "r", start_sequence=1, acknowledge=False)
    (message,) = await reader.fetch(5, timeout_s=1)
    assert message.message_id == odd


async def test_an_event_that_no_bus_would_take_is_refused_before_it_holds_up_others(
    tmp_path: Path,
) -> None:
    store = await Store.open(tmp_path / "s.sqlite", name="s")
    with pytest.raises(ValueError, match="4000001 bytes"):
        await tell(store, "a", data=b"x" * 4_000_001)
    await tell(store, "b", data=b"x" * 4_000_000)
    await store.close()


async def test_serving_on_a_frozen_server_ends_as_an_error_of_the_bus(
    bus: NatsBus, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_module, "_SETTLE_S", 1)
    os.kill(server.pid or 0, signal.SIGSTOP)
    with pytest.raises(BusError, match="does not answer"):
        await bus.serve("x.echo", echo)


async def test_a_server_that_answers_no_ping_is_left(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mts1b_platform.eventbus.server import read_address

    monkeypatch.setattr(nats_client, "_PING_S", 0.3)
    bus = await NatsBus.connect(lambda: read_address(tmp_path, {}))
    await bus.serve("x.echo", echo)
    os.kill(server.pid or 0, signal.SIGSTOP)
    await until(lambda: not bus.connected)
    os.kill(server.pid or 0, signal.SIGCONT)
    await until(lambda: bus.connected)
    assert await bus.request("x.echo", b"a", timeout_s=5) == b"a"
    await bus.close()


class Idle(Service):
    """Has a relay, and says what of it is wrong."""

    name = "idle"

    async def start(self) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""


class Given:
    """As much of a context as its health needs."""

    def __init__(self, bus: NatsBus, relays: list[OutboxRelay]) -> None:
        self.bus = bus
        self.relays = relays


class Notes:
    """A log that keeps how loud each line was."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, event: str, **more: object) -> None:
        self.lines.append("warning")

    def info(self, event: str, **more: object) -> None:
        self.lines.append("info")


async def test_a_full_stream_shows_in_the_health_and_loses_nothing(
    bus: NatsBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_TELL_AFTER_S", 0.2)
    log = Notes()
    store = await Store.open(tmp_path / "s.sqlite", name="s")
    await bus.ensure_stream(STREAMS["OMS"])
    await resize(bus, max_msgs=1)
    relay = OutboxRelay(store, bus, STREAMS["OMS"], log)
    await relay.start()
    given: Any = Given(bus, [relay])
    service = Idle(given)
    assert await service.health() == {"bus": "ok", "outbox": "ok"}
    task = asyncio.create_task(relay.run())
    await tell(store, "a", "b", "c")
    await until(lambda: relay.waits_for is not None)
    checks = await service.health()
    assert "maximum messages exceeded" in checks["outbox"]
    assert OMS_NAV_UPDATED in checks["outbox"]
    await until(lambda: log.lines == ["warning"])  # once, however long it lasts
    await resize(bus, max_msgs=-1)
    await until(lambda: relay.waits_for is None and relay.head == 3)
    assert log.lines == ["warning", "info"]
    await end_tasks([task])
    await store.close()


async def resize(bus: NatsBus, *, max_msgs: int) -> None:
    """Let the stream refuse what is more."""
    from nats.js.api import DiscardPolicy

    config = (await bus._stream_api.stream_info("OMS")).config
    config.max_msgs, config.discard = max_msgs, DiscardPolicy.NEW
    await bus._stream_api.update_stream(config)


BAR = json.dumps(
    {
        "symbol": "AAA",
        "interval": "1d",
        "timestamp": "2026-01-02T00:00:00Z",
        **dict.fromkeys(("open", "high", "low", "close", "volume"), "1"),
    }
).encode()


async def test_prices_are_kept_up_to_a_limit_and_their_readers_go_on(
    bus: NatsBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest of each subject goes; a reader that is behind takes what is left."""
    stream = STREAMS["MARKETDATA"]
    await bus.ensure_stream(dataclasses.replace(stream, fast=False))  # one of before
    monkeypatch.setattr(nats_module, "_FAST_MESSAGES", 3)
    await bus.limit_stream(stream)
    seen: list[str] = []

    async def note(tx: AsyncConnection, event: Event) -> None:
        seen.append(event.message_id)

    store = await Store.open(tmp_path / "r.sqlite", name="r")
    pump = EventPump(bus, store, name="r", streams=["MARKETDATA"], handler=note)
    await pump.start()
    before = await bus.stream_info("MARKETDATA")

    async def publish(symbol: str, *names: str) -> None:
        for name in names:
            subject = bars_subject(Symbol(symbol), "1d")
            await bus.publish_durable(subject, BAR, message_id=name)

    await publish("AAA", "a1")
    task = asyncio.create_task(pump.run(idle_s=0.1))
    await until(lambda: seen == ["a1"])
    await end_tasks([task])
    await publish("BBB", "b1")
    await publish("AAA", "a2", "a3", "a4", "a5", "a6")
    assert (await bus.stream_info("MARKETDATA")).incarnation == before.incarnation
    task = asyncio.create_task(pump.run(idle_s=0.1))
    await publish("AAA", "a7")
    await until(lambda: "a7" in seen)
    await end_tasks([task])
    await pump.close()
    again = EventPump(bus, store, name="r", streams=["MARKETDATA"], handler=note)
    await publish("AAA", "a8", "a9", "a10", "a11", "a12")
    await again.start()
    task = asyncio.create_task(again.run(idle_s=0.1))
    await publish("BBB", "b2")
    await until(lambda: seen[-1] == "b2")
    assert seen[-4:] == ["a10", "a11", "a12", "b2"]
    assert len(seen) == len(set(seen))
    await end_tasks([task])
    await again.close()
    await store.close()
