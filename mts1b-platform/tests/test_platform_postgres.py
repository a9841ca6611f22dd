"""What only PostgreSQL does to a store: other sessions, lost connections, its own limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from mts1b_foundation.nats import OMS_NAV_UPDATED
from mts1b_platform.cli import _exit_code
from mts1b_platform.exit_codes import ExitCode
from mts1b_platform.store import Store, StoreClosed, StoreError
from sqlalchemy.ext.asyncio import create_async_engine

metadata = sa.MetaData()
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)


@pytest.fixture
def schema(request: pytest.FixtureRequest) -> str:
    return "pg_" + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:50]


async def opened(url: str, schema: str) -> Store:
    return await Store.open(url, metadata=metadata, name="x" + schema)


@pytest.fixture
async def store(postgres_url: str, schema: str) -> AsyncIterator[Store]:
    made = await opened(postgres_url, schema)
    async with made.transaction() as tx:
        await tx.execute(tallies.insert().values(name="a", count=0))
    yield made
    await made.close()


async def add_one(store: Store) -> None:
    async with store.transaction() as tx:
        found = await tx.scalar(sa.select(tallies.c.count))
        await asyncio.sleep(0.002)
        await tx.execute(tallies.update().values(count=found + 1))


async def total(store: Store) -> int:
    async with store.read() as connection:
        return int(await connection.scalar(sa.select(tallies.c.count)) or 0)


async def end_sessions(url: str) -> None:
    """End every other session, as a server does that restarts."""
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    await engine.dispose()


async def test_writers_of_two_processes_take_turns(
    store: Store, postgres_url: str, schema: str
) -> None:
    other = await opened(postgres_url, schema)

    async def work(one: Store) -> None:
        for _ in range(25):
            await add_one(one)

    await asyncio.gather(work(store), work(other))
    await other.close()
    assert await total(store) == 50


async def test_a_read_sees_one_state(store: Store) -> None:
    async with store.read() as connection:
        before = await connection.scalar(sa.select(tallies.c.count))
        await add_one(store)
        after = await connection.scalar(sa.select(tallies.c.count))
    assert (before, after) == (0, 0)
    assert await total(store) == 1


async def test_many_readers_at_once_all_get_their_turn(store: Store) -> None:
    async def look() -> int:
        async with store.read() as connection:
            await asyncio.sleep(0.01)
            return int(await connection.scalar(sa.select(tallies.c.count)) or 0)

    assert await asyncio.gather(*(look() for _ in range(60))) == [0] * 60


async def test_a_store_opened_by_many_at_once_is_made_once(postgres_url: str, schema: str) -> None:
    stores = await asyncio.gather(*(opened(postgres_url, schema) for _ in range(5)))
    async with stores[0].transaction() as tx:
        await tx.execute(tallies.insert().values(name="a", count=1))
    assert [await total(one) for one in stores] == [1] * 5
    for one in stores:
        await one.close()


async def test_a_connection_lost_between_transactions_is_made_anew(
    store: Store, postgres_url: str
) -> None:
    await add_one(store)
    assert await total(store) == 1
    await end_sessions(postgres_url)
    for _ in range(3):  # the first ones may find the dead connections
        try:
            await add_one(store)
            assert await total(store) == 2
            break
        except sa.exc.DBAPIError:
            continue
    else:
        pytest.fail("the store never came back")


async def test_a_connection_lost_within_a_transaction_leaves_nothing(
    store: Store, postgres_url: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError) as told:
        async with store.transaction() as tx:
            await tx.execute(tallies.update().values(count=7))
            await end_sessions(postgres_url)
            await tx.execute(tallies.update().values(count=8))
    assert _exit_code(told.value) == ExitCode.UNAVAILABLE  # no defect of ours
    assert await total(store) == 0
    await add_one(store)
    assert await total(store) == 1


async def test_sequences_beyond_31_bits_are_kept(store: Store) -> None:
    async with store.transaction() as tx:
        await store.inbox.advance(tx, "c", "MARKETDATA", "one", 2**40)
    async with store.read() as connection:
        assert await store.inbox.position(connection, "c", "MARKETDATA", "one") == 2**40


async def test_a_store_of_before_is_widened(store: Store, postgres_url: str, schema: str) -> None:
    async with store.transaction() as tx:
        for table, column in (("outbox", "position"), ("consumed", "sequence")):
            await tx.execute(sa.text(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE integer"))
        await tx.execute(sa.text("ALTER SEQUENCE outbox_position_seq AS integer"))
    again = await opened(postgres_url, schema)
    async with again.transaction() as tx:
        await again.inbox.advance(tx, "c", "OMS", "one", 2**40)
        await tx.execute(sa.text("SELECT setval('outbox_position_seq', 1099511627776)"))
        await again.outbox.add(tx, event_id="e", subject=OMS_NAV_UPDATED, payload=b"{}")
    async with again.read() as connection:
        assert await connection.scalar(sa.text("SELECT max(position) FROM outbox")) == 2**40 + 1
    await again.close()


async def test_a_commit_without_an_answer_stops_the_store(
    store: Store, postgres_url: str, schema: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        async with store.transaction() as tx:
            await tx.execute(tallies.update().values(count=7))
            await end_sessions(postgres_url)
    with pytest.raises(StoreError, match="unknown whether it is kept"):
        await add_one(store)
    again = await opened(postgres_url, schema)
    assert await total(again) == 0
    await add_one(again)
    await again.close()


async def test_a_store_whose_database_is_gone_can_be_closed(postgres_url: str, schema: str) -> None:
    store = await opened(postgres_url, schema)
    async with store.transaction() as tx:
        await tx.execute(tallies.insert().values(name="a", count=0))
    await end_sessions(postgres_url)
    await store.close()
    with pytest.raises(StoreClosed):
        await total(store)


async def test_one_that_holds_its_turn_does_not_stop_others_for_ever(
    store: Store, postgres_url: str, schema: str
) -> None:
    other = await opened(postgres_url, schema)
    async with store.transaction() as tx:
        await tx.execute(sa.text("SELECT 1"))
        async with asyncio.timeout(8):
            with pytest.raises(sa.exc.DBAPIError, match="lock timeout"):
                await _hurry(other)
    await add_one(other)
    await other.close()


async def _hurry(store: Store) -> None:
    """Ask for a turn as every writer does, with less patience."""
    assert store._backend._writer is not None
    async with store._backend._writer.begin():
        await store._backend._writer.execute(sa.text("SET lock_timeout = '200ms'"))
    await add_one(store)


@pytest.mark.parametrize("wrong", ["database", "user", "host"])
async def test_a_database_that_can_not_be_reached_is_told(
    postgres_url: str, schema: str, wrong: str
) -> None:
    url = sa.make_url(postgres_url)
    if wrong == "database":
        url = url.set(database="nothing_here")
    elif wrong == "user":
        url = url.set(username="nobody_here", password="x")
    else:
        url = sa.make_url("postgresql+asyncpg://localhost:1/x")
    with pytest.raises(StoreError, match="can not be opened"):
        await opened(url.render_as_string(hide_password=False), schema)
