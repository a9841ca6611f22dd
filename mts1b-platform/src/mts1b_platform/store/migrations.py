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
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
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
    """Create the tables that are not there, with their indexes."""
    if not isinstance(tx, InlineConnection):
        await tx.run_sync(metadata.create_all)
        return
    there = {name for (name,) in tx.execute_text(_TABLES, ())}
    for name, statements in _sqlite_tables(metadata):
        if name not in there:
            for text in statements:
                tx.execute_text(text, ())


@cache
def _sqlite_tables(metadata: sa.MetaData) -> list[tuple[str, list[str]]]:
    """Return what creates each table, in their order: written once in a process."""
    dialect = sqlite.dialect()
    found: list[tuple[str, list[str]]] = []
    for table in metadata.sorted_tables:
        texts = [str(CreateTable(table).compile(dialect=dialect))]
        for index in sorted(table.indexes, key=lambda one: str(one.name)):
            texts.append(str(CreateIndex(index).compile(dialect=dialect)))
        found.append((table.name, texts))
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
