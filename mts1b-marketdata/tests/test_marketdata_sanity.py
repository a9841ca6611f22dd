"""Sanity rules and bars built from trades and quotes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation import Quote, Trade
from mts1b_marketdata import (
    BarBuilder,
    Defect,
    LateTick,
    NotOffered,
    QuoteSieve,
    bar_defects,
    bar_end,
    quote_defects,
)
from mts1b_marketdata.sanity import is_refused

OPEN = datetime(2026, 5, 22, 13, 30, tzinfo=UTC)


def _quote(seconds, bid, ask):
    return Quote(
        symbol="AAPL",
        bid=Decimal(str(bid)),
        ask=Decimal(str(ask)),
        venue="test",
        timestamp=OPEN + timedelta(seconds=seconds),
    )


def _trade(seconds, price, quantity=1):
    return Trade(
        trade_id=f"t{seconds}-{price}",
        symbol="AAPL",
        price=Decimal(str(price)),
        quantity=Decimal(quantity),
        timestamp=OPEN + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("bid", "ask", "found"),
    [
        ("99", "101", ()),
        ("100", "100", ()),
        ("100", "110", ()),
        ("100", "110.01", (Defect.WIDE_SPREAD,)),
        ("101", "100", (Defect.CROSSED,)),
        ("0", "1", (Defect.NON_POSITIVE,)),
        ("-1", "1", (Defect.NON_POSITIVE,)),
        ("NaN", "1", (Defect.NOT_A_NUMBER,)),
        ("1", "Infinity", (Defect.NOT_A_NUMBER,)),
    ],
)
def test_quote_defects(bid, ask, found):
    assert quote_defects(Decimal(bid), Decimal(ask)) == found
    assert is_refused(found) == (found not in ((), (Defect.WIDE_SPREAD,)))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ((10, 12, 9, 11, 5), ()),
        ((10, 10, 10, 10, 0), ()),
        ((13, 12, 9, 11, 5), (Defect.OPEN_OUTSIDE,)),
        ((10, 12, 9, 8, 5), (Defect.CLOSE_OUTSIDE,)),
        ((10, 12, 9, 11, -5), (Defect.NEGATIVE_VOLUME,)),
        ((0, 12, 0, 11, 5), (Defect.NON_POSITIVE,)),
        ((10, 9, 12, 10, 5), (Defect.HIGH_BELOW_LOW, Defect.OPEN_OUTSIDE, Defect.CLOSE_OUTSIDE)),
        (("NaN", 12, 9, 11, 5), (Defect.NOT_A_NUMBER,)),
    ],
)
def test_bar_defects(values, found):
    names = ("opened", "high", "low", "close", "volume")
    numbers = (Decimal(str(value)) for value in values)
    assert bar_defects(**dict(zip(names, numbers, strict=True))) == found


def test_the_sieve_flags_counts_and_keeps_order():
    sieve = QuoteSieve()
    assert sieve.judge(_quote(10, 99, 101)) == ()
    assert sieve.judge(_quote(9, 99, 101)) == (Defect.OUT_OF_ORDER,)
    assert sieve.judge(_quote(10, 99, 101)) == (Defect.OUT_OF_ORDER,)
    assert sieve.judge(_quote(10, 99, 100)) == ()
    assert sieve.judge(_quote(11, 50, 101)) == (Defect.WIDE_SPREAD,)
    assert sieve.counts == {Defect.OUT_OF_ORDER: 2, Defect.WIDE_SPREAD: 1}
    assert sieve.last_time("AAPL") == OPEN + timedelta(seconds=11)
    assert sieve.last_time("MSFT") is None


@pytest.mark.parametrize(
    ("seconds", "interval", "end"),
    [(0, "1m", 60), (59.999, "1m", 60), (60, "1m", 120), (1, "30m", 1800), (1, "4h", 9000)],
)
def test_a_bar_holds_its_start_and_not_its_end(seconds, interval, end):
    moment = OPEN + timedelta(seconds=seconds)
    assert bar_end(moment, interval) == OPEN + timedelta(seconds=end)


def test_session_bars_and_unknown_words_are_refused():
    with pytest.raises(NotOffered, match="calendar"):
        BarBuilder("AAPL", "1d")
    with pytest.raises(ValueError, match="2m"):
        BarBuilder("AAPL", "2m")


def test_a_bar_from_trades():
    builder = BarBuilder("AAPL", "1m")
    trades = (_trade(0, 10, 2), _trade(5, 12, 1), _trade(30, 9, 3), _trade(59, 11, 4))
    assert [builder.add_trade(trade) for trade in trades] == [None] * 4
    bar = builder.add_trade(_trade(200, 20))
    assert (bar.open, bar.high, bar.low, bar.close) == (10, 12, 9, 11)
    assert (bar.volume, bar.n_trades) == (10, 4)
    assert bar.vwap == Decimal("10.3")
    assert bar.timestamp == OPEN + timedelta(minutes=1)
    assert bar.start == OPEN


def test_time_alone_completes_a_bar_and_gaps_have_none():
    builder = BarBuilder("AAPL", "1m")
    builder.add_trade(_trade(0, 10))
    assert builder.close_until(OPEN + timedelta(seconds=59)) is None
    assert builder.close_until(OPEN + timedelta(seconds=60)).close == 10
    assert builder.close_until(OPEN + timedelta(hours=1)) is None


def test_a_trade_of_a_bar_that_is_out_is_refused():
    builder = BarBuilder("AAPL", "1m")
    builder.add_trade(_trade(61, 10))
    with pytest.raises(LateTick):
        builder.add_trade(_trade(59, 10))
    builder.close_until(OPEN + timedelta(minutes=2))
    with pytest.raises(LateTick, match="sort the input"):
        builder.add_trade(_trade(119, 10))


def test_quotes_build_bars_of_their_mids_without_volume():
    builder = BarBuilder("AAPL", "1m")
    builder.add_quote(_quote(0, 99, 101))
    builder.add_quote(_quote(30, 103, 105))
    bar = builder.add_quote(_quote(60, 1, 1.05))
    assert (bar.open, bar.close, bar.volume, bar.vwap, bar.n_trades) == (100, 104, 0, None, None)


@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 50), st.integers(1, 9)), min_size=1),
    st.randoms(use_true_random=False),
)
@settings(max_examples=50)
def test_bars_keep_every_trade_and_do_not_depend_on_the_order_within_a_bar(ticks, shuffle):
    trades = [
        _trade(second + n * 1e-3, price, size) for n, (second, price, size) in enumerate(ticks)
    ]
    trades.sort(key=lambda trade: trade.timestamp)
    mixed = sorted(trades, key=lambda t: (bar_end(t.timestamp, "1m"), shuffle.random()))

    def build(items):
        builder = BarBuilder("AAPL", "1m")
        bars = [builder.add_trade(item) for item in items]
        bars.append(builder.close_until(OPEN + timedelta(days=1)))
        return [bar for bar in bars if bar is not None]

    bars = build(trades)
    assert [b.model_dump(exclude={"vwap"}) for b in bars] == [
        b.model_dump(exclude={"vwap"}) for b in build(mixed)
    ]
    assert sum(bar.volume for bar in bars) == sum(trade.quantity for trade in trades)
    assert sum(bar.n_trades for bar in bars) == len(trades)
    for bar in bars:
        inside = [t.price for t in trades if bar.start <= t.timestamp < bar.timestamp]
        assert (bar.open, bar.close, bar.high, bar.low) == (
            inside[0],
            inside[-1],
            max(inside),
            min(inside),
        )
