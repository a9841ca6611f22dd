"""SQLite on the event loop's own thread, behind SQLAlchemy's asyncio interface.

The usual driver hands every call to a thread and back. A statement here takes a few
microseconds and a commit one fsync, far less than the handing over, and the store has one
writer at a time anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Self

__all__ = ["InlineConnection", "connect_inline"]


class _InlineCursor:
    """What SQLAlchemy's adapter asks of a cursor, done at once."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    async def execute(self, operation: str, parameters: Any = ()) -> Self:
        self._cursor.execute(operation, parameters)
        return self

    async def executemany(self, operation: str, rows: Sequence[Any]) -> Self:
        self._cursor.executemany(operation, rows)
        return self

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    async def close(self) -> None:
        self._cursor.close()


class InlineConnection:
    """What SQLAlchemy's adapter asks of a connection, done at once."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._connection: sqlite3.Connection | None = inner
        self.isolation_level = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ValueError("no active connection")
        return self._connection

    def cursor(self) -> _InlineCursor:
        return _InlineCursor(self._open().cursor())

    async def create_function(
        self, name: str, arity: int, function: Callable[..., Any], **options: Any
    ) -> None:
        self._open().create_function(name, arity, function, **options)

    async def commit(self) -> None:
        self._open().commit()

    async def rollback(self) -> None:
        self._open().rollback()

    async def close(self) -> None:
        inner, self._connection = self._connection, None
        if inner is not None:
            inner.close()

    def stop(self) -> None:
        inner, self._connection = self._connection, None
        if inner is not None:
            inner.close()


async def connect_inline(uri: str) -> InlineConnection:
    """Open a SQLite URI; transactions are begun by the store, not by the driver."""
    return InlineConnection(sqlite3.connect(uri, uri=True, isolation_level=None))
