"""Open a store on SQLite (WAL, synchronous=FULL) or PostgreSQL, and run its transactions."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from mts1b_platform.store import tables
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.inbox import Inbox
from mts1b_platform.store.inline import SqliteFile
from mts1b_platform.store.migrations import create_missing, migrate, widen
from mts1b_platform.store.outbox import Outbox

if TYPE_CHECKING:
    from mts1b_platform.store.postgres import PostgresSchema

__all__ = ["Store", "StoreClosed", "StoreError", "StoreNewer"]

_CLOSE_S = 10.0
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class StoreError(Exception):
    """The store can not be opened or trusted; the message says what to do."""


class StoreClosed(StoreError):
    """The store is closed, or was opened for reading and takes no transactions."""


class StoreNewer(StoreError):
    """The store was written by a newer version of its package."""


def _backend(target: str, name: str, *, read_only: bool) -> SqliteFile | PostgresSchema:
    if target.startswith("postgresql"):
        from mts1b_platform.store.postgres import PostgresSchema

        try:
            return PostgresSchema(target, name)
        except ImportError as error:
            raise StoreError(
                "PostgreSQL needs the extra mts1b-platform[postgres] (package asyncpg)"
            ) from error
    path = Path(target)
    if read_only and not path.exists():
        raise StoreError(f"no store at {path}; has the service run with this MTS_HOME?")
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteFile(path, read_only=read_only)


class Store:
    """One service's record: its tables, its outbox, its inbox.

    Transactions are serialised: one writer at a time, so what a transaction read stays true
    until it commits. A commit that returned is on disk.
    """

    keeps: ClassVar[bool] = True
    """Whether what was written can be read."""

    def __init__(self, backend: SqliteFile | PostgresSchema, name: str, *, read_only: bool) -> None:
        self._backend = backend
        self._lock = asyncio.Lock()
        self._open = True
        self.name = name
        self.read_only = read_only
        self.dialect = "sqlite" if isinstance(backend, SqliteFile) else "postgresql"
        self.outbox = Outbox()
        self.inbox = Inbox(self.dialect)
        self.on_doubt: Callable[[StoreError], None] = lambda error: None
        """Called where a commit was cut off: what its service holds in memory counts no more."""

    @classmethod
    async def open(
        cls,
        url_or_path: str | Path,
        *,
        metadata: sa.MetaData | None = None,
        name: str = "store",
        version: int = 1,
        read_only: bool = False,
    ) -> Store:
        """Open the store, creating or upgrading its tables.

        :param url_or_path: a file path for SQLite, or a ``postgresql+asyncpg://`` URL.
        :param metadata: the package's own tables.
        :param name: names the store; on PostgreSQL, its schema.
        :param version: the package's schema version; each is one step of ``migrations``.
        :raises StoreError: when it can not be opened.
        :raises StoreNewer: when a newer version wrote it.
        """
        if not _NAME.fullmatch(name):
            raise StoreError(f"store name {name!r} must be lower case letters, digits and _")
        text = str(url_or_path)
        store = cls(_backend(text, name, read_only=read_only), name, read_only=read_only)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(store._backend.close)
            try:
                await store._prepare(metadata, version)
            except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
                raise StoreError(f"store {text} can not be opened: {error}") from error
            undo.pop_all()
        return store

    async def _prepare(self, metadata: sa.MetaData | None, version: int) -> None:
        if self.read_only:
            async with self.read() as connection:
                await connection.execute(sa.select(sa.literal(1)))
            return
        async with self.transaction() as tx:
            if self.dialect == "postgresql":
                await tx.execute(sa.text(f'CREATE SCHEMA IF NOT EXISTS "{self.name}"'))
                await widen(tx, self.name)
            for owned in (tables.metadata, metadata):
                if owned is not None:
                    await create_missing(tx, owned)
            found = await migrate(tx, self.name, version)
            if found > version:
                raise StoreNewer(
                    f"store {self.name} has schema version {found}, this package knows {version}; "
                    "install the newer package, or restore a backup made by this one"
                )

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Run one write transaction; it commits at the end, and rolls back on an exception."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._lock:
            self._refuse_closed()
            if self.read_only:
                raise StoreClosed(f"store {self.name} was opened for reading only")
            if self._backend.in_doubt:
                raise self._doubt()
            self.outbox.begun()
            try:
                async with self._backend.write() as tx:
                    yield tx
                    await self.outbox.record_position(tx)
            finally:
                self._tell_doubt()
            self.outbox.committed()

    def _doubt(self) -> StoreError:
        return StoreError(
            f"store {self.name}: a commit was cut off, by a lost connection or a failing disk, and "
            "it is unknown whether it is kept; restart the service, which then reads its record"
        )

    def _tell_doubt(self) -> None:
        if self._backend.in_doubt:
            self.on_doubt(self._doubt())

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """Run reads that see one state and take no part in the writer's turn."""
        return self._read()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        self._refuse_closed()
        async with self._backend.read() as connection:
            yield connection

    def _refuse_closed(self) -> None:
        if not self._open:
            raise StoreClosed(f"store {self.name} is closed")

    def insert(self, table: sa.Table) -> Any:
        """Return an INSERT that can ``on_conflict_do_nothing`` / ``on_conflict_do_update``."""
        dialect = postgresql if self.dialect == "postgresql" else sqlite
        return dialect.insert(table)

    def abandon(self) -> None:
        """Let go as a process does that dies: an open transaction is rolled back."""
        self._open = False
        self._backend.abandon()

    async def close(self) -> None:
        """Record how far the outbox is published, then close.

        A database that is gone, or a transaction that does not end, is not waited for: without
        the record more is published again, and what is open is rolled back.
        """
        try:
            if self._open and not self.read_only:
                with contextlib.suppress(sa.exc.DBAPIError, StoreError, OSError):
                    async with asyncio.timeout(_CLOSE_S), self.transaction() as tx:
                        await self.outbox.record_position(tx, every=1)
        finally:
            self._open = False
            await self._backend.close()
