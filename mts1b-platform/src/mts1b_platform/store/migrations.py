"""Schema versions: one small step from each to the next, run with alembic's operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.inline import InlineConnection
from mts1b_platform.store.prepared import Prepared
from mts1b_platform.store.tables import schema

if TYPE_CHECKING:
    from alembic.operations import Operations

__all__ = ["create_missing", "migrate", "register_migration", "widen"]

Step = Callable[["Operations"], None]
_STEPS: dict[tuple[str, int], Step] = {}
_FOUND = Prepared(sa.select(schema.c.version).where(schema.c.name == sa.bindparam("store")))
_NEW = Prepared(schema.insert())
_THERE = "SELECT name FROM sqlite_master"
_NARROW = sa.text(
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = :schema "
    "AND data_type = 'integer' AND (table_name, column_name) IN (('outbox', 'position'), "
    "('outbox_position', 'published'), ('consumed', 'sequence'))"
)


async def widen(tx: AsyncConnection, schema_name: str) -> None:
    """Let PostgreSQL number more than 2**31 events, in tables that were made before it did."""
    for table, column in (await tx.execute(_NARROW, {"schema": schema_name})).all():
        await tx.execute(sa.text(f"ALTER TABLE {table} ALTER COLUMN {column} TYPE bigint"))
        if table == "outbox":
            await tx.execute(sa.text("ALTER SEQUENCE outbox_position_seq AS bigint"))


async def create_missing(tx: AsyncConnection, metadata: sa.MetaData) -> None:
    """Create the tables and the indexes that are not there."""
    if not isinstance(tx, InlineConnection):
        await tx.run_sync(metadata.create_all)
        for table in metadata.sorted_tables:
            for index in table.indexes:
                await tx.execute(CreateIndex(index, if_not_exists=True))
        return
    there = {name for (name,) in tx.execute_text(_THERE, ())}
    for name, text in _sqlite_parts(metadata):
        if name not in there:
            tx.execute_text(text, ())


@cache
def _sqlite_parts(metadata: sa.MetaData) -> list[tuple[str, str]]:
    """Return what creates each table and index, in their order: written once in a process."""
    dialect = sqlite.dialect()
    found: list[tuple[str, str]] = []
    for table in metadata.sorted_tables:
        found.append((table.name, str(CreateTable(table).compile(dialect=dialect))))
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            found.append((str(index.name), str(CreateIndex(index).compile(dialect=dialect))))
    return found


def register_migration(store: str, to_version: int, step: Step) -> None:
    """Register the step that lifts ``store`` from ``to_version - 1`` to ``to_version``.

    :raises ValueError: when that step is registered already.
    """
    if (store, to_version) in _STEPS:
        raise ValueError(f"store {store} has a step to version {to_version} already")
    _STEPS[(store, to_version)] = step


async def migrate(tx: AsyncConnection, store: str, version: int) -> int:
    """Run the missing steps up to ``version``; return the version that was found.

    A new store starts at ``version``: its tables were just created.
    """
    row = (await _FOUND.run(tx, {"store": store})).first()
    if row is None:
        await _NEW.run(tx, {"name": store, "version": version})
        return version
    found = int(row.version)
    for target in range(found + 1, version + 1):
        step = _STEPS.get((store, target))
        if step is not None:
            await tx.run_sync(_run, step)
    if found < version:
        await tx.execute(schema.update().where(schema.c.name == store).values(version=version))
    return found


def _run(connection: sa.Connection, step: Step) -> None:
    from alembic.migration import MigrationContext  # needed once in a version's life
    from alembic.operations import Operations

    step(Operations(MigrationContext.configure(connection)))
