"""SQLite on the event loop's own thread, with the part of SQLAlchemy's asyncio interface we use.

The asyncio driver hands every call to a thread, and SQLAlchemy's bridge to it costs more than
the statement. Here a statement takes microseconds and a commit one fsync, and the store has one
writer at a time anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar, cast

import sqlalchemy as sa

from mts1b_platform.store.connection import AsyncConnection

__all__ = ["InlineConnection", "SqliteFile", "transaction_of"]

P = ParamSpec("P")
R = TypeVar("R")

_PRIMARY = 0xFF
"""The part of SQLite's error codes that names the kind; the rest says where."""


class InlineConnection:
    """Do at once what an ``AsyncConnection`` does after a wait."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver
        self._seen_by_sqlalchemy: sa.Connection | None = None
        self.transaction: object | None = None
        self.closed = False

    @property
    def sync_connection(self) -> sa.Connection:
        """Return SQLAlchemy's view of the connection, in a transaction where we are in one."""
        seen = self._seen_by_sqlalchemy
        if seen is None:
            seen = self._seen_by_sqlalchemy = _engine(lambda: self._driver).connect()
        if self.transaction is not None and not seen.in_transaction():
            seen.begin()
        return seen

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

    def begin(self, how: str) -> None:
        """Begin a transaction past SQLAlchemy's machinery: it happens all the time."""
        self.execute_text(how, ())
        self.transaction = object()

    def commit(self) -> None:
        """Keep what was written since the begin, also what SQLAlchemy wrote.

        :raises sqlalchemy.exc.DBAPIError: when it can not be kept; it is to be rolled back then.
        """
        self.execute_text("COMMIT", ())
        self._end()

    def rollback(self) -> None:
        """Forget what was written since the begin and is not committed.

        A connection that was closed has done so.
        """
        if self.closed or self.transaction is None:
            return
        if self._driver.in_transaction:
            self.execute_text("ROLLBACK", ())
        self._end()

    def _end(self) -> None:
        """Let SQLAlchemy know that the transaction is over, where it took part."""
        self.transaction = None
        seen = self._seen_by_sqlalchemy
        if seen is not None and seen.in_transaction():
            seen.rollback()

    def close(self) -> None:
        """Close it without finishing anything."""
        self.closed = True
        if self._seen_by_sqlalchemy is not None:
            self._seen_by_sqlalchemy.close()
        self._driver.close()

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


def _is_of_the_disk(error: BaseException | None) -> bool:
    """Tell a disk that fails from one that is full: what is full is rolled back for certain."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & _PRIMARY == sqlite3.SQLITE_IOERR


def transaction_of(tx: AsyncConnection) -> object | None:
    """Return what stands for the transaction of a connection, another in each; None in none."""
    if isinstance(tx, InlineConnection):
        return tx.transaction
    known = tx.sync_connection
    return None if known is None else known.get_transaction()


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
    pool = sa.NullPool(connect, dialect=known.dialect)
    options = {"compiled_cache": compiled}
    return sa.Engine(pool, known.dialect, known.url, execution_options=options)


class SqliteFile:
    """One database file: a connection that writes, and some that read.

    :param read_only: open nothing for writing, create nothing.
    """

    durable: ClassVar[tuple[str, ...]] = (
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=2000",
    )
    """Settings of a file that is written. Only who proves what they are good for takes others."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._uri = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._read_only = read_only
        self._writer: InlineConnection | None = None
        self._readers: list[InlineConnection] = []
        self._idle: list[InlineConnection] = []
        self.in_doubt = False
        """The disk failed in a commit: whether it is kept is known when the file is read anew."""

    def _open(self) -> InlineConnection:
        pragmas = ["busy_timeout=10000", "foreign_keys=ON"]
        if not self._read_only:
            pragmas += self.durable
        with ExitStack() as undo:
            try:
                connection = sqlite3.connect(self._uri, uri=True, isolation_level=None)
                undo.callback(connection.close)
                for pragma in pragmas:
                    connection.execute(f"PRAGMA {pragma}")
            except sqlite3.Error as error:
                raise _named(f"open {self._uri}", error) from error
            undo.pop_all()
        return InlineConnection(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Run one write transaction."""
        if self._writer is None:
            self._writer = self._open()
        writer = self._writer
        writer.begin("BEGIN IMMEDIATE")
        try:
            yield cast(AsyncConnection, writer)
            try:
                writer.commit()
            except sa.exc.DBAPIError as error:
                self.in_doubt = _is_of_the_disk(error.orig)
                raise
        finally:
            writer.rollback()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Run reads that see one state."""
        if not self._idle:
            self._idle.append(self._open())
            self._readers.append(self._idle[-1])
        reader = self._idle.pop()
        reader.begin("BEGIN")
        try:
            yield cast(AsyncConnection, reader)
        finally:
            reader.rollback()
            if reader in self._readers:
                self._idle.append(reader)
            else:
                reader.close()

    def abandon(self) -> None:
        """Close every connection without finishing anything."""
        connections = [*self._readers, *([self._writer] if self._writer else [])]
        self._writer = None
        self._readers.clear()
        self._idle.clear()
        for connection in connections:
            connection.close()

    async def close(self) -> None:
        """Close every connection; one that is still read from, when its reader is done."""
        self._readers = [reader for reader in self._readers if reader in self._idle]
        self.abandon()
