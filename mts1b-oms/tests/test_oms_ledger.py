"""Sub-books: exact, conserved, and summing to the venue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import Fill, FundConfig, Side, Symbol
from mts1b_oms.capital import UNALLOCATED, split_capital
from mts1b_oms.ledger import Ledger, Owner, SubBook, quantise
from mts1b_oms.nav import snapshots
from mts1b_platform.config import ConfigError, Settings
from mts1b_platform.plugins import refusal_of

NOW = datetime(2020, 1, 2, 21, tzinfo=UTC)
SPX, NDX = Symbol("SPX"), Symbol("NDX")
OWNERS: list[Owner] = [("alpha", "trend"), ("alpha", "parity"), ("beta", "trend")]
START = Decimal(1_000_000)


def fill(
    number: int, side: Side, quantity: str, price: str, symbol: Symbol = SPX, fees: str = "0"
) -> Fill:
    return Fill(
        fill_id=f"fill-{number}",
        order_id=f"order-{number}",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fees=Decimal(fees),
        venue="paper",
        timestamp=NOW + timedelta(days=number),
    )


def ledger_of(*owners: Owner) -> Ledger:
    return Ledger.of([SubBook(fund, strategy, START, START) for fund, strategy in owners])


amounts = st.decimals("0.01", "999", places=2)
executions = st.lists(
    st.tuples(
        st.sampled_from(OWNERS),
        st.sampled_from(list(Side)),
        st.sampled_from([SPX, NDX]),
        amounts,
        amounts,
        st.decimals("0", "5", places=4),
    ),
    max_size=25,
)


def booked(items: list[Any], ledger: Ledger) -> Ledger:
    for number, (owner, item) in enumerate(items):
        assert number >= 0
        ledger = ledger.booked(item, owner)
    return ledger


def fills_of(items: list[Any]) -> list[tuple[Owner, Fill]]:
    return [
        (owner, fill(n, side, str(quantity), str(price), symbol, str(fees)))
        for n, (owner, side, symbol, quantity, price, fees) in enumerate(items)
    ]


@settings(max_examples=50, deadline=None)
@given(executions)
def test_the_sub_books_sum_to_the_position_of_the_venue(items: list[Any]) -> None:
    fills = fills_of(items)
    ledger = booked(fills, ledger_of(*OWNERS))
    venue: dict[Symbol, Decimal] = {}
    for _, item in fills:
        venue[item.symbol] = venue.get(item.symbol, Decimal(0)) + item.signed_quantity
    assert ledger.quantities() == {s: q for s, q in venue.items() if q}


@settings(max_examples=50, deadline=None)
@given(executions)
def test_no_cash_appears_or_vanishes(items: list[Any]) -> None:
    fills = fills_of(items)
    ledger = booked(fills, ledger_of(*OWNERS))
    spent = sum((f.signed_quantity * f.price + f.fees for _, f in fills), Decimal(0))
    assert ledger.cash() == START * len(OWNERS) - spent


@settings(max_examples=50, deadline=None)
@given(executions, st.randoms(use_true_random=False))
def test_the_order_of_fills_changes_neither_position_nor_cash_nor_total_profit(
    items: list[Any], chance: Any
) -> None:
    fills = fills_of(items)
    shuffled = list(fills)
    chance.shuffle(shuffled)
    marks = {SPX: Decimal("101.25"), NDX: Decimal("55.5")}
    one = booked(fills, ledger_of(*OWNERS)).marked(marks)
    two = booked(shuffled, ledger_of(*OWNERS)).marked(marks)
    assert one.quantities() == two.quantities()
    assert [b.cash_usd for b in one.books.values()] == [b.cash_usd for b in two.books.values()]
    assert [total(n) for n in snapshots(one, peaks={}, as_of=NOW)] == [
        total(n) for n in snapshots(two, peaks={}, as_of=NOW)
    ]


def total(nav: Any) -> tuple[Decimal, Decimal]:
    return nav.nav_usd, nav.realized_pnl_usd + nav.unrealized_pnl_usd


@settings(max_examples=50, deadline=None)
@given(executions)
def test_nav_is_capital_plus_profit_less_fees(items: list[Any]) -> None:
    ledger = booked(fills_of(items), ledger_of(*OWNERS)).marked(
        {SPX: Decimal("101.25"), NDX: Decimal("55.5")}
    )
    for nav in snapshots(ledger, peaks={}, as_of=NOW):
        books = [b for o, b in ledger.books.items() if nav.fund_id == o[0]]
        count = len(books) if nav.strategy_id is None else 1
        profit = nav.realized_pnl_usd + nav.unrealized_pnl_usd - nav.fees_usd
        assert nav.nav_usd == START * count + profit
        assert nav.drawdown <= 0


def test_lots_close_first_in_first_out() -> None:
    ledger = ledger_of(OWNERS[0])
    for item in (fill(1, Side.BUY, "10", "100"), fill(2, Side.BUY, "10", "110")):
        ledger = ledger.booked(item, OWNERS[0])
    ledger = ledger.booked(fill(3, Side.SELL, "15", "120"), OWNERS[0])
    holding = ledger.book(*OWNERS[0]).holdings[SPX]
    assert holding.realized_usd == 10 * 20 + 5 * 10
    assert [(lot.lot_id, lot.quantity) for lot in holding.lots] == [("fill-2", 5)]
    assert holding.average_price == 110
    [lot] = ledger.lots(*OWNERS[0])
    assert (lot.quantity, lot.price) == (5, 110)


def test_a_fill_through_zero_closes_and_opens_the_other_side() -> None:
    ledger = ledger_of(OWNERS[0]).booked(fill(1, Side.BUY, "10", "100"), OWNERS[0])
    ledger = ledger.booked(fill(2, Side.SELL, "25", "90"), OWNERS[0])
    [position] = ledger.positions(as_of=NOW)
    assert (position.quantity, position.average_price) == (-15, 90)
    assert position.realized_pnl_usd == -100
    ledger = ledger.booked(fill(3, Side.COVER, "15", "80"), OWNERS[0])
    assert ledger.positions(as_of=NOW) == ()
    assert ledger.book(*OWNERS[0]).realized_usd == -100 + 150


def test_two_strategies_in_one_symbol_keep_their_own_books() -> None:
    ledger = ledger_of(*OWNERS)
    ledger = ledger.booked(fill(1, Side.BUY, "10", "100", fees="1.5"), OWNERS[0])
    ledger = ledger.booked(fill(2, Side.SHORT, "4", "105"), OWNERS[2])
    assert ledger.quantities() == {SPX: 6}
    assert [p.quantity for p in ledger.positions(fund_id="alpha", as_of=NOW)] == [10]
    assert [p.quantity for p in ledger.positions(strategy_id="trend", as_of=NOW)] == [10, -4]
    assert ledger.book(*OWNERS[0]).cash_usd == START - 1001 - Decimal("0.5")
    assert ledger.book(*OWNERS[1]).cash_usd == START


def test_drawdown_is_measured_from_the_highest_nav() -> None:
    owner = OWNERS[0]
    ledger = ledger_of(owner).booked(fill(1, Side.BUY, "1000", "100"), owner)
    high = snapshots(ledger.marked({SPX: Decimal(120)}), peaks={}, as_of=NOW)
    assert [n.strategy_id for n in high] == [None, "trend"]
    assert high[0].peak_nav_usd == high[0].nav_usd == 1_020_000
    peaks = {(n.fund_id, n.strategy_id): n.peak_nav_usd for n in high}
    low = snapshots(ledger.marked({SPX: Decimal(69)}), peaks=peaks, as_of=NOW)
    assert low[0].peak_nav_usd == 1_020_000
    assert low[0].drawdown == low[1].drawdown == quantise(Decimal(969) / 1020 - 1)
    assert low[0].gross_exposure_usd == low[0].net_exposure_usd == 69_000


def test_a_fund_nets_its_strategies_by_symbol() -> None:
    ledger = ledger_of(*OWNERS[:2])
    ledger = ledger.booked(fill(1, Side.BUY, "10", "100"), OWNERS[0])
    ledger = ledger.booked(fill(2, Side.SHORT, "10", "100"), OWNERS[1])
    whole, *parts = snapshots(ledger, peaks={}, as_of=NOW)
    assert whole.gross_exposure_usd == whole.net_exposure_usd == 0
    assert sorted(p.net_exposure_usd for p in parts) == [-1000, 1000]
    assert whole.cash_usd == sum(p.cash_usd for p in parts)


class Strategy:
    def __init__(self, name: str, *, enabled: bool = True, **params: Any) -> None:
        self.strategy_id = name
        self.fund_id = "alpha"
        self.enabled = enabled
        self.params = params


FUND = FundConfig(fund_id="alpha", name="Alpha", target_nav_usd=Decimal(100))


def test_capital_is_split_equally_to_the_last_cent() -> None:
    parts = split_capital([FUND], [Strategy("a"), Strategy("b"), Strategy("c")])
    assert sum(parts.values()) == 100
    assert parts["alpha", "a"] == Decimal("33.33333333")


def test_capital_fractions_come_first_and_the_rest_is_shared() -> None:
    parts = split_capital(
        [FUND], [Strategy("a", capital_fraction=0.5), Strategy("b"), Strategy("off", enabled=False)]
    )
    assert parts == {("alpha", "a"): 50, ("alpha", "b"): 50}
    parts = split_capital([FUND], [Strategy("a", capital_fraction=0.3)])
    assert parts == {("alpha", "a"): 30, ("alpha", UNALLOCATED): 70}
    assert split_capital([FUND], []) == {("alpha", UNALLOCATED): 100}


def test_capital_fractions_above_one_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"sum to 1\.2, the limit is 1"):
        split_capital(
            [FUND], [Strategy("a", capital_fraction=0.6), Strategy("b", capital_fraction=0.6)]
        )


@pytest.mark.parametrize("given", ["abc", -1, 0, 2, float("nan"), float("inf"), True, [], ""])
def test_a_share_that_is_none_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match=r"capital_fraction: strategy a: .* is no share"):
        split_capital([FUND], [Strategy("a", capital_fraction=given)])


def test_mts_config_check_asks_for_the_shares() -> None:
    strategy = {"strategy_id": "a", "fund_id": "alpha", "kind": "trend_following"}
    shared = strategy | {"symbols": ["SPX"], "params": {"capital_fraction": "x"}}
    envelope = {"envelope_id": "e", "fund_id": "alpha", "nav_usd": 100}
    settings = Settings.model_validate(
        {"funds": [{"fund": FUND, "envelope": envelope}], "strategies": [shared]}
    )
    assert "is no share of its fund" in str(refusal_of(settings))
