"""How long the whole chain takes in process: facts and every gate, 100 symbols.

    python mts1b-riskengine/benchmarks/gate_chain.py [--orders 20000] [--gates all|documented]

Measured is what stands between the book and the verdict: building the context and asking each
gate, without the store's transaction and the signature. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from mts1b_foundation import (
    AssetClass,
    Bar,
    ExecutionMode,
    Instrument,
    NavSnapshot,
    Order,
    OrderType,
    Quote,
    RiskEnvelope,
    Side,
    Symbol,
    TimeInForce,
)
from mts1b_foundation.limits import (
    Mandate,
    MessageLimits,
    Permission,
    RiskLimits,
    SymbolLimits,
)
from mts1b_platform.clock import SystemClock, VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.pump import Event
from mts1b_platform.signing import HmacSigner
from mts1b_platform.store import Store
from mts1b_riskengine import (
    FixedBorrow,
    HaltReading,
    HaltRecord,
    InstrumentTable,
    RiskBook,
    RiskEngine,
    RiskPolicy,
    metadata,
)
from mts1b_riskengine.context import build_context
from mts1b_riskengine.feed import RiskFeed
from mts1b_riskengine.gates import default_gates
from mts1b_riskengine.mandates import MandateTable
from mts1b_riskengine.pipeline import GatePipeline

NOW = datetime(2026, 1, 7, 20, tzinfo=UTC)
SYMBOLS = [Symbol(f"S{chr(65 + n // 10)}{chr(65 + n % 10)}") for n in range(100)]
BIG = Decimal(10) ** 12
PRICE = Decimal(100)


def limits() -> RiskLimits:
    """Return limits that switch on every gate and that nothing here reaches."""
    row = SymbolLimits(
        max_order_quantity=BIG,
        max_order_usd=BIG,
        max_position_quantity=BIG,
        max_position_usd=BIG,
        collar_pct=Decimal("0.1"),
        max_adv_pct=Decimal(1),
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
        minimum_notional=Decimal(1),
    )
    many = 100_000
    return RiskLimits(
        reducing_strategies=["nobody"],
        collar_pct=Decimal("0.1"),
        collar_soft_pct=Decimal("0.05"),
        collar_period_pct=Decimal("0.1"),
        max_reference_age_s=3600.0,
        require_quote=True,
        max_quote_age_s=3600.0,
        max_spread_pct=Decimal("0.1"),
        max_order_usd=BIG,
        soft_order_usd=BIG / 2,
        max_adv_pct=Decimal(1),
        adv_days=3,
        max_displayed_pct=Decimal(1000),
        check_increments=True,
        messages=MessageLimits(
            strategy_new=many,
            strategy_amend=many,
            venue_new=many,
            venue_amend=many,
            firm_new=many,
            firm_amend=many,
        ),
        repeat_max=many,
        duplicate_window_s=0.001,
        self_match=True,
        max_currency_pct=Decimal(1000),
        firm_max_gross_usd=BIG,
        firm_max_net_usd=BIG,
        buying_power_multiple=Decimal(1),
        sessions_only=True,
        expiry_days=1,
        allowed_tifs=[TimeInForce.DAY],
        max_order_age_s=3600.0,
        max_gtd_days=30,
        max_parent_usd=BIG,
        children_within_parent=True,
        unit_tolerance_pct=Decimal("0.1"),
        bind_mode=True,
        permissions={"trend": Permission(brokers=["paper"])},
        restricted=[Symbol("ZZZZ")],
        symbols=dict.fromkeys(SYMBOLS, row),
    )


def mandates() -> MandateTable:
    """Return a mandate for everything."""
    mandate = Mandate(
        mandate_id="m",
        strategy_id="trend",
        fund_id="alpha",
        symbols=SYMBOLS,
        max_gross_usd=BIG,
        max_position_usd=BIG,
        max_order_usd=BIG,
        max_orders_per_day=1_000_000,
        owner="ann",
    )
    return MandateTable((mandate,), required=True)


def events() -> list[Any]:
    """Return prices, volumes, quotes and cash for every symbol."""
    made: list[Any] = []
    for symbol in SYMBOLS:
        for days in (4, 3, 2, 1, 0):
            interval, at = ("1d", NOW - timedelta(days=days)) if days else ("1m", NOW)
            made.append(
                Bar(
                    symbol=symbol,
                    interval=interval,
                    open=PRICE,
                    high=PRICE,
                    low=PRICE,
                    close=PRICE,
                    volume=Decimal(1_000_000),
                    timestamp=at,
                )
            )
        made.append(
            Quote(
                symbol=symbol,
                bid=Decimal("99.9"),
                ask=Decimal("100.1"),
                bid_size=1000,
                ask_size=1000,
                venue="paper",
                timestamp=NOW,
            )
        )
    made.append(NavSnapshot(fund_id="alpha", as_of=NOW, nav_usd=BIG, cash_usd=BIG))
    return made


def order(number: int) -> Order:
    """Return the next order; every fourth one sells, every other one has a limit."""
    limit = number % 2 == 0
    return Order(
        order_id=f"o-{number}",
        idempotency_key=f"k-{number}",
        symbol=SYMBOLS[number % 100],
        side=Side.SELL if number % 4 == 3 else Side.BUY,
        quantity=Decimal(1 + number % 50),
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        limit_price=Decimal("100.00") - (number % 4) if limit else None,
        reference_price=PRICE,
        fund_id="alpha",
        strategy_id="trend",
        created_at=NOW,
    )


async def prepared(home: Path) -> RiskEngine:
    """Return an engine with a position and an open order in every symbol."""
    store = await Store.open(home / "r.sqlite", metadata=metadata, name="riskengine")
    clock = VirtualClock(NOW)
    listed = {
        s: Instrument(symbol=s, asset_class=AssetClass.EQUITIES, currency="EUR", sector="tech")
        for s in SYMBOLS
    }
    engine = RiskEngine(
        store,
        book=RiskBook(
            store,
            clock=clock,
            instruments=InstrumentTable(listed),
            limits=limits(),
            mandates=mandates(),
            mode=ExecutionMode.PAPER,
        ),
        signer=HmacSigner(b"b" * 32),
        halts=HaltRecord(HaltStore(home / "halt")),
        clock=clock,
        borrow=FixedBorrow(),
    )
    await engine.start()
    await engine.seed_envelope(
        RiskEnvelope(
            envelope_id="e",
            fund_id="alpha",
            nav_usd=BIG,
            max_order_notional_usd=BIG,
            allowed_brokers=["paper"],
            enable_shorting=True,
        )
    )
    feed = RiskFeed(engine)
    async with store.transaction() as tx:
        for payload in events():
            await feed.handle(tx, Event("s", "s", None, payload, "m", "OMS", 1))
    for number in range(200):
        if number % 4 != 3:
            await engine.check(order(number))
    engine.book.sessions.prepare(("XNYS",), NOW)
    return engine


async def measure(engine: RiskEngine, count: int, which: str) -> tuple[list[int], int]:
    """Return the nanoseconds of each order's chain, and how many were approved."""
    book, policy = engine.book, RiskPolicy()
    gates = default_gates(limits=book.limits, mandates=book.mandates)
    pipeline = GatePipeline(
        gates if which == "all" else default_gates(), budget_s=0.05, clock=SystemClock()
    )
    envelope, halts, borrow = book.envelopes.get("alpha"), HaltReading(), FixedBorrow()
    orders = [order(number) for number in range(1000, 1000 + count)]
    nanoseconds, approved = [], 0
    gc.collect()
    gc.freeze()
    for number, one in enumerate(orders):
        begin = perf_counter_ns()
        context = build_context(
            one,
            envelope,
            book,
            now=NOW,
            moment=100.0 + number,
            policy=policy,
            halts=halts,
            borrow=borrow,
        )
        run = await pipeline.run(one, envelope, context)
        nanoseconds.append(perf_counter_ns() - begin)
        approved += run.approved
    return nanoseconds, approved


def report(nanoseconds: list[int], approved: int, which: str) -> str:
    """Return the percentiles in microseconds."""
    ordered = sorted(nanoseconds)

    def at(share: float) -> str:
        return f"{ordered[min(int(share * len(ordered)), len(ordered) - 1)] / 1000:.1f}"

    points = ", ".join(f"p{100 * share:g} {at(share)}" for share in (0.5, 0.9, 0.95, 0.99, 0.999))
    return (
        f"gate chain ({which}), {len(ordered)} orders, {approved} approved, 100 symbols, µs: "
        f"{points}, max {ordered[-1] / 1000:.1f}"
    )


async def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--gates", choices=("all", "documented"), default="all")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = await prepared(Path(folder))
        await measure(engine, 1000, given.gates)
        sys.stdout.write(report(*await measure(engine, given.orders, given.gates), given.gates))
        sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
