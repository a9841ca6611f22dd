"""The store: durable settings, serial transactions, outbox and inbox on both databases."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.nats import OMS_BOOKS_ADJUSTED, OMS_NAV_UPDATED, STREAMS, with_fund
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import EventBus, PublishAck
from mts1b_platform.eventbus.server import NatsServer
from mts1b_platform.pump import Event, EventPump
from mts1b_platform.simulation import DeterministicLoop, run
from mts1b_platform.store import (
    DecimalText,
    OutboxRelay,
    Store,
    StoreClosed,
    StoreError,
    StoreNewer,
    UtcText,
    engine,
)
from mts1b_platform.store.migrations import register_migration
from sqlalchemy.ext.asyncio import AsyncConnection

metadata = sa.MetaData()
facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("amount", DecimalText),
    sa.Column("at", UtcText),
)
AT = datetime(2026, 1, 2, 21, tzinfo=UTC)


def nav(fund: str, amount: int) -> NavSnapshot:
    return NavSnapshot(fund_id=fund, as_of=AT, nav_usd=Decimal(amount), cash_usd=Decimal(0))


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    if request.param == "sqlite":
        return tmp_path / "facts.sqlite"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def store(target: str | Path, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    name = "t_" + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:50]
    opened = await Store.open(target, metadata=metadata, name=name)
    yield opened
    await opened.close()


async def put(tx: AsyncConnection, name: str, amount: str = "1.10") -> None:
    await tx.execute(facts.insert().values(name=name, amount=Decimal(amount), at=AT))


async def names(store: Store) -> list[str]:
    async with store.read() as connection:
        rows = await connection.execute(sa.select(facts.c.name).order_by(facts.c.name))
        return [row.name for row in rows]


async def test_money_and_times_come_back_exact(store: Store) -> None:
    async with store.transaction() as tx:
        await put(tx, "a", "1.10")
    async with store.read() as connection:
        row = (await connection.execute(sa.select(facts))).one()
    assert str(row.amount) == "1.10"
    assert row.at == AT
    assert row.at.tzinfo is not None


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.transaction() as tx:
            await put(tx, "a")
            await store.outbox.add(tx, event_id="e1", subject=OMS_NAV_UPDATED, payload=b"{}")
            raise ZeroDivisionError
    assert await names(store) == []
    async with store.transaction():
        pass
    assert not store.outbox.added.is_set()
    async with store.transaction() as tx:
        await store.outbox.add(tx, event_id="e1", subject=OMS_NAV_UPDATED, payload=b"{}")


async def test_transactions_take_turns(store: Store) -> None:
    async def claim_if_free(who: str) -> None:
        async with store.transaction() as tx:
            found = (await tx.execute(sa.select(sa.func.count()).select_from(facts))).scalar_one()
            await asyncio.sleep(0)
            if found == 0:
                await put(tx, who)

    await asyncio.gather(*(claim_if_free(f"w{n}") for n in range(8)))
    assert len(await names(store)) == 1


async def test_a_transaction_that_does_not_end_keeps_no_store_open(
    target: str | Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CLOSE_S", 0.2)
    store = await Store.open(target, metadata=metadata, name="endless")

    async def hang() -> None:
        async with store.transaction() as tx:
            await put(tx, "a")
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(hang())
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await store.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    again = await Store.open(target, metadata=metadata, name="endless")
    assert await names(again) == []
    await again.close()


async def test_an_event_of_an_unregistered_subject_is_refused(store: Store) -> None:
    async with store.transaction() as tx:
        with pytest.raises(LookupError, match=r"mts\.v1\.oms\.nothing"):
            await store.outbox.add(tx, event_id="e", subject="mts.v1.oms.nothing", payload=b"{}")


async def test_the_relay_publishes_in_order_and_once(store: Store) -> None:
    bus = LocalBus()
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    for n in range(3):
        async with store.transaction() as tx:
            await store.outbox.add(
                tx, event_id=f"e{n}", subject=OMS_NAV_UPDATED, payload=str(n).encode()
            )
    assert await relay.flush() == 3
    assert await relay.flush() == 0
    consumer = await bus.consumer("OMS", "reader")
    assert [m.data for m in await consumer.fetch(10, timeout_s=0.1)] == [b"0", b"1", b"2"]


class LosesAcks(LocalBus):
    """Store the message, then fail: what a lost acknowledgement looks like."""

    failing = True

    async def publish_durable(self, subject: str, data: bytes, **rest: object) -> PublishAck:
        ack = await super().publish_durable(subject, data, **rest)  # type: ignore[arg-type]
        if self.failing:
            raise ConnectionError("ack lost")
        return ack


async def test_a_lost_publish_ack_is_published_again_without_a_second_copy(store: Store) -> None:
    bus = LosesAcks()
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    async with store.transaction() as tx:
        await store.outbox.add(tx, event_id="e", subject=OMS_NAV_UPDATED, payload=b"1")
    with pytest.raises(ConnectionError):
        await relay.flush()
    bus.failing = False
    assert await relay.flush() == 1
    assert (await bus.stream_info("OMS")).last_sequence == 1


class Misses(LocalBus):
    """A bus that does not get one message when it is published first."""

    def __init__(self, missed: bytes) -> None:
        super().__init__()
        self._missed = {missed}

    async def publish_durable(self, subject: str, data: bytes, **rest: object) -> PublishAck:
        if data in self._missed:
            self._missed.remove(data)
            raise ConnectionError("lost on its way")
        return await super().publish_durable(subject, data, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("missed", [b"0", b"1", b"2", b"3"])
async def test_nothing_changes_places_with_an_event_that_is_alone(
    tmp_path: Path, missed: bytes
) -> None:
    """A split was told before a transfer of before it, whose units it then did not count."""
    store, bus = await Store.open(tmp_path / "s.sqlite"), Misses(missed)
    relay = OutboxRelay(store, bus, STREAMS["OMS"])
    await relay.start()
    subjects = [OMS_NAV_UPDATED, OMS_BOOKS_ADJUSTED, OMS_BOOKS_ADJUSTED, OMS_NAV_UPDATED]
    async with store.transaction() as tx:
        for n, subject in enumerate(subjects):
            await store.outbox.add(tx, event_id=f"e{n}", subject=subject, payload=str(n).encode())
    with pytest.raises(ConnectionError):
        await relay.flush()
    await relay.flush()
    consumer = await bus.consumer("OMS", "reader")
    assert [m.data for m in await consumer.fetch(10, timeout_s=0.1)] == [b"0", b"1", b"2", b"3"]
    await store.close()


class NeverAnswers(LocalBus):
    async def publish_durable(self, subject: str, data: bytes, **rest: object) -> PublishAck:
        return await asyncio.get_running_loop().create_future()


def test_the_end_does_not_wait_for_a_bus_that_is_silent(tmp_path: Path) -> None:
    async def main(loop: DeterministicLoop) -> tuple[float, int]:
        store = await Store.open(tmp_path / "store.sqlite")
        relay = OutboxRelay(store, NeverAnswers(), STREAMS["OMS"])
        await relay.start()
        async with store.transaction() as tx:
            await store.outbox.add(tx, event_id="e", subject=OMS_NAV_UPDATED, payload=b"1")
        begin = loop.time()
        await relay.close()
        took = loop.time() - begin
        answers = OutboxRelay(store, LocalBus(), STREAMS["OMS"])
        await answers.start()
        published = await answers.flush()
        await store.close()
        return took, published

    took, published = run(main, seed=1)
    assert 1.9 < took < 2.1
    assert published == 1


async def test_a_stream_made_anew_is_filled_from_the_store(store: Store) -> None:
    async with store.transaction() as tx:
        await store.outbox.add(tx, event_id="e", subject=OMS_NAV_UPDATED, payload=b"1")
    first = OutboxRelay(store, LocalBus(), STREAMS["OMS"])
    await first.start()
    await first.flush()
    wiped = LocalBus()
    second = OutboxRelay(store, wiped, STREAMS["OMS"])
    await second.start()
    assert await second.flush() == 1
    assert (await wiped.stream_info("OMS")).last_sequence == 1


class Counter:
    """Count effects in the store; fail on demand before the commit."""

    def __init__(self) -> None:
        self.fail = False

    async def __call__(self, tx: AsyncConnection, event: Event) -> None:
        assert isinstance(event.payload, NavSnapshot)
        await put(tx, f"{event.message_id}:{event.fund_id}", str(event.payload.nav_usd))
        if self.fail:
            raise OSError("power lost")


async def publish(bus: EventBus, name: str, amount: int) -> None:
    await bus.publish_durable(
        with_fund(OMS_NAV_UPDATED, "f"),
        nav("f", amount).model_dump_json().encode(),
        message_id=name,
    )


async def test_an_event_has_its_effect_once_whatever_is_delivered(store: Store) -> None:
    bus, counter = LocalBus(), Counter()
    await bus.ensure_stream(STREAMS["OMS"], duplicate_window_s=0.0)
    pump = EventPump(bus, store, name="p", streams=["OMS"], handler=counter)
    await pump.start()
    await publish(bus, "a", 1)
    counter.fail = True
    with pytest.raises(OSError, match="power lost"):
        await pump.drain({"OMS": 1})
    assert await names(store) == []
    counter.fail = False
    again = EventPump(bus, store, name="p", streams=["OMS"], handler=counter)
    await again.start()
    assert await again.drain({"OMS": 1}) == 1
    await publish(bus, "a", 1)  # the same id, past the duplicate window: a second copy
    await publish(bus, "b", 2)
    assert (await bus.stream_info("OMS")).last_sequence == 3
    assert await again.drain({"OMS": 3}) == 1
    assert await names(store) == ["a:f", "b:f"]


async def test_a_poison_message_goes_to_the_dead_letters_and_blocks_nothing(store: Store) -> None:
    bus, counter = LocalBus(), Counter()
    await bus.ensure_stream(STREAMS["OMS"])
    dead: list[bytes] = []

    async def bury(message: object) -> None:
        dead.append(message.data)  # type: ignore[attr-defined]

    await bus.subscribe("mts.dead.>", bury)
    pump = EventPump(bus, store, name="p", streams=["OMS"], handler=counter)
    await pump.start()
    await bus.publish_durable(OMS_NAV_UPDATED, b'{"fund_id": 3', message_id="bad")
    await publish(bus, "good", 1)
    assert await pump.drain({"OMS": 2}) == 1
    await asyncio.sleep(0)
    assert dead == [b'{"fund_id": 3']


async def test_a_store_of_a_newer_version_is_refused(target: str | Path) -> None:
    await (await Store.open(target, name="newer", version=3)).close()
    with pytest.raises(StoreNewer, match="version 3"):
        await Store.open(target, name="newer", version=2)


async def test_a_migration_step_runs_once(target: str | Path) -> None:
    ran = []
    register_migration(
        f"m{id(ran)}", 2, lambda operations: ran.append(operations.execute("SELECT 1"))
    )
    for version in (1, 2, 2):
        await (await Store.open(target, name=f"m{id(ran)}", version=version)).close()
    assert len(ran) == 1


async def test_sqlite_commits_are_on_disk(tmp_path: Path) -> None:
    opened = await Store.open(tmp_path / "a.sqlite", name="a")
    async with opened.transaction() as tx:
        journal = (await tx.exec_driver_sql("PRAGMA journal_mode")).scalar_one()
        synchronous = (await tx.exec_driver_sql("PRAGMA synchronous")).scalar_one()
    assert (journal, synchronous) == ("wal", 2)
    await opened.close()


async def test_a_missing_store_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        await Store.open(tmp_path / "none.sqlite", read_only=True)
    assert not (tmp_path / "none.sqlite").exists()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.sqlite"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(StoreError, match="can not be opened"):
        await Store.open(path)


async def test_a_running_pump_reads_on_after_the_server_restarted(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    store = await Store.open(tmp_path / "facts.sqlite", metadata=metadata)
    pump = EventPump(bus, store, name="p", streams=["OMS"], handler=Counter())
    await pump.start()
    running = asyncio.create_task(pump.run(idle_s=0.05))
    restarted = NatsServer(tmp_path)
    try:
        await publish(bus, "a", 1)
        await until_named(store, ["a:f"])
        await server.stop()
        await restarted.start()
        await publish(bus, "b", 2)
        await until_named(store, ["a:f", "b:f"])
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.close()
        await store.close()
        await server.stop()
        await restarted.stop()


async def until_named(store: Store, wanted: list[str]) -> None:
    async with asyncio.timeout(15):
        while await names(store) != wanted:  # noqa: ASYNC110 (a store has no event to wait for)
            await asyncio.sleep(0.02)
    assert await names(store) == wanted


async def test_a_store_that_is_closed_or_read_only_says_so(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    store = await Store.open(path)
    await store.close()
    for ask in (store.read, store.transaction):
        with pytest.raises(StoreClosed, match="is closed"):
            async with ask():
                pass
    reader = await Store.open(path, read_only=True)
    async with reader.read():
        pass
    with pytest.raises(StoreClosed, match="reading only"):
        async with reader.transaction():
            pass
    await reader.close()
    await reader.close()
    with pytest.raises(StoreClosed, match="is closed"):
        async with reader.read():
            pass


_A_FILE_THAT_MAY_NOT_GROW = """
import asyncio, resource, sys
import sqlalchemy as sa
from mts1b_platform.store import Store

metadata = sa.MetaData()
rows = sa.Table("rows", metadata, sa.Column("number", sa.Integer), sa.Column("data", sa.BLOB))

async def main(path):
    store = await Store.open(path, metadata=metadata)
    store.on_doubt = lambda error: print("told", type(error).__name__)
    for number in range(3):
        if number == 1:
            size = path.with_name(path.name + "-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, resource.RLIM_INFINITY))
        try:
            async with store.transaction() as tx:
                await tx.execute(rows.insert().values(number=number, data=bytes(100_000)))
        except Exception as error:
            print(type(error).__name__, str(error).splitlines()[0])

from pathlib import Path
asyncio.run(main(Path(sys.argv[1])))
"""


async def test_f2_after_a_disk_that_failed_in_a_commit_a_store_takes_no_more(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.sqlite"
    ran = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _A_FILE_THAT_MAY_NOT_GROW, path, stdout=asyncio.subprocess.PIPE
    )
    told, failed, refused = (await ran.communicate())[0].decode().splitlines()
    assert told == "told StoreError"
    assert failed == "OperationalError (sqlite3.OperationalError) disk I/O error"
    assert refused.startswith("StoreError")
    assert "restart the service" in refused
    store = await Store.open(path)
    async with store.read() as connection:
        found = await connection.execute(sa.text("SELECT number FROM rows"))
    assert {row.number for row in found} in ({0}, {0, 1})
    await store.close()
