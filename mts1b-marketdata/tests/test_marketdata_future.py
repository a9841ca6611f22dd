"""A quote that is stamped ahead of our clock spoils neither its symbol nor the bars of others."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from mts1b_marketdata import Defect
from quote_feed import AAA, BBB, NOW, published, quote


async def test_a_quote_of_the_future_is_left_out_and_counted() -> None:
    publisher, bars = await published(
        [
            (0, quote(AAA, 0, "100")),
            (2, quote(BBB, 2, "50")),
            (3, quote(AAA, 86_400, "500")),
            (4, quote(AAA, 4, "101")),
            (5, quote(BBB, 5, "51")),
            (61, quote(AAA, 61, "102")),
        ]
    )
    assert publisher.sieve.counts == {Defect.OF_THE_FUTURE: 1}
    assert (publisher.published, publisher.late) == (5, 0)
    end = NOW + timedelta(minutes=1)
    closes = {(bar.symbol, bar.timestamp): (bar.open, bar.high, bar.close) for bar in bars}
    assert closes == {
        (AAA, end): (Decimal(100), Decimal(101), Decimal(101)),
        (BBB, end): (Decimal(50), Decimal(51), Decimal(51)),
    }


async def test_a_clock_that_is_a_little_behind_takes_what_comes() -> None:
    publisher, _ = await published([(1, quote(AAA, 5.9, "100")), (2, quote(AAA, 7.1, "100"))])
    assert publisher.published == 1
    assert publisher.sieve.counts == {Defect.OF_THE_FUTURE: 1}
