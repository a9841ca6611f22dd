"""What an order cost: by hand, by properties, and through the paper venue for every algorithm."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_brokers.paper import PaperClient, VenueProfile
from mts1b_foundation.market_data import Bar
from mts1b_foundation.orders import Fill, Order, OrderStatus, Side
from mts1b_oms_algos import (
    BadParameter,
    TransactionCosts,
    VolumeTape,
    algorithms,
    transaction_costs,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
D = Decimal


def bar(minute: int, *prices: str | int, volume: int = 1000, **changes: Any) -> Bar:
    """Return the bar that ends ``minute`` after START; prices are open, high, low, close."""
    values = [D(price) for price in (prices if len(prices) == 4 else prices * 4)]
    fields: dict[str, Any] = dict(zip(("open", "high", "low", "close"), values, strict=True)) | {
        "symbol": "AAPL",
        "interval": "1m",
        "volume": D(volume),
        "timestamp": START + minute * MINUTE,
    }
    return Bar(**fields | changes)


def fill(number: int, quantity: int, price: str, minute: int, **changes: Any) -> Fill:
    fields: dict[str, Any] = {
        "fill_id": f"f{number}",
        "order_id": f"child-{number}",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": D(quantity),
        "price": D(price),
        "fees": D("0.50"),
        "venue": "paper",
        "timestamp": START + minute * MINUTE,
    }
    return Fill(**fields | changes)


def parent(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "order_id": "ord-parent",
        "idempotency_key": "alpha/AAPL/7",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": D(1000),
        "reference_price": D("100"),
        "fund_id": "fund-1",
        "strategy_id": "alpha",
        "created_at": START,
    }
    return Order(**fields | changes)


BARS = [
    bar(0, 101),
    bar(1, 102, volume=3000),
    bar(2, "102", "106", "101", "105", volume=1000),
    bar(3, 104, volume=9000),
]


def test_a_report_worked_by_hand() -> None:
    """1,000 decided at 100, arriving at 101: 600 at 102, 200 at 104, then the market is at 105."""
    report = transaction_costs(parent(), [fill(1, 600, "102", 1), fill(2, 200, "104", 2)], BARS)
    assert (report.filled, report.average_price) == (800, D("102.5"))
    assert (report.decision_price, report.arrival_price, report.final_price) == (100, 101, 105)
    assert report.fees == 1
    assert report.market_volume == 4000
    assert report.market_vwap == (3000 * D(102) + 1000 * D(104)) / 4000 == D("102.5")
    assert report.vwap_bps == 0
    assert report.participation == D("0.2")
    assert report.arrival_bps is not None
    assert round(report.arrival_bps, 6) == round(D("1.5") / 101 * 10_000, 6)
    # 800 (102.5 - 100) + 200 (105 - 100) + 1
    assert report.shortfall_amount == D("3001")
    parts = report.shortfall
    assert parts.delay == pytest.approx(0.008)
    assert parts.execution == pytest.approx(0.012)
    assert parts.opportunity == pytest.approx(0.010)
    assert parts.fees == pytest.approx(0.00001)
    text = str(report)
    assert "800 of 1000" in text
    assert "3001.00" in text


def test_an_order_without_fills_costs_its_opportunity() -> None:
    report = transaction_costs(parent(side=Side.SELL), [], BARS[:3])
    assert (report.filled, report.average_price, report.arrival_bps) == (0, None, None)
    assert report.shortfall_amount == -5000, "the market rose before the sale"
    assert report.participation == 0
    assert "none" in str(report)
    assert "-0.00" not in str(report)


def test_a_bars_own_average_price_counts_and_a_market_without_volume_has_none() -> None:
    own = [bar(0, 101), bar(1, "100", "110", "90", "105", vwap=D("99.5"))]
    assert transaction_costs(parent(), [fill(1, 5, "101", 1)], own).market_vwap == D("99.5")
    silent = [bar(1, 101, volume=0)]
    report = transaction_costs(parent(), [fill(1, 5, "101", 1)], silent)
    assert (report.market_vwap, report.participation, report.vwap_bps) == (None, None, None)
    assert report.arrival_price == 101, "the first open where nothing closed before"


@settings(max_examples=40, deadline=None)
@given(
    side=st.sampled_from(list(Side)),
    sizes=st.lists(st.integers(1, 200), min_size=0, max_size=5),
    prices=st.lists(st.decimals("1", "500", places=2), min_size=5, max_size=5),
    decision=st.decimals("1", "500", places=2),
)
def test_the_parts_sum_to_the_amount(
    side: Side, sizes: list[int], prices: list[Decimal], decision: Decimal
) -> None:
    fills = [fill(i, size, str(prices[i]), i + 1, side=side) for i, size in enumerate(sizes)]
    market = [bar(i, str(price)) for i, price in enumerate(prices)]
    report = transaction_costs(parent(side=side), fills, market, decision_price=decision)
    whole = float(report.shortfall_amount / (1000 * decision))
    assert report.shortfall.total == pytest.approx(whole, abs=1e-12)
    paper = side.sign * 1000 * (report.final_price - decision)
    real = -sum((f.quantity * f.price * side.sign + f.fees for f in fills), D(0))
    real += side.sign * report.filled * report.final_price
    # Perold: the shortfall is the return of the paper order less that of the real one
    assert abs(report.shortfall_amount - (paper - real)) < D("1e-40")


def test_the_opposite_side_pays_what_the_other_gains() -> None:
    fills = [fill(1, 1000, "103", 2, fees=D(0))]
    bought = transaction_costs(parent(), fills, BARS)
    sold = transaction_costs(parent(side=Side.SELL), [fills[0].with_(side=Side.SELL)], BARS)
    assert bought.shortfall_amount == -sold.shortfall_amount == 3000
    assert bought.arrival_bps
    assert sold.arrival_bps
    assert bought.arrival_bps + sold.arrival_bps == 0


@pytest.mark.parametrize(
    ("fills", "bars", "message"),
    [
        ([], [], "no bars"),
        ([], [bar(1, 1), bar(1, 2)], "twice"),
        ([], [bar(1, 1), bar(5, 2, interval="5m")], "intervals: 1m, 5m"),
        ([], [bar(1, 1, symbol="MSFT")], "symbols: AAPL, MSFT"),
        ([fill(1, 1, "1", 1), fill(1, 1, "1", 1)], BARS, "twice"),
        ([fill(1, 1, "1", 1, side=Side.SELL)], BARS, "f1 is a sell"),
        ([fill(1, 1001, "1", 1)], BARS, "filled is 1001"),
        ([fill(1, 1, "1", -1)], BARS, "before arrival"),
    ],
)
def test_what_is_no_record_of_the_order_is_refused(
    fills: list[Fill], bars: list[Bar], message: str
) -> None:
    with pytest.raises(BadParameter, match=message):
        transaction_costs(parent(), fills, bars)


@pytest.mark.parametrize("name", ["decision_price", "arrival_price"])
def test_a_price_of_zero_is_no_benchmark(name: str) -> None:
    with pytest.raises(BadParameter, match=name):
        transaction_costs(parent(), [], BARS, **{name: D(0)})


class MarketClock(VirtualClock):
    """A clock under which the market trades: every bar reaches the venue as it ends."""

    def __init__(self, bars: list[Bar]) -> None:
        super().__init__(START)
        self.venue = PaperClient(profile=PROFILE, clock=self)
        self.tape = VolumeTape()
        self.bars = list(bars)
        self.keys: dict[str, str] = {}

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        while self.bars and self.bars[0].timestamp <= until:
            now = self.bars.pop(0)
            self.advance_to(now.timestamp)
            await self.venue.on_bars([now])
            self.tape.see(now)
        self.advance_to(until)

    async def look(self, order_id: str) -> Order | None:
        key = self.keys.get(order_id)
        return await self.venue.get_order_by_key(key) if key else None

    async def submit(self, child: Order) -> None:
        self.keys[child.order_id] = child.idempotency_key
        taken = await self.venue.submit(child)
        assert taken.status is OrderStatus.ACCEPTED


PROFILE = VenueProfile(slippage_bps=D(1), fee_bps_per_side=D(2), max_participation=D("0.25"))


def market(seed: int, minutes: int = 150) -> list[Bar]:
    """Return a walk of one minute bars around 100."""
    rng, price, bars = SeededRng(seed), D(100), [bar(0, 100)]
    for minute in range(1, minutes + 1):
        close = price + D(rng.integer(-5, 5)) / 100
        high, low = max(price, close) + D("0.02"), min(price, close) - D("0.02")
        volume = rng.integer(2_000, 9_000)
        bars.append(bar(minute, str(price), str(high), str(low), str(close), volume=volume))
        price = close
    return bars


NAMES = ("twap", "vwap", "pov", "iceberg", "almgren_chriss", "is_")
PARAMS: dict[str, dict[str, Any]] = {
    "iceberg": {"display_qty": 400, "refill_threshold": 100, "check_seconds": 20},
    "pov": {"target_participation": 0.15},
    "is_": {"max_horizon_minutes": 60, "n_slices": 20},
}


async def worked(
    name: str, order: Order, *, seed: int = 5, stop_after: int | None = None
) -> tuple[TransactionCosts, list[Order]]:
    """Work ``order`` through the paper venue; return its report and its children."""
    bars = market(seed)
    clock = MarketClock(bars[1:])
    algorithm = algorithms(clock=clock, rng=SeededRng(seed), volume=clock.tape, look=clock.look)[
        name
    ]
    children: list[Order] = []
    stream = algorithm(order, params=PARAMS.get(name, {}))
    async for child in stream:
        await clock.submit(child)
        children.append(child)
        if len(children) == stop_after:
            await stream.aclose()  # type: ignore[attr-defined]
            await clock.venue.cancel_all()
            break
    await clock.sleep(600)
    fills, _ = await clock.venue.fills_since(None)
    return transaction_costs(order, fills, bars, decision_price=D(100)), children


def big(side: Side = Side.BUY) -> Order:
    price = D(105) if side is Side.BUY else D(95)
    return parent(side=side, quantity=D(8000), reference_price=price)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [Side.BUY, Side.SHORT])
def test_every_algorithm_through_the_paper_venue(name: str, side: Side) -> None:
    report, children = asyncio.run(worked(name, big(side)))
    assert sum(child.quantity for child in children) == 8000
    assert report.filled == 8000
    assert report.average_price is not None
    assert report.participation is not None
    assert 0 < report.participation <= D("0.25"), "the venue gives no more"
    assert report.fees > 0
    assert report.shortfall.opportunity == 0
    assert report.shortfall.delay == 0
    assert report.arrival_price == 100
    spread = (report.arrival_bps or D(0)) / 10_000
    assert report.shortfall.execution == pytest.approx(float(spread))
    assert report.shortfall.fees == pytest.approx(0.0002, rel=0.01)
    assert abs(report.vwap_bps or D(0)) < 30


@pytest.mark.parametrize("name", NAMES)
def test_the_same_clock_and_seed_give_the_same_report(name: str) -> None:
    assert asyncio.run(worked(name, big())) == asyncio.run(worked(name, big()))


@pytest.mark.parametrize("name", NAMES)
def test_a_cancel_on_the_way_leaves_the_rest_as_opportunity(name: str) -> None:
    report, children = asyncio.run(worked(name, big(), stop_after=3))
    assert len(children) <= 3
    assert report.filled <= sum(child.quantity for child in children) <= 8000
    assert report.filled < 8000
    left = float((8000 - report.filled) * (report.final_price - 100) / (8000 * D(100)))
    assert report.shortfall.opportunity == pytest.approx(left)


def test_pov_keeps_its_share_through_the_venue() -> None:
    pov, _ = asyncio.run(worked("pov", big()))
    assert pov.participation is not None
    assert D("0.08") < pov.participation <= D("0.15")
