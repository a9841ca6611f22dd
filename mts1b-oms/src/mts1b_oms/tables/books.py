"""Sub-books, prices, snapshots and fills as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from mts1b_foundation.funds import NavSnapshot
from mts1b_foundation.orders import Fill
from mts1b_foundation.symbology import Symbol
from mts1b_platform.store import Prepared, Store, StoreError
from mts1b_platform.store.connection import AsyncConnection

from mts1b_oms.ledger import ZERO, Holding, Ledger, Owner, SubBook
from mts1b_oms.lots import Lot, Lots
from mts1b_oms.tables.adjustments import incomes
from mts1b_oms.tables.store import cash, fills, lots, marks, navs, positions

__all__ = [
    "BASE_CURRENCY",
    "BookedFill",
    "booked_of_row",
    "fills_of",
    "insert_fills",
    "known_fills",
    "last_fill_position",
    "latest_navs",
    "read_fills",
    "read_ledger",
    "read_mark_times",
    "upsert",
    "write_books",
    "write_holdings",
    "write_marks",
    "write_navs",
]


BASE_CURRENCY = "USD"
"""What cash is kept in."""

Row = dict[str, Any]

_UPSERTS: dict[tuple[str, str], Prepared] = {}
"""Built once for each dialect and table: building costs more than running."""

_DELETE_LOTS = Prepared(
    sa.delete(lots).where(
        lots.c.fund_id == sa.bindparam("b_fund_id"),
        lots.c.strategy_id == sa.bindparam("b_strategy_id"),
        lots.c.symbol == sa.bindparam("b_symbol"),
        lots.c.ordinal < sa.bindparam("b_below"),
    )
)

_LOTS = Prepared(sa.select(lots).order_by(lots.c.ordinal))
_POSITIONS = Prepared(sa.select(positions))
_CASH = Prepared(sa.select(cash))
_MARKS = Prepared(sa.select(marks))
_NEWEST = (
    sa.select(navs.c.fund_id, navs.c.strategy_id, sa.func.max(navs.c.as_of).label("as_of"))
    .group_by(navs.c.fund_id, navs.c.strategy_id)
    .subquery()
)
_LATEST_NAVS = Prepared(
    sa.select(navs.c.revision, navs.c.payload)
    .join(
        _NEWEST,
        (navs.c.fund_id == _NEWEST.c.fund_id)
        & (navs.c.strategy_id == _NEWEST.c.strategy_id)
        & (navs.c.as_of == _NEWEST.c.as_of),
    )
    .order_by(navs.c.fund_id, navs.c.strategy_id)
)
_INSERT_LOTS = Prepared(sa.insert(lots))
_INSERT_NAVS = Prepared(sa.insert(navs))
_LAST_FILL = Prepared(sa.select(sa.func.max(fills.c.position).label("position")))
_INSERT_FILLS = Prepared(sa.insert(fills))
_KNOWN_ONE = Prepared(sa.select(fills.c.fill_id).where(fills.c.fill_id == sa.bindparam("b_id")))
_KNOWN = sa.select(fills.c.fill_id).where(
    fills.c.fill_id.in_(sa.bindparam("b_ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill, whose it is, and what was odd about it."""

    fill: Fill
    owner: Owner
    flags: tuple[str, ...] = ()

    @property
    def owned(self) -> Fill:
        """Return the fill with whose it is written on it, as it is told to others."""
        fill, (fund_id, strategy_id) = self.fill, self.owner
        if fill.fund_id == fund_id and fill.strategy_id == strategy_id:
            return fill
        return fill.with_(fund_id=fund_id, strategy_id=strategy_id)

    @property
    def counted(self) -> Fill:
        """Return the fill as it counts before any correction: a fee that is not in the base
        currency counts as nothing yet."""
        if self.fill.fee_currency == BASE_CURRENCY:
            return self.fill
        return self.fill.with_(fees=Decimal(0), fee_currency=BASE_CURRENCY)


async def read_ledger(tx: AsyncConnection) -> Ledger:
    """Return the ledger as it was last committed.

    :raises StoreError: where a position is not what its lots make up: the file is damaged.
    """
    open_lots: dict[tuple[str, str, str], list[Lot]] = {}
    for row in await _LOTS.run(tx):
        key = (row.fund_id, row.strategy_id, row.symbol)
        open_lots.setdefault(key, []).append(
            Lot(row.lot_id, row.quantity, row.price, row.opened_at, row.ordinal)
        )
    holdings: dict[Owner, dict[Symbol, Holding]] = {}
    for row in await _POSITIONS.run(tx):
        holding = Holding.of(
            Symbol(row.symbol),
            lots=Lots(open_lots.pop((row.fund_id, row.strategy_id, row.symbol), ())),
            realized_usd=row.realized_usd,
            fees_usd=row.fees_usd,
            last_fill_price=row.last_fill_price,
        )
        if (holding.quantity, holding.average_price) != (row.quantity, row.average_price):
            raise _damaged(row.fund_id, row.strategy_id, row.symbol)
        holdings.setdefault((row.fund_id, row.strategy_id), {})[holding.symbol] = holding
    for owner in open_lots:
        raise _damaged(*owner)
    earned = await incomes(tx)
    books = [
        SubBook(
            row.fund_id,
            row.strategy_id,
            row.initial_usd,
            row.cash_usd,
            MappingProxyType(holdings.get((row.fund_id, row.strategy_id), {})),
            earned.get((row.fund_id, row.strategy_id), ZERO),
        )
        for row in await _CASH.run(tx)
    ]
    prices = {Symbol(row.symbol): row.price for row in await _MARKS.run(tx)}
    return Ledger.of(books, prices)


def _damaged(fund_id: str, strategy_id: str, symbol: str) -> StoreError:
    return StoreError(
        f"the position of {strategy_id} of {fund_id} in {symbol} is not what its lots make up: the "
        "file is damaged; put a backup back, and the venue's books tell what is missing since"
    )


async def read_mark_times(tx: AsyncConnection) -> dict[Symbol, datetime]:
    """Return of when the last price of each symbol is."""
    return {Symbol(row.symbol): row.as_of for row in await _MARKS.run(tx)}


async def upsert(store: Store, tx: AsyncConnection, table: sa.Table, rows: list[Row]) -> None:
    """Insert rows, or replace those with the same primary key."""
    statement = _UPSERTS.get((store.dialect, table.name))
    if statement is None:
        key = [column.name for column in table.primary_key.columns]
        insert = store.insert(table)
        changed = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in key}
        statement = Prepared(insert.on_conflict_do_update(index_elements=key, set_=changed))
        _UPSERTS[store.dialect, table.name] = statement
    await statement.run_many(tx, rows)


async def write_books(store: Store, tx: AsyncConnection, books: Sequence[SubBook]) -> None:
    """Record the cash of sub-books."""
    rows = [
        {
            "fund_id": book.fund_id,
            "strategy_id": book.strategy_id,
            "initial_usd": book.initial_usd,
            "cash_usd": book.cash_usd,
        }
        for book in books
    ]
    await upsert(store, tx, cash, rows)


async def write_holdings(
    store: Store, tx: AsyncConnection, held: Sequence[tuple[SubBook, Symbol, Holding | None]]
) -> None:
    """Record positions and their lots.

    :param held: book, symbol, and the holding as it is on record.
    """
    rows = []
    for book, symbol, _ in held:
        holding = book.holdings[symbol]
        rows.append(
            _key_of(book, symbol)
            | {
                "quantity": holding.quantity,
                "average_price": holding.average_price,
                "realized_usd": holding.realized_usd,
                "fees_usd": holding.fees_usd,
                "last_fill_price": holding.last_fill_price,
            }
        )
    await upsert(store, tx, positions, rows)
    for book, symbol, before in held:
        known = before.lots if before is not None else ()
        await _write_lots(tx, _key_of(book, symbol), known, book.holdings[symbol].lots)


def _key_of(book: SubBook, symbol: Symbol) -> dict[str, str]:
    return {"fund_id": book.fund_id, "strategy_id": book.strategy_id, "symbol": str(symbol)}


async def _write_lots(
    tx: AsyncConnection, key: dict[str, str], known: Sequence[Lot], now: Sequence[Lot]
) -> None:
    """Record lots where ``known`` are on record; the rows of those that stay are left alone."""
    staying = _staying(known, now)
    new = now[len(staying) :]
    if staying and staying[0] != now[0]:  # partly closed
        staying, new = staying[1:], (now[0], *new)
    if len(staying) < len(known):
        below = staying[0].ordinal if staying else known[-1].ordinal + 1
        columns = {f"b_{name}": value for name, value in key.items()}
        await _DELETE_LOTS.run(tx, columns | {"b_below": below})
    await _INSERT_LOTS.run_many(tx, [_lot_row(key, lot) for lot in new])


def _staying(known: Sequence[Lot], now: Sequence[Lot]) -> Sequence[Lot]:
    """Return the last of ``known`` that ``now`` begins with, the first of them partly closed maybe.

    It is none of them where not the oldest lots were closed, as after a correction.
    """
    if not known or not now:
        return ()
    closed = now[0].ordinal - known[0].ordinal
    staying = known[closed:] if closed >= 0 else ()
    return staying if tuple(staying[1:]) == tuple(now[1 : len(staying)]) else ()


def _lot_row(key: Mapping[str, str], lot: Lot) -> dict[str, Any]:
    return {
        **key,
        "ordinal": lot.ordinal,
        "lot_id": lot.lot_id,
        "quantity": lot.quantity,
        "price": lot.price,
        "opened_at": lot.opened_at,
    }


async def write_marks(
    store: Store,
    tx: AsyncConnection,
    prices: Mapping[Symbol, Decimal],
    at: Mapping[Symbol, datetime],
) -> None:
    """Record the last prices of some symbols, and of when they are."""
    rows: list[Row] = [
        {"symbol": str(symbol), "price": price, "as_of": at[symbol]}
        for symbol, price in prices.items()
    ]
    await upsert(store, tx, marks, rows)


async def write_navs(tx: AsyncConnection, snapshots: Sequence[tuple[int, NavSnapshot]]) -> None:
    """Record snapshots with their revisions; a later revision replaces the earlier."""
    for revision, snapshot in snapshots:
        if revision:
            key = (
                (navs.c.fund_id == snapshot.fund_id)
                & (navs.c.strategy_id == (snapshot.strategy_id or ""))
                & (navs.c.as_of == snapshot.as_of)
            )
            await tx.execute(sa.delete(navs).where(key))
    await _INSERT_NAVS.run_many(
        tx,
        [
            {
                "fund_id": snapshot.fund_id,
                "strategy_id": snapshot.strategy_id or "",
                "as_of": snapshot.as_of,
                "revision": revision,
                "payload": snapshot.model_dump_json(),
            }
            for revision, snapshot in snapshots
        ],
    )


async def latest_navs(tx: AsyncConnection) -> list[tuple[int, NavSnapshot]]:
    """Return the newest snapshot of every fund and strategy with its revision, sorted."""
    rows = await _LATEST_NAVS.run(tx)
    return [(row.revision, NavSnapshot.model_validate_json(row.payload)) for row in rows]


async def insert_fills(tx: AsyncConnection, booked: Sequence[tuple[int, BookedFill]]) -> None:
    """Insert new fills with their positions."""
    await _INSERT_FILLS.run_many(
        tx,
        [
            {
                "fill_id": item.fill.fill_id,
                "position": position,
                "order_id": item.fill.order_id,
                "fund_id": item.owner[0],
                "strategy_id": item.owner[1],
                "flags": ",".join(item.flags),
                "payload": item.fill.model_dump_json(),
            }
            for position, item in booked
        ],
    )


def booked_of_row(row: sa.Row[Any]) -> BookedFill:
    """Return a row of ``fills`` as a value."""
    return BookedFill(
        fill=Fill.model_validate_json(row.payload),
        owner=(row.fund_id, row.strategy_id),
        flags=tuple(row.flags.split(",")) if row.flags else (),
    )


async def read_fills(tx: AsyncConnection) -> list[BookedFill]:
    """Return every fill, in the order of booking."""
    rows = await tx.execute(sa.select(fills).order_by(fills.c.position))
    return [booked_of_row(row) for row in rows]


async def fills_of(tx: AsyncConnection, order_id: str) -> list[BookedFill]:
    """Return the fills of one order, in the order of booking."""
    query = sa.select(fills).where(fills.c.order_id == order_id).order_by(fills.c.position)
    return [booked_of_row(row) for row in await tx.execute(query)]


async def known_fills(tx: AsyncConnection, fill_ids: Sequence[str]) -> set[str]:
    """Return which of the ids are booked already."""
    if len(fill_ids) == 1:  # as it mostly is; an IN list has no text that could be kept
        return {row.fill_id for row in await _KNOWN_ONE.run(tx, {"b_id": fill_ids[0]})}
    found: set[str] = set()
    for start in range(0, len(fill_ids), 500):
        chunk = fill_ids[start : start + 500]
        found.update((await tx.execute(_KNOWN, {"b_ids": chunk})).scalars())
    return found


async def last_fill_position(tx: AsyncConnection) -> int:
    """Return the position of the newest fill; 0 before the first."""
    return int((await _LAST_FILL.run(tx)).scalar() or 0)
