"""Rate of the event-driven backtest: bars without orders, and orders from intent to ledger.

    python mts1b-oms/benchmarks/event_backtest.py [--orders 20000] [--bars 50000] [--profile]

One symbol, one strategy, one order a bar, alternately bought and sold, then bought alone, so that
lots pile up; each goes through intake, gates, reservation, a signed approval, the gateway, the
venue, the fill and the ledger. The rate of each quarter of the run shows whether an order costs
more as history grows. Processor time of this
process alone; the loop beside it tells how fast the machine was meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
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
NAV = Decimal(1_000_000_000)
START = datetime(2026, 1, 1, tzinfo=UTC)
QUARTERS = 4


def settings() -> Settings:
    """Return one fund whose limits do not bind."""
    envelope = RiskEnvelope(
        envelope_id="env",
        fund_id="alpha",
        nav_usd=NAV,
        max_position_pct=1.0,
        max_order_notional_usd=Decimal(1_000_000),
        allowed_brokers=["paper"],
    )
    fund = FundConfig(fund_id="alpha", name="alpha", target_nav_usd=NAV)
    return Settings(
        mode=ExecutionMode.BACKTEST,
        funds=[FundSettings(fund=fund, envelope=envelope)],
        strategies=[
            StrategySettings(strategy_id="s1", fund_id="alpha", kind="x", symbols=[str(SYMBOL)])
        ],
        venue=VenueSettings(max_participation=Decimal(1)),
    )


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


def orders(bars: Sequence[Bar], sides: Sequence[Side]) -> list[Order]:
    """Return one order a bar, of these sides in turn."""
    return [
        Order(
            order_id=f"o{number}",
            idempotency_key=f"k{number}",
            symbol=SYMBOL,
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


async def begun() -> EventBacktest:
    """Return a new run."""
    run = EventBacktest(settings(), start=START, rng=SeededRng(1))
    await run.start()
    return run


async def rate_of_bars(bars: Sequence[Bar]) -> float:
    """Return bars a second of a run without orders."""
    run, begin = await begun(), time.process_time()
    for bar in bars:
        await run.on_bars([bar])
    return len(bars) / (time.process_time() - begin)


async def rates_of_orders(bars: Sequence[Bar], *sides: Side) -> list[float]:
    """Return orders (each with its bar) a second, quarter by quarter."""
    run, wanted, found = await begun(), orders(bars, sides), []
    size = len(bars) // QUARTERS
    for quarter in range(QUARTERS):
        begin = time.process_time()
        for number in range(quarter * size, (quarter + 1) * size):
            await run.on_bars([bars[number]])
            await run.submit(wanted[number])
        found.append(size / (time.process_time() - begin))
    booked = len(run.record.fills)
    if booked < size * QUARTERS - 1:
        raise SystemExit(f"only {booked} of {size * QUARTERS} orders filled")
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
    print(f"bars without orders: {await rate_of_bars(tape(options.bars)):,.0f} a second")
    for what, sides in (("in and out", (Side.BUY, Side.SELL)), ("piling up", (Side.BUY,))):
        quarters = await rates_of_orders(tape(options.orders), *sides)
        print(
            f"orders {what}, each with its bar, a second, by quarter: "
            + ", ".join(f"{q:,.0f}" for q in quarters)
        )
    print(f"a turn of an empty loop: {loop_ns():.0f} ns")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--bars", type=int, default=50_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    profile = cProfile.Profile()
    if options.profile:
        profile.enable()
    asyncio.run(measure(options))
    profile.disable()
    if options.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
