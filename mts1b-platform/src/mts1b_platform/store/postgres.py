"""PostgreSQL: one schema of a database for each store. Imported where one is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

__all__ = ["PostgresSchema"]


class PostgresSchema:
    """One schema: a connection that writes, and some that read.

    :raises ImportError: without the driver.
    """

    def __init__(self, url: str, name: str) -> None:
        settings = {"search_path": name, "synchronous_commit": "on"}
        self._engine = create_async_engine(url, connect_args={"server_settings": settings})
        self._writer: AsyncConnection | None = None

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Run one write transaction."""
        if self._writer is None:
            self._writer = await self._engine.connect()
        async with self._writer.begin():
            yield self._writer

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Run reads that see one state."""
        async with self._engine.connect() as connection:
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
