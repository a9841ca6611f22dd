"""Hard numbers meet the mathematics of execution: a typed error, or finite results."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_foundation.orders import Order, Side
from mts1b_oms_algos import (
    AlgoError,
    BadParameter,
    algorithms,
    almgren_chriss_trajectory,
    implementation_shortfall,
)
from mts1b_platform.clock import VirtualClock
from mts1b_platform.rng import SeededRng

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
ANY = st.floats(allow_nan=True, allow_infinity=True)
TERMS = (
    *("ordered", "filled", "decision_price", "arrival_price"),
    *("execution_price", "final_price", "fees"),
)
NUMBER = st.one_of(ANY, st.sampled_from([0.0, -1.0, 1e-300, 1e300, 1e-9, 1.0, 5.0]))


@settings(max_examples=50, deadline=None)
@given(
    shares=NUMBER,
    horizon=NUMBER,
    intervals=st.integers(-2, 40),
    market=st.fixed_dictionaries(
        dict.fromkeys(("volatility", "permanent_impact", "temporary_impact", "fixed_cost"), NUMBER)
    ),
    aversion=NUMBER,
)
def test_a_trajectory_is_finite_or_refused(
    shares: float, horizon: float, intervals: int, market: dict[str, float], aversion: float
) -> None:
    try:
        found = almgren_chriss_trajectory(
            shares, horizon, intervals, risk_aversion=aversion, **market
        )
    except BadParameter:
        return
    assert len(found.holdings) == intervals + 1
    assert found.holdings[0] == shares
    assert found.holdings[-1] == 0.0
    assert all(math.isfinite(held) for held in found.holdings)
    sizes = [abs(held) for held in found.holdings]
    assert sizes == sorted(sizes, reverse=True), "it never trades back"
    assert not math.isnan(found.expected_cost)
    assert not math.isnan(found.variance)


@settings(max_examples=50, deadline=None)
@given(
    side=st.sampled_from(list(Side)),
    terms=st.fixed_dictionaries(dict.fromkeys(TERMS, NUMBER)),
)
def test_a_shortfall_is_a_number_or_refused(side: Side, terms: dict[str, float]) -> None:
    try:
        found = implementation_shortfall(side, **terms)
    except BadParameter:
        return
    for part in (found.delay, found.execution, found.opportunity, found.fees, found.total):
        assert math.isfinite(part)


class Leaping(VirtualClock):
    """A clock that goes to the end of every sleep at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


PARAMETERS = (
    *("horizon_minutes", "n_slices", "jitter_pct", "lot_size", "start_slice", "risk_aversion"),
    *("volatility", "permanent_impact", "temporary_impact", "half_lives", "max_participation"),
    *("average_daily_volume", "target_participation", "max_horizon_minutes", "display_qty"),
    *("refill_threshold", "volume_lookback_minutes", "interval_minutes", "sent_quantity"),
    *("session_minutes_per_year", "arrival_price", "limit_price", "check_seconds"),
)
NAMES = ("twap", "vwap", "pov", "iceberg", "almgren_chriss", "is_")
VALUES = st.one_of(
    ANY,
    st.sampled_from([0, 1, -1, 0.5, 1e-300, 1e300, "1", "NaN", "", None, True, 10**30]),
    st.integers(0, 50),
)


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    params=st.dictionaries(st.sampled_from(PARAMETERS), VALUES, max_size=2),
    quantity=st.sampled_from(["1E-18", "0.5", "1", "1000", "1E+12"]),
)
def test_an_algorithm_slices_exactly_or_refuses_whatever_it_is_told(
    name: str, params: dict[str, Any], quantity: str
) -> None:
    order = Order(
        order_id="ord-parent",
        idempotency_key="alpha/AAPL/7",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(quantity),
        reference_price=Decimal("187.50"),
        fund_id="fund-1",
        strategy_id="alpha",
        created_at=START,
    )
    execute = algorithms(clock=Leaping(START), rng=SeededRng(1))[name]

    async def work() -> list[Decimal]:
        sizes: list[Decimal] = []
        stream = execute(order, params=params)
        async for child in stream:
            sizes.append(child.quantity)
            if len(sizes) == 500:
                await stream.aclose()  # type: ignore[attr-defined]
                break
        return sizes

    try:
        sizes = asyncio.run(work())
    except AlgoError:
        return
    whole = sum(sizes, Decimal(0))
    assert whole <= order.quantity
    partial = {"pov", "iceberg"} if len(sizes) == 500 else {"pov"}
    done = params.get("start_slice") or params.get("sent_quantity") or len(sizes) == 500
    if name not in partial and not done:
        assert whole == order.quantity


@pytest.mark.parametrize("name", NAMES)
def test_thirty_digits_are_kept_by_a_caller_of_six(name: str) -> None:
    quantity = Decimal("123456789012.123456789012345678")
    order = Order(
        order_id="ord-parent",
        idempotency_key="alpha/BTC/7",
        symbol="BTC-USD",
        side=Side.BUY,
        quantity=quantity,
        reference_price=Decimal("187.50"),
        fund_id="fund-1",
        strategy_id="alpha",
        created_at=START,
    )
    params: dict[str, Any] = {"lot_size": Decimal("1E-18")}
    if name == "pov":
        params["average_daily_volume"] = Decimal("1E+15")
    if name == "iceberg":
        params["display_qty"] = Decimal("9876543210.123456789012345678")

    async def work() -> list[Decimal]:
        execute = algorithms(clock=Leaping(START), rng=SeededRng(1))[name]
        return [child.quantity async for child in execute(order, params=params)]

    with localcontext(prec=6):
        sizes = asyncio.run(work())
    with localcontext(prec=60):
        assert sum(sizes) == quantity
