"""PostgreSQL: one schema of a database for each store. Imported where one is opened."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

__all__ = ["PostgresSchema"]

_TURN = sa.text("SELECT pg_advisory_xact_lock(:turn)")
_WAIT_MS = 10_000


class PostgresSchema:
    """One schema: a connection that writes, and some that read.

    Writers of all processes take turns, as SQLite has it: a lock that ends with the transaction,
    however that ends.

    :raises ImportError: without the driver.
    """

    def __init__(self, url: str, name: str) -> None:
        settings = {
            "search_path": name,
            "synchronous_commit": "on",
            "lock_timeout": str(_WAIT_MS),
        }
        self._engine = create_async_engine(url, connect_args={"server_settings": settings})
        self._readers = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        digest = hashlib.sha256(f"mts1b store {name}".encode()).digest()
        self._turn = int.from_bytes(digest[:8], "big", signed=True)
        self._writer: AsyncConnection | None = None
        self.in_doubt = False
        """A commit got no answer: what the database holds is unknown until it is opened anew."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Run one write transaction."""
        if self._writer is None:
            self._writer = await self._engine.connect()
        transaction = await self._writer.begin()
        whole = False
        try:
            await self._writer.execute(_TURN, {"turn": self._turn})
            yield self._writer
            whole = True
        finally:
            if not whole:
                await transaction.rollback()
        self.in_doubt = True
        try:
            await transaction.commit()
        except sa.exc.DBAPIError as error:
            self.in_doubt = error.connection_invalidated
            raise
        self.in_doubt = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Run reads that see one state."""
        async with self._readers.connect() as connection:
            yield connection

    def abandon(self) -> None:
        """Forget every connection; the server rolls back what was open."""
        self._writer = None
        self._engine.sync_engine.dispose(close=False)

    async def close(self) -> None:
        """Close every connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
        await self._engine.dispose()
