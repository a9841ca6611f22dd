"""A store's tables: created as SQLAlchemy would, and only where they are missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from mts1b_foundation.nats import OMS_ORDERS_ACCEPTED
from mts1b_platform.store import Store
from mts1b_platform.store import tables as own
from mts1b_platform.store.inline import transaction_of

METADATA = sa.MetaData()
BOOKS = sa.Table(
    "books",
    METADATA,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("title", sa.Text, nullable=False, index=True),
    sa.UniqueConstraint("title", "number"),
    sqlite_with_rowid=False,
)


def schema_of(path: Path) -> set[tuple[str, str]]:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        )
        found = {(row.name, " ".join(row.sql.split())) for row in rows}
    engine.dispose()
    return found


async def test_a_store_has_the_tables_that_sqlalchemy_would_create(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "ours.sqlite", metadata=METADATA)
    await store.close()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'theirs.sqlite'}")
    own.metadata.create_all(engine)
    METADATA.create_all(engine)
    engine.dispose()
    assert schema_of(tmp_path / "ours.sqlite") == schema_of(tmp_path / "theirs.sqlite")


async def test_a_table_that_came_later_is_added_and_the_rest_stays(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite")
    async with store.transaction() as tx:
        await store.outbox.add(tx, event_id="e", subject=OMS_ORDERS_ACCEPTED, payload=b"x")
    await store.close()
    store = await Store.open(tmp_path / "s.sqlite", metadata=METADATA)
    async with store.transaction() as tx:
        await tx.execute(BOOKS.insert().values(owner="a", number=1, title="b"))
    async with store.read() as tx:
        assert await tx.scalar(sa.select(sa.func.count()).select_from(own.outbox)) == 1
    await store.close()


async def test_a_rollback_takes_back_what_went_either_way(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite", metadata=METADATA)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx:
            await store.inbox.claim(tx, "c", ["m"])
            await tx.execute(BOOKS.insert().values(owner="a", number=1, title="b"))
            raise RuntimeError
    async with store.transaction() as tx:
        assert await store.inbox.claim(tx, "c", ["m"]) == {"m"}
        assert await tx.scalar(sa.select(sa.func.count()).select_from(BOOKS)) == 0
    await store.close()


async def test_each_transaction_is_another_one_to_sqlalchemy(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite", metadata=METADATA)
    seen = []
    for _ in range(3):
        async with store.transaction() as tx:
            assert tx.sync_connection is not None
            first = tx.sync_connection.get_transaction()
            await tx.scalar(sa.select(sa.literal(1)))
            assert tx.sync_connection.get_transaction() is first
            seen.append(first)
    assert None not in seen
    assert len(set(map(id, seen))) == 3
    await store.close()


async def test_what_is_abandoned_in_a_transaction_is_not_kept(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite", metadata=METADATA)
    with pytest.raises(RuntimeError):
        async with store.transaction() as tx, store.read():
            await tx.execute(BOOKS.insert().values(owner="a", number=1, title="b"))
            store.abandon()
            raise RuntimeError
    again = await Store.open(tmp_path / "s.sqlite", metadata=METADATA)
    async with again.read() as tx:
        assert await tx.scalar(sa.select(sa.func.count()).select_from(BOOKS)) == 0
    await again.close()


async def test_who_still_reads_when_a_store_closes_reads_to_the_end(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "s.sqlite", metadata=METADATA)
    async with store.transaction() as tx:
        await tx.execute(BOOKS.insert().values(owner="a", number=1, title="b"))
    async with store.read() as tx:
        await store.close()
        assert await tx.scalar(sa.select(sa.func.count()).select_from(BOOKS)) == 1


async def test_each_transaction_has_a_name_of_its_own_and_none_outside(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "one.sqlite", name="one")
    async with store.transaction() as tx:
        first = transaction_of(tx)
        assert first is not None
        assert transaction_of(tx) is first
    assert transaction_of(tx) is None
    async with store.transaction() as tx:
        assert transaction_of(tx) not in (None, first)
    await store.close()
