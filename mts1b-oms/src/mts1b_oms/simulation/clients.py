"""Clients that want an answer: they ask again, with the same key, until they have one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mts1b_foundation.commands import (
    CancelOrder,
    CancelReply,
    ReplaceOrder,
    ReplaceOutcome,
    ReplaceReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.nats import CMD_OMS_CANCEL, CMD_OMS_REPLACE, CMD_OMS_SUBMIT
from mts1b_foundation.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from mts1b_platform.eventbus.port import BusError, RemoteError
from mts1b_platform.ids import derive_id
from mts1b_platform.simulation import Faults

from mts1b_oms.simulation.checks import Violation
from mts1b_oms.simulation.desk import OWNERS, PRICE, PROBE, SHORTS, SYMBOLS

if TYPE_CHECKING:
    from mts1b_oms.simulation.world import World

__all__ = ["Clients"]

_PATIENCE_S = 2.0
_LAST_WORDS_S = 15.0
_IN_FLIGHT_S = 0.4
"""About how long a change is on its way where messages are slow."""
_AWAY, _SMALL = Decimal("0.5"), Decimal(4)
_CHANGES_AT_REST = 4
_WORKED = 0.12
"""How many of the orders are worked by an algorithm."""
_TIFS = (
    (0.1, TimeInForce.IOC),
    (0.15, TimeInForce.FOK),
    (0.3, TimeInForce.GTD),
    (0.4, TimeInForce.DAY),
    (1.0, TimeInForce.GTC),
)
"""What an order says of how long it lives: up to which share of draws which."""
_LIVES_S = (0.05, 40.0)
Work = tuple[str, dict[str, Any]]
"""The name of an algorithm, and its parameters."""
_FINAL = frozenset({"KEY_REUSE_MISMATCH", "ORDER_INVALID", "UNKNOWN_SYMBOL"})


class Clients:
    """One task for each strategy; together they submit a given number of orders."""

    def __init__(self, world: World, orders: int) -> None:
        self._world = world
        self._orders = orders
        self._bus = world.net.bus("client")
        self._tasks: list[asyncio.Task[None]] = []
        self._side_tasks: list[asyncio.Task[Any]] = []
        self.acknowledged: dict[str, Order] = {}
        self.parents: dict[str, Order] = {}
        """The orders that an algorithm works, as they were asked for, by id."""
        self.taken_back: set[str] = set()
        """The parents whose cancel was confirmed: nothing of them may leave any more."""
        self._hurry = asyncio.Event()
        self._crashes = world.net.faults.crash_per_min > 0.0

    async def trade(self, seconds: float) -> None:
        """Submit everything within ``seconds``, answers or not."""
        share = -(-self._orders // len(OWNERS))
        for fund, strategy in OWNERS:
            work = self._strategy(fund, strategy, share, seconds)
            self._tasks.append(asyncio.create_task(work, name=f"client.{strategy}"))
        await asyncio.wait(self._tasks, timeout=seconds)

    async def finish(self) -> None:
        """Submit what is left and wait for the missing answers, in a world without faults."""
        self._hurry.set()
        waiting = [task for task in (*self._tasks, *self._side_tasks) if not task.done()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=120.0)
            if late:
                names = sorted(task.get_name() for task in late)
                self._world.fail(Violation(f"L1 no answer for {', '.join(names)}"))
                for task in late:
                    task.cancel()
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise task.exception() or RuntimeError

    async def fall_silent(self) -> None:
        """Ask for a change of a resting order, get no answer, and never come back to it.

        The venue's word on it is lost, done or not: the OMS alone can find out. In half of the
        runs the weather is calm by then, so that the change does get as far as the venue.
        """
        world, resting = self._world, []
        if world.rng.random() < 0.5:
            world.net.faults = Faults.none()
        for fund, strategy in OWNERS:
            order = self._order(fund, strategy, self._orders + 1).with_(
                symbol=PROBE,
                tif=TimeInForce.GTC,
                expires_at=None,
                side=Side.BUY,
                quantity=Decimal(1),
                order_type=OrderType.LIMIT,
                limit_price=PRICE - 5,
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    answer = await self._submit(order)
                    if answer is not None and answer.status is OrderStatus.ACCEPTED:
                        resting.append(answer)
        slow = max(world.net.faults.latency_s, _IN_FLIGHT_S / 8)
        world.net.faults = replace(world.net.faults, venue_timeout=1.0, latency_s=slow)
        for order in resting:
            world.counters.hit("C5 change nobody asks about again")
            # Small: what rests here must leave the cap some room for the orders that probe it.
            self._aside(f"last.{order.order_id}", self._change(order, asks=1, most=5))
        if resting and self._crashes:
            await asyncio.sleep(world.rng.uniform(0.0, _IN_FLIGHT_S))
            world.counters.hit("C5 crash in a change nobody asks about again")
            world.processes["oms"].kill()
            world.restart_later("oms")
        await asyncio.sleep(_PATIENCE_S)

    async def probe(self) -> None:
        """Submit and cancel one order of each strategy: both must be done (L2)."""
        for fund, strategy in OWNERS:
            order = self._order(fund, strategy, self._orders).with_(
                symbol=PROBE,
                tif=TimeInForce.GTC,
                expires_at=None,
                side=Side.BUY,
                quantity=Decimal(1),
                order_type=OrderType.LIMIT,
                limit_price=PRICE - 1,
            )
            answer = await self._submit(order)
            if answer is None or answer.status is not OrderStatus.ACCEPTED:
                said = "refused" if answer is None else f"{answer.status} {answer.rejected_code}"
                self._world.fail(Violation(f"L2 after every fault an order of {fund} is {said}"))
            elif not await self._cancel(order, within_s=0.0):
                self._world.fail(Violation(f"L2 after every fault {order.order_id} stays open"))

    async def _strategy(self, fund: str, strategy: str, count: int, seconds: float) -> None:
        rng = self._world.rng
        for number in range(count):
            await self._pause(rng.uniform(0.0, 2.0 * seconds / count * 0.9))
            order = self._order(fund, strategy, number)
            work = self._work(order) if rng.random() < _WORKED else None
            if work is not None:
                self.parents[order.order_id] = order
            twice = rng.random() < 0.1
            if twice:
                self._aside(f"twin.{order.order_id}", self._submit_only(order, work))
            if rng.random() < 0.05:
                self._aside(f"early.{order.order_id}", self._cancel(order, within_s=1.0))
            answer = await self._submit(order, work)
            if answer is None:
                continue
            if rng.random() < 0.05:
                await self._reuse(order)
            if answer.limit_price is not None and rng.random() < 0.5:
                self._aside(f"change.{order.order_id}", self._changes(answer))
            in_doubt = answer.status is OrderStatus.UNKNOWN
            if rng.random() < (0.6 if in_doubt else 0.25) and not answer.is_terminal:
                within_s = 1.0 if in_doubt else 30.0
                self._aside(f"cancel.{order.order_id}", self._cancel(order, within_s=within_s))

    async def _pause(self, seconds: float) -> None:
        """Wait ``seconds``, or until the time for trading is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    def _aside(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        self._side_tasks.append(asyncio.create_task(work, name=name))

    def _order(self, fund: str, strategy: str, number: int) -> Order:
        rng = self._world.rng
        key = f"{strategy}-{number}"
        limit = rng.random() < 0.5
        symbol = SYMBOLS[rng.integer(0, len(SYMBOLS) - 1)]
        quantity = Decimal(rng.integer(1, 20))
        held = self._world.truth.held(fund, strategy, str(symbol))
        buys = rng.random() < self._wish_to_buy(fund, held, quantity)
        step, tif = Decimal(rng.integer(-3, 3)) / 100, self._tif()
        if rng.random() < 0.2:  # far from the market, where it rests and can be changed
            step, quantity = -_AWAY if buys else _AWAY, min(quantity, _SMALL)
            tif = TimeInForce.DAY if rng.random() < 0.5 else tif
        now, price = self._world.loop.clock.now(), self._world.price
        ends_in = rng.uniform(*_LIVES_S) if tif is TimeInForce.GTD else None
        return Order(
            order_id=derive_id("ord", key),
            idempotency_key=key,
            symbol=symbol,
            side=self._side(fund, buys, held),
            quantity=quantity,
            order_type=OrderType.LIMIT if limit else OrderType.MARKET,
            limit_price=price + step if limit else None,
            tif=tif,
            expires_at=None if ends_in is None else now + timedelta(seconds=ends_in),
            fund_id=fund,
            strategy_id=strategy,
            created_at=now,
            reference_price=price,
        )

    def _tif(self) -> TimeInForce:
        chosen = self._world.rng.random()
        return next(tif for share, tif in _TIFS if chosen < share)

    def _wish_to_buy(self, fund: str, held: Decimal, quantity: Decimal) -> float:
        """Return how likely it is a purchase: mostly a strategy sells what it holds, not more.

        One that may go short wishes to be on the other side of where it is.
        """
        if fund == SHORTS:
            return 0.35 if held > 0 else 0.65
        return 0.3 if held >= quantity else 0.9

    def _side(self, fund: str, buys: bool, held: Decimal) -> Side:
        """Return the side by either of its names, where a fund may go short."""
        if fund == SHORTS and held < 0:
            self._world.counters.hit("order of a short position")
        if fund == SHORTS and held <= 0 and self._world.rng.random() < 0.5:
            return Side.COVER if buys else Side.SHORT
        return Side.BUY if buys else Side.SELL

    def _work(self, order: Order) -> Work:
        """Return the algorithm that works an order, and how: in slices, or little by little."""
        rng, world = self._world.rng, self._world
        if order.limit_price is not None and rng.random() < 0.5:
            world.counters.hit("parent.iceberg")
            shown = rng.integer(1, 6)
            return "iceberg", {
                "display_qty": str(shown),
                "refill_threshold": str(rng.integer(0, shown - 1)),
                "check_seconds": rng.uniform(0.2, 2.0),
            }
        world.counters.hit("parent.twap")
        return "twap", {
            "n_slices": rng.integer(2, 6),
            "horizon_minutes": rng.uniform(0.02, 0.7),
            "child_order_type": "market" if order.limit_price is None else "limit",
        }

    async def _submit_only(self, order: Order, work: Work | None) -> None:
        await asyncio.sleep(self._world.rng.uniform(0.0, 0.1))
        await self._submit(order, work)

    async def _submit(self, order: Order, work: Work | None = None) -> Order | None:
        """Ask until there is an answer; None when the order is refused for good.

        :param work: the algorithm that works it, and its parameters.
        """
        world = self._world
        algo, params = work or (None, {})
        asked = SubmitOrder(order=order, algo=algo, params=params)
        request = asked.model_dump_json().encode()
        while True:
            try:
                data = await self._bus.request(CMD_OMS_SUBMIT, request, timeout_s=_PATIENCE_S)
                answer = SubmitReply.model_validate_json(data).order
                self.acknowledged[order.order_id] = answer
                world.trace.record(
                    world.loop.time(),
                    "answer",
                    order.order_id,
                    answer.status.value,
                    answer.rejected_code or "",
                )
                world.counters.hit(f"answer.{answer.rejected_code or answer.status.value}")
                return answer
            except RemoteError as error:
                world.counters.hit(f"refused.{error.code}")
                if error.code == "KEY_REUSE_MISMATCH":
                    world.fail(Violation(f"P1 {order.order_id} asked again is taken for another"))
                if error.code in _FINAL:
                    return None
            except BusError as error:
                world.counters.hit(f"client.{type(error).__name__}")
            await asyncio.sleep(world.rng.uniform(0.1, 2.0))

    async def _reuse(self, order: Order) -> None:
        """Use a key again with other economics: refused, always (A7)."""
        other = order.with_(quantity=order.quantity + 1)
        request = SubmitOrder(order=other).model_dump_json().encode()
        try:
            data = await self._bus.request(CMD_OMS_SUBMIT, request, timeout_s=_PATIENCE_S)
        except RemoteError as error:
            if error.code == "KEY_REUSE_MISMATCH":
                self._world.counters.hit("A7 key reuse refused")
            return
        except BusError:
            return
        answer = SubmitReply.model_validate_json(data).order
        if self._world.restored:  # what a lost order was asked as, nobody knows
            return
        self._world.fail(
            Violation(f"I1 key {order.idempotency_key} used again is answered {answer.status}")
        )

    async def _changes(self, order: Order) -> None:
        """Change an order once, or several times where it rests away from the market."""
        limit, seen = order.limit_price, order.reference_price
        rests = limit is not None and seen is not None and abs(limit - seen) >= _AWAY
        for number in range(_CHANGES_AT_REST if rests else 1):
            await self._change(order, number=number, most=2 * int(_SMALL) if rests else 25)

    async def _change(
        self, order: Order, *, asks: int | None = None, most: int = 25, number: int = 0
    ) -> None:
        """Ask for another total or limit until there is an answer, or once and never again.

        :param asks: how often at most; None: the seed decides.
        :param most: the largest total that is asked for.
        :param number: which change of the order it is.
        """
        world = self._world
        if asks is None:
            await asyncio.sleep(world.rng.uniform(0.0, 4.0))
            asks = 1 if world.rng.random() < 0.3 else 50
            world.weather.drill_soon()
        step = Decimal(world.rng.integer(-2, 2)) / 100
        request = ReplaceOrder(
            order_id=order.order_id,
            replace_key=f"change-{number}-{order.order_id}",
            quantity=Decimal(world.rng.integer(1, most)),
            limit_price=(order.limit_price or world.price) + step,
            actor="operator:sim",
        ).model_dump_json()
        for _ in range(asks):
            try:
                data = await self._bus.request(
                    CMD_OMS_REPLACE, request.encode(), timeout_s=_PATIENCE_S
                )
                reply = ReplaceReply.model_validate_json(data)
                world.counters.hit(f"change.{reply.outcome.value}")
                if reply.outcome is not ReplaceOutcome.UNKNOWN:
                    return
            except BusError as error:
                world.counters.hit(f"client.{type(error).__name__}")
                if self._is_forgotten(error):
                    return
            await asyncio.sleep(world.rng.uniform(0.2, 3.0))

    def _is_forgotten(self, error: BusError) -> bool:
        """Return whether an order is asked about that a restored record has lost."""
        unknown = isinstance(error, RemoteError) and error.code == "UNKNOWN_ORDER"
        return unknown and self._world.restored

    async def _cancel(self, order: Order, *, within_s: float = 30.0) -> bool:
        """Ask until there is an answer; return whether the order was cancelled."""
        world = self._world
        await asyncio.sleep(world.rng.uniform(0.0, within_s))
        request = CancelOrder(order_id=order.order_id, actor="operator:sim", reason="changed mind")
        for _ in range(50):
            try:
                data = await self._bus.request(
                    CMD_OMS_CANCEL, request.model_dump_json().encode(), timeout_s=_PATIENCE_S
                )
                outcome = CancelReply.model_validate_json(data).outcome
                world.counters.hit(f"cancel.{outcome.value}")
                world.trace.record(world.loop.time(), "cancel", order.order_id, outcome.value)
                if outcome.value != "unknown":
                    if outcome.value == "confirmed" and order.order_id in self.parents:
                        world.counters.hit("parent.cancelled")
                        self.taken_back.add(order.order_id)
                    return outcome.value == "confirmed"
            except BusError as error:
                world.counters.hit(f"client.{type(error).__name__}")
                if self._is_forgotten(error):
                    return False
            await asyncio.sleep(world.rng.uniform(0.2, 3.0))
        return False
