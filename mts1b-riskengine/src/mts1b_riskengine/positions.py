"""The engine's own view of positions and prices, per fund, strategy and symbol."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mts1b_foundation import Bar, Fill, Symbol, interval_length
from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_platform.store import DecimalText, Prepared, Store, UtcText
from mts1b_platform.store.connection import AsyncConnection

from mts1b_riskengine import tables
from mts1b_riskengine.instruments import InstrumentTable
from mts1b_riskengine.lines import FLAT, FundLines, Line
from mts1b_riskengine.statements import upsert

__all__ = ["UNASSIGNED", "Mark", "PositionBook"]

ZERO = Decimal(0)
UNASSIGNED = "unassigned"
"""The fund and strategy of a fill that names neither and belongs to no known order."""

_FILL = Prepared(sa.select(tables.fills).where(tables.fills.c.fill_id == sa.bindparam("fill_id")))
_RESTATE = Prepared(
    sa.update(tables.fills)
    .where(tables.fills.c.fill_id == sa.bindparam("b_fill_id"))
    .values(
        signed_quantity=sa.bindparam("b_quantity", type_=DecimalText),
        corrected_at=sa.bindparam("b_at", type_=UtcText),
    )
)


@dataclass(frozen=True, slots=True)
class Mark:
    """The last close of a symbol, in its currency; ``as_of`` is the END of the bar."""

    price: Decimal
    as_of: datetime
    interval: str

    def is_stale(self, now: datetime, intervals: int) -> bool:
        """Return whether the bar ended more than ``intervals`` of its lengths ago."""
        return now - self.as_of > _life(self.interval, intervals)


def _is_past(row: sa.Row[Any], correction: FillCorrection) -> bool:
    """Return whether a fill was taken back, for good, or corrected later already."""
    busted = row.signed_quantity == ZERO
    return busted or (row.corrected_at is not None and correction.timestamp < row.corrected_at)


@lru_cache(maxsize=64)
def _life(interval: str, intervals: int) -> timedelta:
    """Return how long a bar's close serves as a price."""
    return interval_length(interval) * intervals


class PositionBook:
    """Keep lines and marks in memory, and every change of them in the store."""

    def __init__(self, store: Store, instruments: InstrumentTable) -> None:
        self._keeps = store.keeps
        self._insert_fill = Prepared(store.insert(tables.fills).on_conflict_do_nothing())
        self._keep_early = Prepared(store.insert(tables.early_corrections).on_conflict_do_nothing())
        self._awaited: set[str] = set()
        self._upsert_position = upsert(store, tables.positions)
        self._upsert_mark = upsert(store, tables.marks)
        self._instruments = instruments
        self._funds: dict[str, FundLines] = {}
        self._owners: dict[Symbol, list[tuple[str, str]]] = {}
        """Which funds' strategies have a line in a symbol."""
        self._unit_values: dict[Symbol, Decimal] = {}
        """What one unit is worth in base currency, where a price is known."""
        self.marks: dict[Symbol, Mark] = {}
        self._splits: dict[Symbol, list[Decimal]] = {}
        """The ratios of every split of a symbol, oldest first."""

    def of_fund(self, fund_id: str) -> FundLines:
        """Return the lines of one fund."""
        lines = self._funds.get(fund_id)
        if lines is None:
            lines = self._funds[fund_id] = FundLines()
        return lines

    def quantities(self) -> dict[tuple[str, str, Symbol], Decimal]:
        """Return what is held, by fund, strategy and symbol."""
        return {
            (fund_id, strategy_id, symbol): line.quantity
            for fund_id, lines in self._funds.items()
            for (strategy_id, symbol), line in lines.lines.items()
        }

    def all_funds(self) -> Collection[FundLines]:
        """Return the lines of every fund."""
        return self._funds.values()

    def change(
        self,
        fund_id: str,
        strategy_id: str,
        symbol: Symbol,
        *,
        quantity: Decimal = ZERO,
        open_buy: Decimal = ZERO,
        open_sell: Decimal = ZERO,
    ) -> Line:
        """Add to a line, which begins flat; return it."""
        lines, key = self._funds.get(fund_id) or self.of_fund(fund_id), (strategy_id, symbol)
        old, facts = lines.lines.get(key), None
        if old is None:
            old, facts = FLAT, self._instruments.facts(symbol)
            self._owners.setdefault(symbol, []).append((fund_id, strategy_id))
        line = Line(
            old.quantity + quantity,
            old.open_buy + open_buy,
            old.open_sell + open_sell,
            self._unit_values.get(symbol, old.value),
        )
        lines.put(key, line, facts)
        return line

    async def set_mark(self, tx: AsyncConnection, bar: Bar) -> None:
        """Take a bar's close as the price of its symbol, unless a later one is known."""
        known = self.marks.get(bar.symbol)
        if known is not None and bar.timestamp < known.as_of:
            return
        await self._put_mark(tx, bar.symbol, Mark(bar.close, bar.timestamp, bar.interval))

    async def _put_mark(self, tx: AsyncConnection, symbol: Symbol, mark: Mark) -> None:
        self._take_mark(symbol, mark)
        for fund_id, strategy_id in self._owners.get(symbol, ()):
            self.change(fund_id, strategy_id, symbol)
        if self._keeps:
            values = {"price": mark.price, "as_of": mark.as_of, "interval": mark.interval}
            await self._upsert_mark.run(tx, {"symbol": str(symbol), **values})

    def _take_mark(self, symbol: Symbol, mark: Mark) -> None:
        facts = self._instruments.facts(symbol)
        self.marks[symbol] = mark
        self._unit_values[symbol] = (
            mark.price * facts.multiplier if facts is not None else mark.price
        )

    async def add_fill(
        self, tx: AsyncConnection, fill: Fill, *, fund_id: str, strategy_id: str
    ) -> bool:
        """Book an execution once, by its id; return whether it was new."""
        if self._keeps and not await self._record_fill(tx, fill, fund_id, strategy_id):
            return False
        if fill.symbol not in self.marks:
            await self._put_mark(tx, fill.symbol, Mark(fill.price, fill.timestamp, "1m"))
        await self._move(tx, fund_id, strategy_id, fill.symbol, fill.signed_quantity)
        return True

    async def _record_fill(
        self, tx: AsyncConnection, fill: Fill, fund_id: str, strategy_id: str
    ) -> bool:
        """Write an execution; return whether it was new."""
        recorded = await self._insert_fill.run(
            tx,
            {
                "fill_id": fill.fill_id,
                "order_id": fill.order_id,
                "signed_quantity": fill.signed_quantity,
                "fund_id": fund_id,
                "strategy_id": strategy_id,
                "symbol": str(fill.symbol),
                "splits_before": len(self._splits.get(fill.symbol, ())),
            },
        )
        return recorded.rowcount != 0

    async def correct(self, tx: AsyncConnection, correction: FillCorrection) -> Decimal:
        """Take back or restate an execution; return by how many units it grew, unsigned.

        In the units of its order; what is held moves by those of now, after every split since.
        One whose execution is not known yet waits for it.
        """
        row = (await _FILL.run(tx, {"fill_id": correction.fill_id})).first()
        if row is None:
            await self._keep_early.run(
                tx,
                {
                    "correction_id": correction.correction_id,
                    "fill_id": correction.fill_id,
                    "payload": correction.model_dump_json(),
                },
            )
            self._awaited.add(correction.fill_id)
            return ZERO
        if correction.kind is CorrectionKind.FEE or not row.symbol or _is_past(row, correction):
            return ZERO
        restated = correction.quantity or ZERO
        signed = restated.copy_sign(row.signed_quantity)
        move = signed - row.signed_quantity
        values = {"b_quantity": signed, "b_at": correction.timestamp}
        await _RESTATE.run(tx, {"b_fill_id": correction.fill_id, **values})
        if move:
            symbol = Symbol(row.symbol)
            for ratio in self._splits.get(symbol, [])[row.splits_before :]:
                move *= ratio
            await self._move(tx, row.fund_id, row.strategy_id, symbol, move)
        known: Decimal = abs(row.signed_quantity)
        return restated - known

    async def adjust(self, tx: AsyncConnection, one: AdjustBooks) -> None:
        """Move what came or went without an order; a split moves every line and the price."""
        if one.symbol is None:
            return
        if one.kind is AdjustmentKind.SPLIT and one.ratio is not None and one.price is not None:
            await self._split(tx, one.symbol, one.ratio, one.price, one.requested_at)
        elif one.fund_id is not None and one.strategy_id is not None and one.quantity:
            if one.symbol not in self.marks and one.price is not None:
                await self._put_mark(tx, one.symbol, Mark(one.price, one.requested_at, "1m"))
            await self._move(tx, one.fund_id, one.strategy_id, one.symbol, one.quantity)

    async def _split(
        self, tx: AsyncConnection, symbol: Symbol, ratio: Decimal, price: Decimal, at: datetime
    ) -> None:
        for fund_id, strategy_id in self._owners.get(symbol, ()):
            held = self.of_fund(fund_id).lines[strategy_id, symbol].quantity
            if held:
                await self._move(tx, fund_id, strategy_id, symbol, held * (ratio - 1))
        self._splits.setdefault(symbol, []).append(ratio)
        if self._keeps:
            await tx.execute(sa.insert(tables.splits), {"symbol": str(symbol), "ratio": ratio})
        known = self.marks.get(symbol)
        if known is not None:
            await self._put_mark(tx, symbol, Mark(price, max(at, known.as_of), known.interval))

    async def early(self, tx: AsyncConnection, fill_id: str) -> list[FillCorrection]:
        """Return the corrections that came before a fill, which is known now."""
        if fill_id not in self._awaited:
            return []
        self._awaited.discard(fill_id)
        kept = tables.early_corrections
        rows = await tx.execute(sa.select(kept.c.payload).where(kept.c.fill_id == fill_id))
        found = [FillCorrection.model_validate_json(row.payload) for row in rows]
        await tx.execute(sa.delete(kept).where(kept.c.fill_id == fill_id))
        return sorted(found, key=lambda one: (one.timestamp, one.correction_id))

    async def agree(
        self,
        tx: AsyncConnection,
        whose: tuple[str, str],
        symbol: Symbol,
        *,
        held: Decimal,
        has: Decimal,
    ) -> bool:
        """Hold what the OMS has of a position, where ours is still the one it was compared with.

        :param whose: the fund and the strategy.
        :return: whether it was.
        """
        fund_id, strategy_id = whose
        line = self.of_fund(fund_id).lines.get((strategy_id, symbol), FLAT)
        if line.quantity == held:
            await self._move(tx, fund_id, strategy_id, symbol, has - held)
        return line.quantity == held

    async def _move(
        self, tx: AsyncConnection, fund_id: str, strategy_id: str, symbol: Symbol, units: Decimal
    ) -> None:
        line = self.change(fund_id, strategy_id, symbol, quantity=units)
        if self._keeps:
            row = {"fund_id": fund_id, "strategy_id": strategy_id, "symbol": str(symbol)}
            await self._upsert_position.run(tx, {**row, "quantity": line.quantity})

    async def load(self, tx: AsyncConnection) -> None:
        """Replace the memory by what the store holds; open orders are the ledger's to add."""
        self._funds, self._owners = {}, {}
        self.marks, self._unit_values, self._splits = {}, {}, {}
        for row in await tx.execute(sa.select(tables.splits).order_by(tables.splits.c.position)):
            self._splits.setdefault(Symbol(row.symbol), []).append(row.ratio)
        waiting = await tx.execute(sa.select(tables.early_corrections.c.fill_id))
        self._awaited = set(waiting.scalars())
        for row in await tx.execute(sa.select(tables.marks)):
            self._take_mark(Symbol(row.symbol), Mark(row.price, row.as_of, row.interval))
        for row in await tx.execute(sa.select(tables.positions)):
            symbol = Symbol(row.symbol)
            self.change(row.fund_id, row.strategy_id, symbol, quantity=row.quantity)
