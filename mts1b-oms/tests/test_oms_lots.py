"""Lots on record are those of the holding, whatever is bought and sold."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import Fill, Side, Symbol
from mts1b_oms.ledger import Holding, SubBook
from mts1b_oms.lots import Lot, Lots
from mts1b_oms.tables import books
from mts1b_oms.tables.store import lots, metadata
from mts1b_platform.store import Store

SPX = Symbol("SPX")
AT = datetime(2026, 1, 2, tzinfo=UTC)


def _fill(number: int, signed: int) -> Fill:
    return Fill(
        fill_id=f"f-{number}",
        order_id=f"o-{number}",
        symbol=SPX,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=Decimal(abs(signed)),
        price=Decimal(100 + number),
        fees=Decimal(0),
        venue="paper",
        timestamp=AT,
    )


async def test_closing_the_oldest_lots_leaves_the_rows_of_the_others_alone(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "oms.sqlite", metadata=metadata, name="oms")
    held = Holding(SPX)
    before: list[Holding | None] = [None]
    written = []
    for number, signed in enumerate((10, 10, 10, -15, 10, -100), start=1):
        held = held.booked(_fill(number, signed))
        book = SubBook("alpha", "trend", holdings=MappingProxyType({SPX: held}))
        async with store.transaction() as tx:
            await books.write_holdings(store, tx, [(book, SPX, before[-1])])
            query = sa.select(lots.c.ordinal, lots.c.quantity).order_by(lots.c.ordinal)
            rows = await tx.execute(query)
            written.append([(row.ordinal, int(row.quantity)) for row in rows])
        before.append(held)
    await store.close()
    assert written[2] == [(0, 10), (1, 10), (2, 10)]
    assert written[3] == [(1, 5), (2, 10)]
    assert written[4] == [(1, 5), (2, 10), (3, 10)]
    assert written[5] == [(4, -75)]


async def _follow(path: Path, batches: list[list[int]]) -> Decimal:
    """Book batch by batch, each read back; return the position at the end."""
    store = await Store.open(path, metadata=metadata, name="oms")
    held, number = Holding(SPX), 0
    for batch in batches:
        before = held
        for signed in batch:
            number += 1
            held = held.booked(_fill(number, signed))
        book = SubBook("alpha", "trend", holdings=MappingProxyType({SPX: held}))
        async with store.transaction() as tx:
            await books.write_books(store, tx, [book])
            await books.write_holdings(store, tx, [(book, SPX, before if before.lots else None)])
        async with store.read() as tx:
            ledger = await books.read_ledger(tx)
        assert ledger.books["alpha", "trend"].holdings[SPX].lots == held.lots
    await store.close()
    return held.quantity


@given(
    st.lists(
        st.lists(st.integers(-6, 6).filter(bool), min_size=1, max_size=3), min_size=1, max_size=8
    )
)
@settings(max_examples=25, deadline=None)
def test_lots_on_record_are_those_of_the_holding(batches: list[list[int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        held = asyncio.run(_follow(Path(folder) / "oms.sqlite", batches))
    assert held == sum(map(sum, batches))


@given(st.lists(st.integers(-60, 60).filter(bool), max_size=25), st.integers(1, 300))
@settings(max_examples=80, deadline=None)
def test_sums_of_a_holding_are_those_of_its_lots_to_the_last_digit(
    trades: list[int], mark: int
) -> None:
    held, position, price = Holding(SPX), Decimal(0), Decimal(mark) / 7
    for number, signed in enumerate(trades):
        fill = _fill(number, signed).with_(quantity=Decimal(abs(signed)) / 8)
        held = held.booked(fill)
        position += fill.signed_quantity
        assert held.quantity == position
        naive = sum((lot.quantity * (price - lot.price) for lot in held.lots), Decimal(0))
        assert abs(held.unrealized(price) - naive) <= Decimal("1e-8")
        assert len({lot.quantity > 0 for lot in held.lots}) <= 1
        # What is read back from the lots after a restart is the same value, in the same digits.
        again = Holding.of(SPX, held.lots, held.realized_usd, held.fees_usd, held.last_fill_price)
        assert again == held
        assert (str(again.quantity), str(again.paid)) == (str(held.quantity), str(held.paid))


def _lot(number: int) -> Lot:
    return Lot(f"lot-{number}", Decimal(number), Decimal(1), AT, number)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 9)), max_size=40))
def test_lots_are_a_value_whoever_adds_to_them(steps: list[tuple[int, int]]) -> None:
    kept: list[tuple[Lots, list[Lot]]] = [(Lots(), [])]
    for which, number in steps:
        known, expected = kept[which % len(kept)]
        kept.append((known.with_(_lot(number)), [*expected, _lot(number)]))
    for known, expected in kept:
        assert list(known) == expected
        assert (len(known), bool(known)) == (len(expected), bool(expected))
        assert [known[-1 - place] for place in range(len(known))] == expected[::-1]
        assert known[1:] == expected[1:]
        assert known == Lots(expected)
        with pytest.raises(IndexError):
            known[len(expected)]
