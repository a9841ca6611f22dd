"""Lots against a book of single units: the oldest opposite unit is closed first, on either side."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st
from mts1b_foundation import Symbol
from mts1b_oms.ledger import Holding

AT = datetime(2026, 1, 7, 21, tzinfo=UTC)
TRADES = st.lists(
    st.tuples(st.integers(-9, 9).filter(bool), st.integers(80, 120)), min_size=1, max_size=25
)


def single_units(trades: list[tuple[int, int]]) -> tuple[deque[tuple[int, int]], int]:
    """Return the open units, oldest first, each with its sign and price, and what was earned."""
    held: deque[tuple[int, int]] = deque()
    earned = 0
    for quantity, price in trades:
        sign = 1 if quantity > 0 else -1
        for _ in range(abs(quantity)):
            if held and held[0][0] != sign:
                side, paid = held.popleft()
                earned += side * (price - paid)
            else:
                held.append((sign, price))
    return held, earned


@given(TRADES)
@example([(-10, 100), (4, 90)])
@example([(-5, 100), (-5, 110), (7, 90)])
@example([(-5, 100), (9, 90), (-2, 95)])
@example([(10, 100), (-10, 100), (-1, 100)])
def test_the_oldest_unit_is_closed_first_on_either_side(trades: list[tuple[int, int]]) -> None:
    holding = Holding(Symbol("SPX"))
    for number, (quantity, price) in enumerate(trades):
        holding = holding.moved(Decimal(quantity), Decimal(price), lot_id=f"l-{number}", at=AT)
    held, earned = single_units(trades)
    units = [
        (1 if lot.quantity > 0 else -1, int(lot.price))
        for lot in holding.lots
        for _ in range(abs(int(lot.quantity)))
    ]
    assert units == list(held)
    assert holding.realized_usd == earned
    assert holding.quantity == sum(sign for sign, _ in held)
    assert holding.paid == sum(sign * price for sign, price in held)
    assert holding.unrealized(Decimal(100)) == sum(sign * (100 - price) for sign, price in held)
    ordinals = [lot.ordinal for lot in holding.lots]
    assert ordinals == sorted(set(ordinals)), "each lot has a place of its own"
