"""Rate of the paper venue alone: orders from submission to fill, and bars without orders.

    python mts1b-brokers/benchmarks/paper_rate.py [--orders 100000] [--bars 100000]
    python -m cProfile -s tottime mts1b-brokers/benchmarks/paper_rate.py | head -60

One symbol; a market order a bar, alternately bought and sold, filled at the next open, and its
fill read since the cursor. The rate of each quarter of the run shows whether an order costs more
as closed orders and fills pile up. Processor time of this process alone; the loop beside it tells
how fast the machine was meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mts1b_brokers import PaperClient, VenueProfile
from mts1b_foundation import Bar, Order, Side, Symbol

SYMBOL = Symbol("AAA")
START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTERS = 4


def tape(count: int) -> list[Bar]:
    """Return minute bars."""
    prices = [Decimal(100 + number % 7) for number in range(count)]
    return [
        Bar(
            symbol=SYMBOL,
            interval="1m",
            timestamp=START + timedelta(minutes=number + 1),
            open=price,
            high=price,
            low=price,
            close=price,
            volume=Decimal(1_000_000),
        )
        for number, price in enumerate(prices)
    ]


def orders(bars: Sequence[Bar]) -> list[Order]:
    """Return one order a bar."""
    return [
        Order(
            order_id=f"o{number}",
            idempotency_key=f"k{number}",
            symbol=SYMBOL,
            side=(Side.BUY, Side.SELL)[number % 2],
            quantity=Decimal(10),
            fund_id="alpha",
            strategy_id="s1",
            created_at=bar.timestamp,
        )
        for number, bar in enumerate(bars)
    ]


def begun() -> PaperClient:
    """Return a new venue."""
    venue = PaperClient(profile=VenueProfile())
    venue.set_time(START)
    return venue


async def rates_of_orders(bars: Sequence[Bar]) -> list[float]:
    """Return orders (each with its bar and its fill) a second, quarter by quarter."""
    venue, wanted, cursor, found = begun(), orders(bars), "0", []
    size = len(bars) // QUARTERS
    for quarter in range(QUARTERS):
        begin = time.process_time()
        for number in range(quarter * size, (quarter + 1) * size):
            venue.set_time(bars[number].timestamp)
            await venue.on_bars([bars[number]])
            _, cursor = await venue.fills_since(cursor)
            await venue.submit(wanted[number])
        found.append(size / (time.process_time() - begin))
    if int(cursor) != size * QUARTERS - 1:
        raise SystemExit(f"only {cursor} of {size * QUARTERS} orders filled")
    return found


async def rates_of_bars(bars: Sequence[Bar]) -> list[float]:
    """Return bars a second without an order, quarter by quarter."""
    venue, found = begun(), []
    size = len(bars) // QUARTERS
    for quarter in range(QUARTERS):
        begin = time.process_time()
        for bar in bars[quarter * size : (quarter + 1) * size]:
            venue.set_time(bar.timestamp)
            await venue.on_bars([bar])
        found.append(size / (time.process_time() - begin))
    return found


def loop_ns() -> float:
    """Return what a turn of an empty loop takes here, ns."""
    begin, total = time.process_time(), 0
    for number in range(2_000_000):
        total += number
    return (time.process_time() - begin) / 2_000_000 * 1e9


async def measure(options: argparse.Namespace) -> None:
    """Print the figures."""
    print(f"a turn of an empty loop: {loop_ns():.0f} ns")
    for what, rates in (
        ("orders, each with its bar and its fill", await rates_of_orders(tape(options.orders))),
        ("bars without orders", await rates_of_bars(tape(options.bars))),
    ):
        print(f"{what}, a second, by quarter: {', '.join(f'{rate:,.0f}' for rate in rates)}")
    print(f"a turn of an empty loop: {loop_ns():.0f} ns")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--bars", type=int, default=100_000)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
