"""What holds for every algorithm in the OMS, whatever is refused, filled or cancelled meanwhile."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation import DenyCode, Order, OrderStatus, RiskDecision, Symbol
from mts1b_oms.parents import ALGORITHM_FAILED
from mts1b_oms.refusals import MOST_TRIES, last_try, try_number
from mts1b_oms_algos import algorithms
from mts1b_platform.clock import VirtualClock
from mts1b_platform.halt import HaltStore
from mts1b_platform.rng import SeededRng
from oms_desk import START, Desk, make_order
from oms_fuse import Fuse
from oms_risk import Risk
from oms_works import Works

WINDOW = {"horizon_minutes": 2, "n_slices": 5}
WORK: dict[str, dict[str, Any]] = {
    "twap": WINDOW,
    "vwap": WINDOW,
    "almgren_chriss": WINDOW,
    "is_": {"max_horizon_minutes": 2, "n_slices": 5},
    "pov": {"max_horizon_minutes": 3, "interval_minutes": 0.5, "target_participation": 0.2},
    "iceberg": {"display_qty": 7, "refill_threshold": 2, "check_seconds": 5},
}
SCHEDULED = ("twap", "vwap", "almgren_chriss", "is_")
LEAST = Decimal("0.01")
MOMENT, FOR_GOOD = DenyCode.MESSAGE_LIMIT, DenyCode.RESTRICTED
ACTS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 40)),
    st.tuples(st.just("fill"), st.sampled_from(["0.3", "1"])),
    st.tuples(st.just("deny"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["restart", "silence", "limited", "deaf", "end one"]), st.none()),
)
LAST = st.sampled_from(["", "", "", "cancel", "for good", "refused"])


class Moody(Risk):
    """A risk engine that denies as it is told."""

    moods: list[str]

    def _decide(self, order: Order, lease_id: str) -> RiskDecision:
        code = self.moods.pop(0) if self.moods else ""
        if not code:
            return super()._decide(order, lease_id)
        return RiskDecision(
            order_id=order.order_id,
            decided_at=self._clock.now(),
            approved=False,
            rejecting_gate="a_gate",
            code=code,
            reason="not now",
        )


class Market:
    """One parent on a desk that is restarted now and then."""

    def __init__(self, home: Path, algo: str, params: dict[str, Any]) -> None:
        clock, fuse = VirtualClock(START), Fuse()
        self.risk = Moody(clock, HaltStore(home / "halt"), fuse)
        self.risk.moods = []
        self.desk = Desk(home, clock, self.risk, fuse)
        self.algo, self.params = algo, params
        self.left: list[str] = []
        self.works: Works

    async def begin(self, parent: Order) -> None:
        await self.desk.open()
        self.works = self._works()
        self.parent = await self.works.begin(parent, self.algo, **self.params)

    def _works(self) -> Works:
        made = algorithms(
            clock=self.desk.clock,
            rng=SeededRng(7),
            volume=self,
            look=partial(last_try, self.desk.record),
        )
        return Works(self.desk, **made)

    def volume(self, symbol: Symbol, *, start: datetime, end: datetime) -> Decimal:
        return Decimal((end - start) // timedelta(seconds=1))

    async def restart(self) -> None:
        now = self.desk.clock.now()
        await self.works.dispatcher.stop()
        self.left += [order.order_id for order in self.desk.venue.submitted]
        self.desk = await self.desk.reopen()
        self.desk.clock.advance_to(now)
        self.works = self._works()
        await self.works.dispatcher.resume()

    async def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.desk.clock.advance(1.0)
            for _ in range(12):
                await asyncio.sleep(0)
            if self.works.failed:
                raise self.works.failed[0]

    async def fill(self, share: str) -> None:
        """Let the venue execute a part of everything that rests, where it can tell of it."""
        rests = (OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED)
        children = [child for child in self.works.children() if child.status in rests]
        for child in children if not self.desk.venue.deaf else ():
            part = (child.remaining_quantity * Decimal(share)).quantize(LEAST)
            size = min(max(part, LEAST), child.remaining_quantity)
            await self.desk.venue.paper.overfill(child.order_id, quantity=size, price=Decimal(90))
        await self.desk.sync.collect()

    async def act(self, what: str, how: Any) -> None:
        venue = self.desk.venue
        match what:
            case "wait":
                await self.wait(how)
            case "fill":
                await self.fill(how)
            case "deny":
                self.risk.moods += [MOMENT] * how
            case "for good":
                self.risk.moods.append(FOR_GOOD)
            case "restart":
                await self.restart()
            case "silence":
                venue.script.append(ConnectionError("and nothing arrived"))
            case "limited":
                venue.script.append(BrokerRefused("later", code="RATE_LIMITED"))
            case "refused":
                venue.script.append(BrokerRefused("no", code="VENUE_RISK"))
            case "deaf":
                venue.deaf = not venue.deaf
            case "end one":
                for child in self.works.children()[:1]:
                    await self.desk.canceller.cancel(child.order_id, actor="operator:ann")
            case "cancel":
                await self.desk.canceller.cancel(self.parent.order_id, actor="operator:ann")

    async def finish(self) -> None:
        """Let everything calm down until nothing is open."""
        self.desk.venue.deaf = False
        for _ in range(600):
            await self.wait(5)
            await self.fill("1")
            for order in list(self.desk.record.open_orders.values()):
                if order.status is OrderStatus.UNKNOWN:
                    await self.desk.orders.carry_on(order.order_id)
                elif order.status is OrderStatus.PENDING_CANCEL:
                    await self.desk.canceller.cancel(order.order_id, actor="operator:ann")
            if not self.desk.record.open_orders:
                return
        raise AssertionError(f"still open: {list(self.desk.record.open_orders.values())}")

    async def close(self) -> None:
        await self.works.dispatcher.stop()
        self.left += [order.order_id for order in self.desk.venue.submitted]
        await self.desk.close()

    async def children(self) -> list[Order]:
        return await self.desk.record.children(self.parent.order_id)


def slice_of(child: Order) -> str:
    return child.idempotency_key.partition("/try-")[0]


async def schedule_of(market: Market) -> dict[str, Decimal]:
    """Return what each slice carries where nothing goes wrong."""

    class Leaping(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            self.advance(seconds)

    execute = algorithms(clock=Leaping(START), rng=SeededRng(7))[market.algo]
    return {
        child.idempotency_key: child.quantity
        async for child in execute(market.parent, params=market.params)
    }


async def play(
    home: Path, algo: str, quantity: Decimal, lot: str, acts: list[Any], last: str
) -> list[str]:
    """Let things happen to one parent, checked after each; return what left, in order."""
    market = Market(home, algo, WORK[algo] | {"lot_size": lot})
    parent = make_order("parent", quantity=quantity, order_type="limit", limit_price=Decimal(90))
    await market.begin(parent)
    try:
        for act in [*acts, (last, None)]:
            await market.act(*act)
            await market.wait(2)
            check_sums(market.parent, await market.children())
        await market.finish()
        children = await market.children()
        check_sums(market.parent, children)
        over = await market.desk.record.order(market.parent.order_id)
        check_told(over, children, algo, asked=last == "cancel")
        if algo in SCHEDULED:
            planned = await schedule_of(market)
            assert all(planned[slice_of(child)] == child.quantity for child in children)
    finally:
        await market.close()
    return market.left


def check_sums(parent: Order, children: list[Order]) -> None:
    placed = [child for child in children if child.status is not OrderStatus.REJECTED]
    assert sum(child.quantity for child in placed) <= parent.quantity
    assert len({slice_of(child) for child in placed}) == len(placed), "a slice was placed twice"
    assert max((try_number(child) for child in children), default=0) < MOST_TRIES


def check_told(parent: Order, children: list[Order], algo: str, *, asked: bool) -> None:
    """Check that a parent says how much was filled, and why no more was placed."""
    assert parent.is_terminal
    assert parent.filled_quantity == sum(child.filled_quantity for child in children)
    placed = sum(c.quantity for c in children if c.status is not OrderStatus.REJECTED)
    if parent.filled_quantity == parent.quantity:
        assert parent.status is OrderStatus.FILLED
        return
    assert parent.status is OrderStatus.CANCELED
    if placed < parent.quantity and algo in SCHEDULED and not asked:
        assert parent.rejected_code == ALGORITHM_FAILED
        assert "was refused" in (parent.rejected_reason or "")


@pytest.mark.parametrize("algo", WORK)
@settings(max_examples=8, deadline=None)
@given(
    quantity=st.one_of(st.integers(1, 60).map(Decimal), st.decimals("0.01", 40, places=2)),
    lot=st.sampled_from(["0.01", "1", "3"]),
    acts=st.lists(ACTS, max_size=8),
    last=LAST,
)
def test_no_slice_is_placed_twice_none_too_much_and_what_is_missing_is_told(
    algo: str, quantity: Decimal, lot: str, acts: list[Any], last: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        left = asyncio.run(play(Path(folder), algo, quantity, lot, acts, last))
    assert len(left) == len(set(left)), "one key, one order"
