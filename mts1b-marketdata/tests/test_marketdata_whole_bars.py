"""A live bar is whole or not there: watched from its start, closed by no other clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from mts1b_foundation import Bar
from mts1b_marketdata import CsvClient, CsvFile
from mts1b_marketdata.publisher import QuotePublisher
from mts1b_platform.clock import VirtualClock
from mts1b_platform.eventbus.local import LocalBus
from quote_feed import AAA, BBB, MINUTE, NOW, Feed, at_once, published, quote


def ends(bars: list[Bar]) -> list[tuple[str, timedelta]]:
    return [(str(bar.symbol), bar.timestamp - NOW) for bar in bars]


async def test_a_bar_that_was_not_watched_from_its_start_is_left_out() -> None:
    """As after a restart in the middle of it: its open, high, low and volume lack what was."""
    publisher, bars = await published(
        at_once(quote(AAA, 30, "100"), quote(AAA, 61, "101"), quote(AAA, 121, "102"))
    )
    assert ends(bars) == [("AAA", 2 * MINUTE)]
    assert publisher.unwatched == 1


async def test_a_start_exactly_at_a_boundary_watches_the_bar_that_begins_there() -> None:
    publisher, bars = await published(at_once(quote(AAA, 0, "100"), quote(AAA, 61, "101")))
    assert ends(bars) == [("AAA", MINUTE)]
    assert publisher.unwatched == 0


async def test_the_last_quote_of_before_begins_no_bar() -> None:
    """A source may begin with the last quote of each symbol, however old."""
    snapshot = [(20.0, quote(AAA, -600, "100")), (20.0, quote(BBB, 19, "50"))]
    _, bars = await published(
        [*snapshot, *at_once(*(quote(AAA, second, "101") for second in (30, 61, 121)))]
    )
    assert ends(bars) == [("AAA", 2 * MINUTE)]


async def test_a_clock_behind_that_of_the_source_counts_by_the_later_of_the_two() -> None:
    """Ours says 59 s, theirs 61 s: what they stamped from 60 s to 61 s was missed."""
    _, bars = await published([(59, quote(AAA, 61, "100")), *at_once(quote(AAA, 121, "101"))])
    assert bars == []


async def test_a_symbol_that_is_quiet_at_first_has_its_first_bar_whole() -> None:
    """As at the open of a session: the source was watched, there was nothing to see."""
    _, bars = await published(
        at_once(quote(BBB, 10, "50"), quote(AAA, 75, "100"), quote(AAA, 121, "101"))
    )
    assert ends(bars) == [("AAA", 2 * MINUTE)]


class Reconnected(Feed):
    """Lose the line at 90 s and have it again at 100 s."""

    @property
    def watched_since(self) -> datetime | None:
        second = (self.clock.now() - NOW).total_seconds()
        if 90 <= second < 100:
            return None
        return NOW - MINUTE if second < 90 else NOW + timedelta(seconds=100)


async def test_a_source_that_says_since_when_it_watches_is_believed() -> None:
    seconds = (30, 61, 89, 101, 121, 181)
    _, bars = await published(
        at_once(*(quote(AAA, second, "100") for second in seconds)), feed=Reconnected
    )
    assert ends(bars) == [("AAA", MINUTE), ("AAA", 3 * MINUTE)]


@pytest.mark.parametrize("first", [0, 1])
async def test_a_file_is_watched_from_its_first_quote(tmp_path: Path, first: int) -> None:
    path = tmp_path / "quotes.csv"
    rows = [f"{(NOW + timedelta(seconds=s)).isoformat()},99,101" for s in (first, 50, 61, 121)]
    path.write_text("\n".join(["timestamp,bid,ask", *rows]))
    source = CsvClient(quotes=CsvFile(path=str(path), kind="quotes", symbol="AAA"))
    bus, clock = LocalBus(), VirtualClock(NOW + timedelta(days=1))
    publisher = QuotePublisher(bus, source, [AAA], bar_interval="1m", clock=clock)
    await publisher.run()
    assert publisher.unwatched == first
    await bus.close()


async def test_a_quote_stamped_ahead_closes_no_bar_of_another_symbol_early() -> None:
    """Four seconds ahead are taken, but what the others say until their bar ends counts."""
    quotes = [
        *at_once(quote(AAA, 0, "100"), quote(BBB, 0, "50")),
        (57, quote(AAA, 61, "101")),
        *at_once(quote(BBB, 59, "55"), quote(BBB, 61, "51")),
    ]
    publisher, bars = await published(quotes)
    assert publisher.late == 0
    assert {bar.symbol: (bar.high, bar.close) for bar in bars} == {
        AAA: (Decimal(100), Decimal(100)),
        BBB: (Decimal(55), Decimal(55)),
    }


async def test_the_mid_of_a_stub_quote_is_no_price() -> None:
    """A market maker's stub, as at the open or in a halt: one cent to two hundred thousand."""
    stub = quote(AAA, 30, "100").with_(bid=Decimal("0.01"), ask=Decimal(199_999))
    closing = stub.with_(timestamp=NOW + timedelta(seconds=60))
    publisher, bars = await published(at_once(quote(AAA, 0, "100"), stub, closing))
    assert publisher.published == 3
    assert [(bar.high, bar.low, bar.close) for bar in bars] == [(100, 100, 100)]
