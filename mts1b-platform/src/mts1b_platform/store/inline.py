"""SQLite on the event loop's own thread, with the part of SQLAlchemy's asyncio interface we use.

The asyncio driver hands every call to a thread, and SQLAlchemy's bridge to it costs more than
the statement. Here a statement takes microseconds and a commit one fsync, and the store has one
writer at a time anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa

from mts1b_platform.store.connection import AsyncConnection

__all__ = ["InlineConnection", "SqliteFile"]

P = ParamSpec("P")
R = TypeVar("R")


class InlineConnection:
    """Do at once what an ``AsyncConnection`` does after a wait."""

    def __init__(self, sync_connection: sa.Connection) -> None:
        self.sync_connection = sync_connection

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> Any:
        """Execute a statement; return its result, in memory."""
        return self.sync_connection.execute(statement, parameters)

    async def scalar(self, statement: sa.Executable, parameters: Any = None) -> Any:
        """Return the first column of the first row, or None."""
        return self.sync_connection.scalar(statement, parameters)

    async def exec_driver_sql(self, statement: str) -> Any:
        """Execute text as it is."""
        return self.sync_connection.exec_driver_sql(statement)

    def execute_text(self, text: str, parameters: Sequence[Any]) -> sqlite3.Cursor:
        """Hand a statement to SQLite as it is; return the cursor.

        :raises sqlalchemy.exc.DBAPIError: as SQLAlchemy names SQLite's own errors.
        """
        try:
            return self._driver.execute(text, parameters)
        except sqlite3.Error as error:
            raise _named(text, error) from error

    def execute_many(self, text: str, many: Sequence[Sequence[Any]]) -> None:
        """Hand a statement to SQLite once for each list of parameters.

        :raises sqlalchemy.exc.DBAPIError: as SQLAlchemy names SQLite's own errors.
        """
        try:
            self._driver.executemany(text, many)
        except sqlite3.Error as error:
            raise _named(text, error) from error

    @property
    def _driver(self) -> sqlite3.Connection:
        return cast(sqlite3.Connection, self.sync_connection.connection.driver_connection)

    async def run_sync(
        self, work: Callable[Concatenate[sa.Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call ``work`` with the underlying connection."""
        return work(self.sync_connection, *args, **kwargs)


def _named(text: str, error: sqlite3.Error) -> sa.exc.DBAPIError:
    kind = sa.exc.DatabaseError
    if isinstance(error, sqlite3.IntegrityError):
        kind = sa.exc.IntegrityError
    elif isinstance(error, sqlite3.OperationalError):
        kind = sa.exc.OperationalError
    return kind(text, None, error)


@cache
def _known() -> tuple[sa.Engine, dict[Any, Any]]:
    """Return an engine whose dialect has looked at SQLite, and the statements compiled for it.

    Both are the same for every file: a process that opens stores again and again, as the
    simulator does, compiles each statement once.
    """
    engine = sa.create_engine("sqlite://")
    with engine.connect():
        return engine, {}


def _engine(connect: Callable[[], Any]) -> sa.Engine:
    known, compiled = _known()
    pool = sa.QueuePool(connect, dialect=known.dialect)
    options = {"compiled_cache": compiled}
    return sa.Engine(pool, known.dialect, known.url, execution_options=options)


class SqliteFile:
    """One database file: a connection that writes, and some that read.

    :param read_only: open nothing for writing, create nothing.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._read_only = read_only
        self._engine = _engine(self._connect)
        sa.event.listen(self._engine, "begin", _begin)
        self._writer: sa.Connection | None = None

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._uri, uri=True, isolation_level=None)
        pragmas = ["busy_timeout=10000", "foreign_keys=ON"]
        if not self._read_only:
            pragmas += ["journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=2000"]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Run one write transaction."""
        if self._writer is None:
            self._writer = self._engine.connect().execution_options(mts_writes=True)
        with self._writer.begin():
            yield cast(AsyncConnection, InlineConnection(self._writer))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Run reads that see one state."""
        with self._engine.connect() as connection:
            yield cast(AsyncConnection, InlineConnection(connection))

    def abandon(self) -> None:
        """Close every connection without finishing anything."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.invalidate()
            writer.close()
        self._engine.dispose()

    async def close(self) -> None:
        """Close every connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        self._engine.dispose()


def _begin(connection: sa.Connection) -> None:
    """Begin as SQLite does, past SQLAlchemy's statement machinery: it happens all the time."""
    writes = connection.get_execution_options().get("mts_writes", False)
    InlineConnection(connection).execute_text("BEGIN IMMEDIATE" if writes else "BEGIN", ())
