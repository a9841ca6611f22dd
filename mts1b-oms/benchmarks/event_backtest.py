"""Rate of the event-driven backtest: bars without orders, and orders from intent to ledger.

    python mts1b-oms/benchmarks/event_backtest.py [--orders 20000] [--bars 50000]
    python -m cProfile -s tottime mts1b-oms/benchmarks/event_backtest.py | head -60

One symbol, one strategy, one order a bar, alternately bought and sold, then bought alone, so that
lots pile up; then the common shape of a desk: the bars of 100 symbols at one time, and one order
in each of them before the next. Every order goes through intake, gates, reservation, a signed
approval, the gateway, the venue, the fill and the ledger. The rate of each quarter of the run shows
whether an order costs more as history grows. Processor time of this process alone; the loop beside
it tells how fast the machine was meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mts1b_foundation import Bar, FundConfig, RiskEnvelope, Side, Symbol
from mts1b_foundation.orders import ExecutionMode, Order
from mts1b_oms.backtest import EventBacktest
from mts1b_platform.config import FundSettings, Settings, StrategySettings, VenueSettings
from mts1b_platform.rng import SeededRng

SYMBOL = Symbol("AAA")
DESK = tuple(Symbol(f"D{number:03}") for number in range(100))
NAV = Decimal(1_000_000_000)
START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTERS = 4


def settings(symbols: Sequence[Symbol] = (SYMBOL,)) -> Settings:
    """Return one fund whose limits do not bind."""
    envelope = RiskEnvelope(
        envelope_id="env",
        fund_id="alpha",
        nav_usd=NAV,
        max_position_pct=1.0,
        max_sector_pct=1.0,
        max_order_notional_usd=Decimal(1_000_000),
        allowed_brokers=["paper"],
    )
    fund = FundConfig(fund_id="alpha", name="alpha", target_nav_usd=NAV)
    return Settings(
        mode=ExecutionMode.BACKTEST,
        funds=[FundSettings(fund=fund, envelope=envelope)],
        strategies=[
            StrategySettings(
                strategy_id="s1", fund_id="alpha", kind="x", symbols=[str(one) for one in symbols]
            )
        ],
        venue=VenueSettings(max_participation=Decimal(1)),
    )


def tape(count: int, symbol: Symbol = SYMBOL) -> list[Bar]:
    """Return minute bars."""
    prices = [Decimal(100 + number % 7) for number in range(count)]
    return [
        Bar(
            symbol=symbol,
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


def orders(bars: Sequence[Bar], sides: Sequence[Side]) -> list[Order]:
    """Return one order a bar, of these sides in turn."""
    return [
        Order(
            order_id=f"{bar.symbol}-o{number}",
            idempotency_key=f"{bar.symbol}-k{number}",
            symbol=bar.symbol,
            side=sides[number % len(sides)],
            quantity=Decimal(10),
            fund_id="alpha",
            strategy_id="s1",
            created_at=bar.timestamp,
            reference_price=bar.close,
            mode=ExecutionMode.BACKTEST,
        )
        for number, bar in enumerate(bars)
    ]


async def begun(symbols: Sequence[Symbol] = (SYMBOL,)) -> EventBacktest:
    """Return a new run."""
    run = EventBacktest(settings(symbols), start=START, rng=SeededRng(1))
    await run.start()
    return run


async def rate_of_bars(bars: Sequence[Bar]) -> float:
    """Return bars a second of a run without orders."""
    run, begin = await begun(), time.process_time()
    for bar in bars:
        await run.on_bars([bar])
    return len(bars) / (time.process_time() - begin)


async def rates_of_orders(
    symbols: Sequence[Symbol], count: int, *sides: Side
) -> tuple[list[float], int]:
    """Return orders (each with its bar) a second, quarter by quarter, and the orders of each.

    :param count: orders in all, spread over the symbols.
    """
    times = count // len(symbols)
    size = times // QUARTERS
    tapes = [tape(times, symbol) for symbol in symbols]
    wanted = [orders(bars, sides) for bars in tapes]
    run, found = await begun(symbols), []
    for quarter in range(QUARTERS):
        begin = time.process_time()
        for number in range(quarter * size, (quarter + 1) * size):
            await run.on_bars([bars[number] for bars in tapes])
            for line in wanted:
                await run.submit(line[number])
        found.append(size * len(symbols) / (time.process_time() - begin))
    booked = len(run.record.fills)
    if booked < (size * QUARTERS - 1) * len(symbols):
        raise SystemExit(f"only {booked} of {size * QUARTERS * len(symbols)} orders filled")
    return found, size * len(symbols)


def loop_ns() -> float:
    """Return what a turn of an empty loop takes here, ns."""
    begin, total = time.process_time(), 0
    for number in range(2_000_000):
        total += number
    return (time.process_time() - begin) / 2_000_000 * 1e9


async def measure(options: argparse.Namespace) -> None:
    """Print the figures."""
    print(f"a turn of an empty loop: {loop_ns():.0f} ns")
    print(f"bars without orders: {await rate_of_bars(tape(options.bars)):,.0f} a second")
    in_and_out, piling = (Side.BUY, Side.SELL), (Side.BUY,)
    for what, symbols, sides in (
        ("in and out", (SYMBOL,), in_and_out),
        ("piling up", (SYMBOL,), piling),
        (f"in and out of {len(DESK)} symbols", DESK, in_and_out),
        (f"piling up in {len(DESK)} symbols", DESK, piling),
    ):
        quarters, size = await rates_of_orders(symbols, options.orders, *sides)
        rates = ", ".join(f"{rate:,.0f}" for rate in quarters)
        print(f"orders {what}, each with its bar, a second, by quarter of {size:,}: {rates}")
    print(f"a turn of an empty loop: {loop_ns():.0f} ns")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--bars", type=int, default=50_000)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
