"""Statements of the hot path: compiled once, then handed to SQLite with nothing in between.

SQLAlchemy looks a statement up in its cache, builds an execution context and a result object each
time; for a single row that costs several times what SQLite itself needs. A :class:`Prepared`
statement keeps the compiled text and the types' conversions. On PostgreSQL it is executed as usual.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.inline import InlineConnection

__all__ = ["Forgetful", "Prepared", "Rows"]

_DIALECT = sqlite.dialect(paramstyle="qmark")
Convert = Callable[[Any], Any]


class Rows:
    """The result of one statement, in memory: named tuples, and how many rows were changed."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """Return every row."""
        return self._rows

    def first(self) -> Any:
        """Return the first row, or None."""
        return self._rows[0] if self._rows else None

    def scalar(self) -> Any:
        """Return the first column of the first row, or None."""
        return self._rows[0][0] if self._rows else None


class _Plan:
    """One statement for one set of parameter names: text, order and conversions."""

    __slots__ = ("_columns", "_fixed", "_names", "_row", "text")

    def __init__(self, statement: sa.Executable, keys: tuple[str, ...]) -> None:
        compiled = _compile(statement, keys)
        self.text = str(compiled)
        binds = compiled.binds
        self._names = [
            (name, binds[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT))
            for name in compiled.positiontup or ()
        ]
        self._fixed = {
            name: bind.effective_value for name, bind in binds.items() if not bind.required
        }
        self._columns, self._row = _result_of(statement)

    def parameters(self, given: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the text.

        :raises LookupError: when one is missing.
        """
        fixed = self._fixed
        return [
            convert(given[name] if name in given else fixed[name])
            if convert
            else (given[name] if name in given else fixed[name])
            for name, convert in self._names
        ]

    def rows(self, raw: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """Return named rows of converted values."""
        if self._row is None:
            return raw
        make, columns = self._row, self._columns
        return [
            make(*[value if not c else c(value) for value, c in zip(row, columns, strict=True)])
            for row in raw
        ]


def _compile(statement: sa.Executable, keys: tuple[str, ...]) -> SQLCompiler:
    is_insert = isinstance(statement, sa.sql.dml.Insert)
    compiled = statement.compile(  # type: ignore[attr-defined]
        dialect=_DIALECT, column_keys=list(keys) if is_insert and keys else None
    )
    if compiled.post_compile_params:
        raise TypeError("an IN list has no fixed text; execute such a statement as usual")
    result: SQLCompiler = compiled
    return result


def _result_of(
    statement: sa.Executable,
) -> tuple[list[Convert | None], Callable[..., Any] | None]:
    columns = getattr(statement, "exported_columns", None)
    if columns is None or not len(columns):
        return [], None
    names = [column.key for column in columns]
    row = namedtuple("Row", names, rename=True)  # type: ignore[misc]
    processors: list[Convert | None] = [
        column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in columns
    ]
    return processors, row


class Forgetful:
    """A connection that forgets writes, and refuses to be read."""

    def forget(self, statement: sa.Executable) -> Rows:
        """Do nothing, as if one row had been written.

        :raises LookupError: when the statement reads.
        """
        if isinstance(statement, sa.sql.dml.UpdateBase):
            return _ONE_WRITTEN
        raise LookupError("a volatile store keeps nothing that could be read")


_ONE_WRITTEN = Rows((), 1)


class Prepared:
    """A statement that is executed often.

    Its parameters are those of ``statement``: named ``bindparam``\\ s, or for an INSERT without
    values the columns of the first mapping it is given.
    """

    __slots__ = ("_plans", "statement")

    def __init__(self, statement: sa.Executable) -> None:
        self.statement = statement
        self._plans: dict[tuple[str, ...], _Plan] = {}

    def _plan(self, parameters: Mapping[str, Any]) -> _Plan:
        keys = tuple(parameters)
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plans[keys] = _Plan(self.statement, keys)
        return plan

    async def run(self, tx: AsyncConnection, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Execute once.

        :raises sqlalchemy.exc.IntegrityError: as SQLAlchemy does.
        """
        if isinstance(tx, Forgetful):
            return tx.forget(self.statement)
        given = parameters or {}
        if not isinstance(tx, InlineConnection):
            return _kept(await tx.execute(self.statement, dict(given)))
        plan = self._plan(given)
        cursor = tx.execute_text(plan.text, plan.parameters(given))
        rows = cursor.fetchall() if cursor.description is not None else ()
        return Rows(plan.rows(rows), cursor.rowcount)

    async def run_many(self, tx: AsyncConnection, many: Sequence[Mapping[str, Any]]) -> None:
        """Execute once for each mapping; all have the keys of the first."""
        if not many or isinstance(tx, Forgetful):
            return
        if not isinstance(tx, InlineConnection):
            await tx.execute(self.statement, [dict(given) for given in many])
            return
        plan = self._plan(many[0])
        tx.execute_many(plan.text, [plan.parameters(given) for given in many])


def _kept(result: Any) -> Rows:
    rows = result.all() if result.returns_rows else ()
    return Rows(rows, result.rowcount)
