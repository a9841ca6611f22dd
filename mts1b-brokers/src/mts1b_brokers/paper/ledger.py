"""The venue's own record on disk: what was acknowledged survives any crash."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mts1b_foundation import Fill, Order
from mts1b_foundation.adjustments import AdjustBooks
from mts1b_foundation.orders import FillCorrection
from mts1b_platform.store import Prepared, Store
from mts1b_platform.store.connection import AsyncConnection

from mts1b_brokers.paper import tables
from mts1b_brokers.paper.budget import MessageBudget
from mts1b_brokers.paper.state import AccountPosition, Draft, Mark, Terms, VenueState, WorkingOrder

__all__ = ["Ledger"]

_ADD_FILLS = Prepared(sa.insert(tables.fills))


class Ledger:
    """Read and write the state of one venue in one store.

    :param every_mark: record the last price at once, for a venue that fills at it. Else the
        marks of symbols without an open order wait for the next transaction: losing them can
        change no fill, only the value shown until the next bar, and an order is never recorded
        without them.
    """

    def __init__(self, store: Store, *, venue: str, every_mark: bool = False) -> None:
        self._store = store
        self._venue = venue
        self._every_mark = every_mark
        self._pending: dict[tuple[str, str], Mark] = {}
        self._upserts: dict[str, Prepared] = {}

    @classmethod
    async def open(cls, target: str | Path, *, venue: str, every_mark: bool = False) -> Ledger:
        """Open the record of ``venue`` in a SQLite file or at a PostgreSQL URL.

        :raises mts1b_platform.store.StoreError: when it can not be opened.
        """
        name = f"venue_{venue.replace('-', '_')}"
        tables.register_steps(name)
        store = await Store.open(
            target, metadata=tables.metadata, name=name, version=tables.VERSION
        )
        return cls(store, venue=venue, every_mark=every_mark)

    async def load(self, *, initial_cash: Decimal) -> VenueState:
        """Return the recorded state; a new ledger starts with ``initial_cash``."""
        async with self._store.read() as tx:
            mine = tables.account.c.name == self._venue
            cash = (await tx.execute(sa.select(tables.account.c.cash).where(mine))).scalar()
            state = VenueState(cash=initial_cash if cash is None else cash)
            await self._load_orders(tx, state)
            await self._load_executions(tx, state)
            await self._load_books(tx, state)
            await self._load_limits(tx, state)
        return state

    async def _load_orders(self, tx: AsyncConnection, state: VenueState) -> None:
        earlier: dict[int, list[Terms]] = {}
        replaces = sa.select(tables.replaces).order_by(tables.replaces.c.number)
        for row in await tx.execute(replaces):
            terms = Terms(row.broker_order_id, row.quantity, row.limit_price)
            earlier.setdefault(row.position, []).append(terms)
        for row in await tx.execute(sa.select(tables.orders).order_by(tables.orders.c.position)):
            state.put(_working(row, tuple(earlier.get(row.position, ()))))

    async def _load_executions(self, tx: AsyncConnection, state: VenueState) -> None:
        rows = await tx.execute(sa.select(tables.fills.c.payload).order_by(tables.fills.c.position))
        state.fills.extend(Fill.model_validate_json(row.payload) for row in rows)
        corrections = sa.select(tables.corrections).order_by(tables.corrections.c.position)
        for row in await tx.execute(corrections):
            correction = FillCorrection.model_validate_json(row.payload)
            stands = Fill.model_validate_json(row.stands) if row.stands is not None else None
            state.corrections.append(correction)
            state.corrected[correction.fill_id] = stands
        moves = sa.select(tables.adjustments).order_by(tables.adjustments.c.position)
        for row in await tx.execute(moves):
            state.adjustments.append((row.fills, AdjustBooks.model_validate_json(row.payload)))

    async def _load_books(self, tx: AsyncConnection, state: VenueState) -> None:
        for row in await tx.execute(sa.select(tables.positions)):
            state.positions[row.symbol] = AccountPosition(*row)
        for row in await tx.execute(sa.select(tables.holdings)):
            state.holdings[row.fund_id, row.strategy_id, row.symbol] = row.quantity
        for row in await tx.execute(sa.select(tables.marks)):
            state.marks[row.symbol, row.interval] = Mark(row.ends_at, row.close)
            state.see_price(row.symbol, row.ends_at, row.close)

    async def _load_limits(self, tx: AsyncConnection, state: VenueState) -> None:
        for row in await tx.execute(sa.select(tables.limits)):
            state.timer = row.fires_at
            if row.budget_at is not None:
                state.budget = MessageBudget(row.budget_left, row.budget_at)

    async def write(self, draft: Draft, state: VenueState) -> None:
        """Record a draft in one transaction; what must not be lost is on disk afterwards.

        :param state: what the draft will be applied to.
        """
        pending = self._pending | draft.marks
        if not (draft.must_be_recorded or (self._every_mark and draft.marks)):
            self._pending = pending
            return
        async with self._store.transaction() as tx:
            for working in draft.orders.values():
                await self._write_order(tx, working)
            await self._write_executions(tx, draft, state)
            if draft.moves_books:
                await self._write_books(tx, draft)
            if draft.sets_timer or draft.spends:
                await self._write_limits(tx, draft)
            for (symbol, interval), mark in pending.items():
                key = {"symbol": symbol, "interval": interval}
                values = {"ends_at": mark.ends_at, "close": mark.close}
                await self._upsert(tx, tables.marks, key, values)
        self._pending = {}

    async def _write_order(self, tx: AsyncConnection, working: WorkingOrder) -> None:
        place = {"position": working.position}
        await self._upsert(tx, tables.orders, place, _order_row(working))
        for number, terms in enumerate(working.earlier, start=1):
            row = {
                "broker_order_id": terms.broker_order_id,
                "quantity": terms.quantity,
                "limit_price": terms.limit_price,
            }
            await self._upsert(tx, tables.replaces, place | {"number": number}, row)

    async def _write_executions(self, tx: AsyncConnection, draft: Draft, state: VenueState) -> None:
        fills = [
            {
                "position": place,
                "fill_id": fill.fill_id,
                "order_id": fill.order_id,
                "payload": fill.model_dump_json(),
            }
            for place, fill in enumerate(draft.fills, start=len(state.fills) + 1)
        ]
        if fills:
            await _ADD_FILLS.run_many(tx, fills)
        for place, correction in enumerate(draft.corrections, start=len(state.corrections) + 1):
            stands = draft.corrected[correction.fill_id]
            row = {
                "position": place,
                "fill_id": correction.fill_id,
                "payload": correction.model_dump_json(),
                "stands": stands.model_dump_json() if stands is not None else None,
            }
            await tx.execute(sa.insert(tables.corrections).values(row))
        for place, one in enumerate(draft.adjustments, start=len(state.adjustments) + 1):
            row = {
                "position": place,
                "adjustment_id": one.adjustment_id,
                "fills": len(state.fills),
                "payload": one.model_dump_json(),
            }
            await tx.execute(sa.insert(tables.adjustments).values(row))

    async def _write_books(self, tx: AsyncConnection, draft: Draft) -> None:
        for held in draft.positions.values():
            await self._upsert(tx, tables.positions, {"symbol": held.symbol}, _position_row(held))
        for (fund_id, strategy_id, symbol), quantity in draft.holdings.items():
            owner = {"fund_id": fund_id, "strategy_id": strategy_id, "symbol": symbol}
            await self._upsert(tx, tables.holdings, owner, {"quantity": quantity})
        await self._upsert(tx, tables.account, {"name": self._venue}, {"cash": draft.cash})

    async def _write_limits(self, tx: AsyncConnection, draft: Draft) -> None:
        budget = draft.budget
        row = {
            "fires_at": draft.timer,
            "budget_left": budget.left if budget else None,
            "budget_at": budget.at if budget else None,
        }
        await self._upsert(tx, tables.limits, {"name": self._venue}, row)

    async def _upsert(
        self, tx: AsyncConnection, table: sa.Table, key: Mapping[str, Any], row: Mapping[str, Any]
    ) -> None:
        prepared = self._upserts.get(table.name)
        if prepared is None:
            statement = self._store.insert(table)
            new = {name: statement.excluded[name] for name in row}
            statement = statement.on_conflict_do_update(index_elements=list(key), set_=new)
            prepared = self._upserts[table.name] = Prepared(statement)
        await prepared.run(tx, {**key, **row})

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()


def _order_row(working: WorkingOrder) -> dict[str, Any]:
    order = working.order
    return {
        "idempotency_key": order.idempotency_key,
        "order_id": order.order_id,
        "broker_order_id": order.broker_order_id,
        "status": order.status.value,
        "arrives_at": working.arrives_at,
        "triggered": int(working.triggered),
        "day": working.day.isoformat() if working.day else None,
        "fills": working.fills,
        "payload": order.model_dump_json(),
    }


def _position_row(held: AccountPosition) -> dict[str, Any]:
    return {
        "quantity": held.quantity,
        "average_price": held.average_price,
        "realized_pnl": held.realized_pnl,
        "fees": held.fees,
    }


def _working(row: sa.Row[Any], earlier: tuple[Terms, ...]) -> WorkingOrder:
    return WorkingOrder(
        position=row.position,
        order=Order.model_validate_json(row.payload),
        arrives_at=row.arrives_at,
        triggered=bool(row.triggered),
        day=date.fromisoformat(row.day) if row.day else None,
        fills=row.fills,
        earlier=earlier,
    )
