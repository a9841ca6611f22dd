"""Concurrent orders against shared caps: no interleaving overshoots one, crashes included."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from mts1b_foundation import Order, OrderStatus, RiskDecision, Side
from mts1b_foundation.protocols import RiskGate
from mts1b_platform.rng import Rng, SeededRng

from mts1b_riskengine.campaigns.model import Known, overshoots
from mts1b_riskengine.campaigns.world import (
    CAPS,
    FUNDS,
    PRICE,
    STRATEGIES,
    SYMBOLS,
    PowerLost,
    World,
)

__all__ = ["Campaign", "CampaignResult"]

Item = TypeVar("Item")

_AWAITS = 4
"""A check waits about as often, so a crash can come at each of its waits."""
_TTL_S = 2.5


@dataclass(slots=True)
class CampaignResult:
    """What a campaign did, and every overshoot or leak that it found."""

    interleavings: int = 0
    orders: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the result for people; with no failure, what 0 of n bounds."""
        done = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        head = f"{self.interleavings} interleavings of up to 16 orders, {self.orders} orders"
        verdict = (
            "\n".join(self.failures)
            if self.failures
            else f"0 overshoots (rate below {3 / max(self.interleavings, 1):.1e} at 95 %)"
        )
        return f"{head}: {done}\n{verdict}"


class Campaign:
    """Run seeded interleavings in one folder, one after another, on one store.

    Each ends flat, and the engine's sums must then be exactly zero.

    :param seed: of the first interleaving; the next has the next seed.
    :param gates: others than the engine's own, to see that what they lack is found out.
    """

    def __init__(self, home: Path, *, seed: int, gates: Sequence[RiskGate] | None = None) -> None:
        self._home = home
        self._gates = gates
        self._seed = seed
        self.result = CampaignResult()

    async def run(self, count: int) -> CampaignResult:
        """Run ``count`` interleavings; return what they found."""
        world = await World.open(self._home, gates=self._gates)
        try:
            for number in range(self._seed, self._seed + count):
                await _Interleaving(world, number, self.result).run()
        finally:
            await world.close()
        return self.result


class _Interleaving:
    """Up to 16 orders, each with a life of its own, all at once."""

    def __init__(self, world: World, seed: int, result: CampaignResult) -> None:
        self._world = world
        self._seed = seed
        self._draw = SeededRng(seed)
        self._result = result
        self._known: dict[str, Known] = {}

    async def run(self) -> None:
        count = self._draw.integer(2, 16)
        orders = [self._order(number) for number in range(count)]
        await asyncio.gather(*(self._live(order, self._draw.random()) for order in orders))
        self._verify("at the end")
        await self._flatten(orders)
        self._result.interleavings += 1
        self._result.orders += count

    def _order(self, number: int) -> Order:
        draw, name = self._draw, f"{self._seed}-{number}"
        return Order(
            order_id=f"o-{name}",
            idempotency_key=f"k-{name}",
            symbol=_pick(draw, SYMBOLS),
            side=_pick(draw, (Side.BUY, Side.BUY, Side.SELL, Side.SHORT)),
            quantity=Decimal(draw.integer(1, 80)),
            fund_id=_pick(draw, FUNDS),
            strategy_id=_pick(draw, STRATEGIES),
            created_at=self._world.clock.now(),
        )

    async def _live(self, order: Order, luck: float) -> None:
        """Check an order, with or without a crash, then let it trade, end or expire."""
        if luck < 0.25:
            await self._crash(order)
        if not await self._check(order):
            return
        if luck > 0.9:
            self._world.clock.advance(_TTL_S)
            self._count("expired")
            await self._check(order)
        match int(luck * 100) % 4:
            case 0:
                await self._release(order)
            case 1:
                await self._trade(order, Decimal(1))
            case 2:
                await self._trade(order, Decimal("0.5"))
            case _:
                self._count("resting")

    async def _check(self, order: Order) -> bool:
        try:
            decision = await self._world.engine.check(order)
        except PowerLost:  # meant for another order: that is how crashes are
            decision = await self._world.engine.check(order)
        self._count("approved" if decision.approved else f"denied {decision.code}")
        if decision.approved:
            self._known.setdefault(order.order_id, Known(order))
            self._verify(order.order_id)
        return decision.approved

    async def _crash(self, order: Order) -> None:
        """Lose a check: while it waits, between reserving and committing, or its answer."""
        world = self._world
        if self._draw.random() < 0.5:
            world.outbox.armed = True
            try:
                await world.engine.check(order)
                self._count("answer lost")
            except PowerLost:
                self._count("crash after reserving")
        else:
            await self._cancel(asyncio.ensure_future(world.engine.check(order)))
        if self._draw.random() < 0.3:
            self._count("restart")
            await world.restart()

    async def _cancel(self, task: asyncio.Future[RiskDecision]) -> None:
        for _ in range(self._draw.integer(0, _AWAITS)):
            await asyncio.sleep(0)
        self._count("answer lost" if task.done() else "crash while waiting")
        task.cancel()
        await asyncio.wait({task})

    async def _release(self, order: Order) -> None:
        if await self._world.engine.release(order.order_id):
            self._known[order.order_id].closed = True
            self._count("released")

    async def _trade(self, order: Order, share: Decimal) -> None:
        """Fill a part; what does not fill is cancelled."""
        known = self._known[order.order_id]
        await self._world.feed(order.with_(status=OrderStatus.SUBMITTED, version=4))
        units = max((order.quantity * share).to_integral_value(), Decimal(1))
        await self._world.fill(order, units, f"f-{order.order_id}")
        known.filled = units
        self._verify(f"{order.order_id} filled")
        status = OrderStatus.FILLED if units == order.quantity else OrderStatus.CANCELED
        await self._world.feed(order.with_(status=status, filled_quantity=units, version=5))
        known.closed = True
        self._count("filled" if status is OrderStatus.FILLED else "canceled")

    def _verify(self, when: str) -> None:
        found = overshoots(self._known.values(), CAPS, PRICE)
        self._result.failures += [f"seed {self._seed}, {when}: {text}" for text in found]

    async def _flatten(self, orders: list[Order]) -> None:
        """End every order and take every position back; nothing may be left anywhere."""
        world = self._world
        for order in orders:
            known = self._known.get(order.order_id, Known(order))
            ended = order.with_(
                status=OrderStatus.CANCELED, filled_quantity=known.filled, version=9
            )
            await world.feed(ended)
            if known.filled:
                back = Side.SELL if order.side.sign > 0 else Side.BUY
                opposite = order.with_(order_id=f"back-{order.order_id}", side=back)
                await world.fill(opposite, known.filled, f"b-{order.order_id}")
        for fund in FUNDS:
            total = world.engine.book.positions.of_fund(fund).total(("fund", ""))
            if any((total.gross, total.high, total.low)):
                self._result.failures.append(f"seed {self._seed}: {fund} is left with {total}")
        if world.engine.book.reservations.open_ids():
            self._result.failures.append(f"seed {self._seed}: reservations are left")

    def _count(self, what: str) -> None:
        self._result.counts[what] += 1


def _pick(draw: Rng, items: Sequence[Item]) -> Item:
    return items[draw.integer(0, len(items) - 1)]
