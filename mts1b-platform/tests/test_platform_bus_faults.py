"""What a bus does to readers: dead ones, later schemas, a long backlog, a history that is gone."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mts1b_foundation import Symbol
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.nats import OMS_NAV_UPDATED, STREAMS, quotes_subject, with_fund
from mts1b_platform.eventbus import memory_stream
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.store import Store
from sqlalchemy.ext.asyncio import AsyncConnection

metadata = sa.MetaData()
effects = sa.Table("effects", metadata, sa.Column("name", sa.Text, primary_key=True))
AT = datetime(2026, 1, 2, 21, tzinfo=UTC)


class Dies(BaseException):
    """The process ends here."""


class Reader:
    """Record each event; die before the commit of the one that is named."""

    def __init__(self, die_at: str = "") -> None:
        self.die_at = die_at

    async def __call__(self, tx: AsyncConnection, event: Event) -> None:
        await tx.execute(effects.insert().values(name=event.message_id))
        if event.message_id == self.die_at:
            raise Dies


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "reader.sqlite", metadata=metadata, name="reader")
    yield opened
    await opened.close()


async def bus_of(window_s: float = 120.0) -> LocalBus:
    bus = LocalBus()
    await bus.ensure_stream(STREAMS["OMS"], duplicate_window_s=window_s)
    return bus


async def publish(bus: LocalBus, name: str, **changes: Any) -> None:
    nav = NavSnapshot(fund_id="f", as_of=AT, nav_usd=Decimal(1), cash_usd=Decimal(0))
    data = json.dumps(nav.model_dump(mode="json") | changes).encode()
    await bus.publish_durable(with_fund(OMS_NAV_UPDATED, "f"), data, message_id=name)


async def pump_of(bus: LocalBus, store: Store, reader: Reader) -> EventPump:
    pump = EventPump(bus, store, name="reader", streams=["OMS"], handler=reader)
    await pump.start()
    return pump


async def seen(store: Store) -> list[str]:
    async with store.read() as tx:
        return sorted((await tx.execute(sa.select(effects.c.name))).scalars())


async def test_e3_what_is_published_again_after_a_purge_has_its_effect_once(store: Store) -> None:
    for _ in range(2):
        bus = await bus_of()
        pump = await pump_of(bus, store, Reader())
        for name in ("a", "b"):
            await publish(bus, name)
        await pump.drain({"OMS": 2})
        await pump.close()
    assert await seen(store) == ["a", "b"]


async def test_e4_a_reader_that_dies_before_its_commit_reads_on_from_there(store: Store) -> None:
    bus = await bus_of()
    for name in ("a", "b", "c"):
        await publish(bus, name)
    pump = await pump_of(bus, store, Reader(die_at="b"))
    with pytest.raises(Dies):
        await pump.drain({"OMS": 3})
    assert await seen(store) == ["a"] or await seen(store) == []

    pump = await pump_of(bus, store, Reader())
    await pump.drain({"OMS": 3})
    assert await seen(store) == ["a", "b", "c"]


async def test_a_reader_knows_whether_it_has_read_all(store: Store) -> None:
    bus = await bus_of()
    pump = await pump_of(bus, store, Reader())
    assert await pump.has_read_all("OMS")
    await publish(bus, "a")
    assert not await pump.has_read_all("OMS")
    await pump.drain({"OMS": 1})
    assert await pump.has_read_all("OMS")
    await pump.close()


@pytest.mark.parametrize(
    "later",
    [
        {"color": "red"},
        {"nav_usd": "NaN"},
        {"nav_usd": None},
        {"as_of": "9999-12-31T23:59:59-12:00"},  # in UTC a year that there is not
        {"as_of": "0001-01-01T00:00:00+14:00"},
    ],
)
async def test_e12_what_a_later_schema_says_is_refused_never_guessed(
    store: Store, later: dict[str, Any]
) -> None:
    bus = await bus_of()
    dead: list[bytes] = []

    async def bury(message: Any) -> None:
        dead.append(message.data)

    await bus.subscribe("mts.dead.>", bury)
    pump = await pump_of(bus, store, Reader())
    await publish(bus, "later", **later)
    await publish(bus, "good")

    assert await pump.drain({"OMS": 2}) == 1
    await asyncio.sleep(0)
    assert await seen(store) == ["good"]
    assert len(dead) == 1


async def test_e7_a_reader_far_behind_holds_little_in_memory(store: Store) -> None:
    bus = await bus_of()
    for number in range(3_000):
        await publish(bus, f"m-{number:04d}")
    pump = await pump_of(bus, store, Reader())

    tracemalloc.start()
    assert await pump.drain({"OMS": 3_000}) == 3_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(await seen(store)) == 3_000
    assert peak < 20e6, f"{peak / 1e6:.1f} MB for 3,000 small events"


async def test_a_reader_that_may_be_late_takes_what_comes_together_in_one_commit(
    store: Store,
) -> None:
    bus, names = await bus_of(), [f"n{number}" for number in range(5)]
    commits: asyncio.Queue[list[str]] = asyncio.Queue()

    async def at_end(tx: AsyncConnection) -> None:
        await commits.put(sorted((await tx.execute(sa.select(effects.c.name))).scalars()))

    pump = EventPump(bus, store, name="reader", streams=["OMS"], handler=Reader(), at_end=at_end)
    await pump.start()
    running = asyncio.create_task(pump.run(linger_s=0.2))
    for name in names:
        await publish(bus, name)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(10):
        assert await commits.get() == names
    running.cancel()
    await bus.close()


async def test_prices_in_memory_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go; who is behind takes what is left, and numbers go on."""
    monkeypatch.setattr(memory_stream, "_FAST_KEPT", 5)
    bus, subject = LocalBus(), quotes_subject(Symbol("AAA"))
    await bus.ensure_stream(STREAMS["MARKETDATA"])

    async def quote(numbers: range) -> None:
        for number in numbers:
            await bus.publish_durable(subject, b"", message_id=f"q{number}")

    behind = await bus.consumer("MARKETDATA", "behind", ack_wait_s=0.0)
    follows = await bus.consumer("MARKETDATA", "f", start_sequence=1, acknowledge=False)
    await quote(range(1, 4))
    assert [m.sequence for m in await behind.fetch(2, timeout_s=0)] == [1, 2]
    assert len(await follows.fetch(9, timeout_s=0)) == 3
    before = await bus.stream_info("MARKETDATA")
    await quote(range(4, 24))
    info = await bus.stream_info("MARKETDATA")
    assert (info.incarnation, info.first_sequence, info.last_sequence) == (
        before.incarnation,
        16,
        23,
    )
    expected = [(number, f"q{number}") for number in range(16, 24)]
    for reader in (behind, follows):
        messages = await reader.fetch(50, timeout_s=0)
        assert [(m.sequence, m.message_id) for m in messages] == expected
    anew = await bus.consumer("MARKETDATA", "anew", start_sequence=3)
    assert len(await anew.fetch(50, timeout_s=0)) == 8


async def test_events_in_memory_are_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_stream, "_FAST_KEPT", 2)
    bus = await bus_of()
    for number in range(9):
        await publish(bus, f"n{number}")
    assert (await bus.stream_info("OMS")).first_sequence == 1
