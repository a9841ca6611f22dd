"""Who trades while the halt falls: strategies, algorithms, and a hand that cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mts1b_foundation.commands import CancelOrder, ReplaceOrder, SubmitOrder, SubmitReply
from mts1b_foundation.model import FrozenModel
from mts1b_foundation.nats import CMD_OMS_CANCEL, CMD_OMS_REPLACE, CMD_OMS_SUBMIT
from mts1b_foundation.orders import Order
from mts1b_platform.eventbus.port import BusError, RemoteError

from tools.halts.orders_of import draw

if TYPE_CHECKING:
    from tools.halts.world import RaceWorld

__all__ = ["Racers"]

_PATIENCE_S = 2.0


class Racers:
    """Submit, slice and cancel at random moments; ask again where there is no answer."""

    def __init__(self, world: RaceWorld) -> None:
        self._world = world
        self._bus = world.net.bus("client")
        self.tasks: set[asyncio.Task[None]] = set()
        self._live: list[Order] = []

    async def burst(self, number: int) -> None:
        """Do several things at once; return when most of it is under way."""
        rng = self._world.rng
        for index in range(rng.integer(3, 8)):
            key = f"race-{self._world.seed}-{number}-{index}"
            kind = rng.random()
            if kind < 0.6:
                self._start(self._submit(key))
            elif kind < 0.75:
                self._start(self._slices(key))
            elif kind < 0.9:
                self._start(self._change(key))
            else:
                self._start(self._cancel())
            if rng.random() < 0.5:
                await asyncio.sleep(rng.uniform(0.0, 0.01))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _submit(self, key: str) -> None:
        order = draw(self._world.rng, key, self._world.loop.clock.now())
        if self._world.rng.random() < 0.1:
            order = order.with_(reduce_only=True)
        await self._ask(SubmitOrder(order=order), CMD_OMS_SUBMIT, "order")

    async def _slices(self, key: str) -> None:
        parent = draw(self._world.rng, key, self._world.loop.clock.now(), quantity=9)
        params = {"n_slices": 3, "horizon_minutes": 0.02, "child_order_type": "market"}
        await self._ask(
            SubmitOrder(order=parent, algo="twap", params=params), CMD_OMS_SUBMIT, "algo"
        )

    async def _change(self, key: str) -> None:
        """Ask for another total of an order that rests, or did a moment ago."""
        resting = [order for order in self._live if order.limit_price is not None]
        if not resting:
            return
        rng = self._world.rng
        order = resting[rng.integer(0, len(resting) - 1)]
        request = ReplaceOrder(
            order_id=order.order_id,
            replace_key=f"change-{key}",
            quantity=Decimal(rng.integer(1, 12)),
            actor="operator:race",
        )
        await self._ask(request, CMD_OMS_REPLACE, "change")

    async def _cancel(self) -> None:
        if not self._live:
            return
        order = self._live.pop(self._world.rng.integer(0, len(self._live) - 1))
        request = CancelOrder(order_id=order.order_id, actor="operator:race", reason="race")
        await self._ask(request, CMD_OMS_CANCEL, "cancel")

    async def _ask(self, request: FrozenModel, subject: str, kind: str) -> None:
        world, data = self._world, request.model_dump_json().encode()
        for _ in range(3):
            try:
                reply = await self._bus.request(subject, data, timeout_s=_PATIENCE_S)
            except RemoteError as error:
                world.counters.hit(f"{kind} refused {error.code}")
                return
            except BusError:
                await asyncio.sleep(world.rng.uniform(0.05, 0.5))
                continue
            if subject == CMD_OMS_SUBMIT:
                order = SubmitReply.model_validate_json(reply).order
                world.counters.hit(f"{kind} {order.rejected_code or order.status.value}")
                if not order.is_terminal:
                    self._live.append(order)
            return
