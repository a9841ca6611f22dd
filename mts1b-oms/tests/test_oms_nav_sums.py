"""A fund's NAV is made of its strategies', figure by figure; what it is measured against."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from mts1b_foundation import Fill, Side, Symbol
from mts1b_oms.ledger import Ledger, SubBook
from mts1b_oms.nav import snapshots

AT = datetime(2026, 1, 7, 21, tzinfo=UTC)
SPX = Symbol("SPX")
D = Decimal


def ledger() -> Ledger:
    """Return two strategies of one fund, on both sides of a symbol, and one of another fund."""
    made = Ledger.of(
        SubBook(fund, strategy, initial_usd=D(capital), cash_usd=D(capital), income_usd=D(income))
        for fund, strategy, capital, income in (
            ("beta", "parity", 700, 0),
            ("alpha", "trend", 1000, 5),
            ("alpha", "carry", 500, 0),
        )
    )
    for strategy, side, quantity in (("trend", Side.BUY, 4), ("carry", Side.SHORT, 1)):
        fill = Fill(
            fill_id=f"f-{strategy}",
            order_id="o",
            symbol=SPX,
            side=side,
            quantity=D(quantity),
            price=D(100),
            fees=D(1),
            venue="paper",
            timestamp=AT,
        )
        made = made.booked(fill, ("alpha", strategy))
    return made.marked({SPX: D(110)})


def test_a_fund_is_the_sum_of_its_strategies_and_nets_their_exposure() -> None:
    shown = snapshots(ledger(), peaks={}, as_of=AT)
    assert [(one.fund_id, one.strategy_id) for one in shown] == [
        ("alpha", None),
        ("alpha", "carry"),
        ("alpha", "trend"),
        ("beta", None),
        ("beta", "parity"),
    ]
    fund, carry, trend = shown[:3]
    for name in (
        "nav_usd",
        "cash_usd",
        "capital_usd",
        "realized_pnl_usd",
        "unrealized_pnl_usd",
        "fees_usd",
        "net_exposure_usd",
    ):
        assert getattr(fund, name) == getattr(carry, name) + getattr(trend, name), name
    assert fund.capital_usd == 1500
    assert fund.gross_exposure_usd == 330, "440 long less 110 short, of one symbol"
    assert (carry.gross_exposure_usd, trend.gross_exposure_usd) == (110, 440)
    assert fund.nav_usd == 1500 - 2 + 4 * 10 - 10


def test_a_drawdown_is_from_the_peak_or_from_the_capital_where_there_was_none() -> None:
    fund, carry, trend = snapshots(ledger(), peaks={("alpha", "trend"): D(2078)}, as_of=AT)[:3]
    assert (trend.peak_nav_usd, trend.drawdown) == (2078, D("-0.5"))
    assert (carry.peak_nav_usd, carry.drawdown) == (500, D("-0.022"))
    assert (fund.peak_nav_usd, fund.drawdown) == (1528, 0)
    empty = Ledger.of([SubBook("alpha", "trend")])
    assert snapshots(empty, peaks={}, as_of=AT)[0].drawdown == 0
