"""What a ledger shows: who holds what, in one order whoever came first, without what is flat."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

from mts1b_foundation import Fill, Side, Symbol
from mts1b_oms.ledger import Ledger, Owner

AT = datetime(2026, 1, 7, 21, tzinfo=UTC)
SPX, NDX, FLAT = Symbol("SPX"), Symbol("NDX"), Symbol("FLAT")
TREND, CARRY, PARITY = ("alpha", "trend"), ("alpha", "carry"), ("beta", "parity")


def fill(owner: Owner, symbol: Symbol, side: Side, quantity: int) -> tuple[Owner, Fill]:
    made = Fill(
        fill_id=f"{owner[1]}-{symbol}-{side.value}",
        order_id="o",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(100),
        fees=Decimal(1),
        venue="paper",
        timestamp=AT,
    )
    return owner, made


OPENING = [
    fill(TREND, SPX, Side.BUY, 4),
    fill(TREND, NDX, Side.BUY, 5),
    fill(CARRY, SPX, Side.SHORT, 3),
    fill(PARITY, NDX, Side.SHORT, 5),
]
ROUND_TRIP = [fill(PARITY, FLAT, Side.BUY, 2), fill(PARITY, FLAT, Side.SELL, 2)]


def ledger_of(*fills: tuple[Owner, Fill]) -> Ledger:
    ledger = Ledger()
    for owner, one in fills:
        ledger = ledger.booked(one, owner)
    return ledger


def test_a_ledger_shows_the_same_whatever_came_first() -> None:
    shown = set()
    for turn in permutations(OPENING):
        ledger = ledger_of(*turn, *ROUND_TRIP)
        positions = tuple(
            (one.fund_id, one.strategy_id, one.symbol, one.quantity)
            for one in ledger.positions(as_of=AT)
        )
        shown.add((positions, tuple(map(str, ledger.lots(*TREND)))))
    ((positions, lots),) = shown
    assert len(lots) == 2
    assert positions == (
        ("alpha", "carry", SPX, -3),
        ("alpha", "trend", NDX, 5),
        ("alpha", "trend", SPX, 4),
        ("beta", "parity", NDX, -5),
    )


def test_what_is_flat_is_neither_held_nor_a_position() -> None:
    ledger = ledger_of(*OPENING, *ROUND_TRIP)
    assert ledger.quantities() == {SPX: 1}, "NDX is flat over all of them"
    assert ledger.held() == {SPX, NDX}
    book = ledger.book(*PARITY)
    assert (book.fees_usd, book.realized_usd) == (3, 0)


def test_positions_are_those_of_the_fund_and_of_the_strategy_that_are_asked_for() -> None:
    ledger = ledger_of(*OPENING)

    def owners(**asked: str) -> list[str | None]:
        return [one.strategy_id for one in ledger.positions(as_of=AT, **asked)]

    assert owners(fund_id="alpha") == ["carry", "trend", "trend"]
    assert owners(fund_id="alpha", strategy_id="carry") == ["carry"]
    assert owners(strategy_id="trend") == ["trend", "trend"]
    assert owners(fund_id="beta", strategy_id="trend") == []
