"""Who trades while processes die: an open loop of intents, each asked for until there is an
answer, and cancels of some of the orders that rest."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mts1b_foundation.commands import (
    CancelOrder,
    CancelOutcome,
    CancelReply,
    SubmitOrder,
    SubmitReply,
)
from mts1b_foundation.nats import CMD_OMS_CANCEL, CMD_OMS_SUBMIT, bars_subject
from mts1b_foundation.orders import Order, OrderStatus
from mts1b_platform.eventbus.port import BusError, EventBus, RemoteError
from mts1b_platform.supervision import end_tasks

from tools.proof.desk import PRICE, SYMBOLS, bar_of, order_of

__all__ = ["Intent", "Traders"]

_ATTEMPT_S = 2.0
_NO_ANSWER_YET = frozenset({"NOT_RECONCILED", "WRITER_FENCED", "CancelledError"})
"""Refusals of the moment: the intent may still become an order, so it is asked for again."""

_NOT_SETTLED = frozenset({OrderStatus.PENDING_RISK, OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})
"""What the OMS says of an order whose fate nobody knows: that is no acknowledgement."""


@dataclass(slots=True)
class Intent:
    """What was wanted, and what was answered.

    :ivar once: asked for one time only, whatever the answer.
    :ivar cancel: the answer to its cancel, where one came.
    """

    order: Order
    once: bool = False
    attempts: int = 0
    answer: Order | None = None
    refused: str = ""
    cancel: CancelOutcome | None = None

    @property
    def is_answered(self) -> bool:
        """Return whether there is nothing to wait for."""
        return self.answer is not None or bool(self.refused) or (self.once and self.attempts > 0)

    @property
    def is_acknowledged(self) -> bool:
        """Return whether the OMS said that the order lives."""
        return self.answer is not None and self.answer.status is not OrderStatus.REJECTED

    @property
    def is_denied(self) -> bool:
        """Return whether the OMS said that the order is none."""
        return self.answer is not None and self.answer.status is OrderStatus.REJECTED


@dataclass
class Traders:
    """Send intents at a fixed rate, until too many wait for an answer.

    Who gets no answer asks again, each time after a longer pause.

    :param prefix: makes the keys of this run unique.
    :param most_open: intents without an answer beyond which nothing new is sent.
    """

    bus: EventBus
    rng: random.Random
    prefix: str
    rate_per_s: float
    once_share: float = 0.05
    cancel_share: float = 0.4
    most_open: int = 60
    intents: dict[str, Intent] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)
    acknowledged_at: list[tuple[float, float]] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _open: int = 0
    _sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._sender = asyncio.create_task(self._send())

    async def pause(self) -> None:
        """Send nothing new; what was asked goes on until it is answered."""
        if self._sender is not None:
            await end_tasks([self._sender])
            self._sender = None

    @property
    def unanswered(self) -> list[str]:
        """Return the keys that wait for an answer."""
        return [key for key, intent in self.intents.items() if not intent.is_answered]

    async def finish(self, patience_s: float) -> None:
        """Return when every intent is answered and every cancel is done, or when time is up."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=patience_s)

    async def close(self) -> None:
        """Give up."""
        await self.pause()
        await end_tasks([*self._tasks])

    def acknowledged_after(self, moment: float) -> float | None:
        """Return when the first order that was asked for after ``moment`` was acknowledged."""
        recent = self.acknowledged_at[-1000:]
        return min((answered for asked, answered in recent if asked >= moment), default=None)

    async def _send(self) -> None:
        begin, count = time.perf_counter(), 0
        while True:
            if self._open < self.most_open:
                self._start(self._drive(self._next()))
            count += 1
            await asyncio.sleep(max(0.0, begin + count / self.rate_per_s - time.perf_counter()))

    def _next(self) -> Intent:
        key = f"{self.prefix}-{len(self.intents)}"
        order = order_of(self.rng, key, datetime.now(UTC))
        intent = Intent(order, once=self.rng.random() < self.once_share)
        self.intents[key] = intent
        return intent

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drive(self, intent: Intent) -> None:
        data = SubmitOrder(order=intent.order).model_dump_json().encode()
        self._open += 1
        try:
            await self._until_answered(intent, data)
        finally:
            self._open -= 1
        if intent.is_acknowledged:
            await self._perhaps_cancel(intent)

    async def _until_answered(self, intent: Intent, data: bytes) -> None:
        while not intent.is_answered:
            asked = time.perf_counter()
            try:
                reply = await self.bus.request(CMD_OMS_SUBMIT, data, timeout_s=_ATTEMPT_S)
            except RemoteError as error:
                self.said[error.code] += 1
                if error.code not in _NO_ANSWER_YET:
                    intent.refused = f"{error.code}: {error.message}"
            except BusError as error:
                self.said[type(error).__name__] += 1
            else:
                self._take(intent, SubmitReply.model_validate_json(reply).order, asked)
            intent.attempts += 1
            if not intent.is_answered:
                pause = min(2.0, 0.1 * 1.5**intent.attempts)
                await asyncio.sleep(self.rng.uniform(0.5, 1.0) * pause)

    def _take(self, intent: Intent, order: Order, asked: float) -> None:
        self.said[order.rejected_code or order.status.value] += 1
        if order.status in _NOT_SETTLED:
            return
        intent.answer = order
        if intent.is_acknowledged:
            self.acknowledged_at.append((asked, time.perf_counter()))

    async def _perhaps_cancel(self, intent: Intent) -> None:
        rests = intent.answer is not None and not intent.answer.is_terminal
        if not rests or self.rng.random() >= self.cancel_share:
            return
        await asyncio.sleep(self.rng.uniform(0.0, 1.0))
        request = CancelOrder(order_id=intent.order.order_id, actor="operator:chaos", reason="try")
        for _ in range(30):
            try:
                reply = await self.bus.request(
                    CMD_OMS_CANCEL, request.model_dump_json().encode(), timeout_s=_ATTEMPT_S
                )
            except BusError as error:
                code = error.code if isinstance(error, RemoteError) else type(error).__name__
                self.said[f"cancel {code}"] += 1
            else:
                intent.cancel = CancelReply.model_validate_json(reply).outcome
                self.said[f"cancel {intent.cancel.value}"] += 1
                if intent.cancel is not CancelOutcome.UNKNOWN:
                    return
            await asyncio.sleep(self.rng.uniform(0.1, 0.5))

    async def price(self, step: Decimal) -> None:
        """Publish a bar of every symbol, ``step`` away from where the market is."""
        now = datetime.now(UTC)
        for symbol in SYMBOLS:
            data = bar_of(symbol, PRICE + step, now).model_dump_json().encode()
            await self.bus.publish_durable(
                bars_subject(symbol, "1m"), data, message_id=f"bar-{symbol}-{now.isoformat()}"
            )

    async def market(self) -> None:
        """Move the prices about once a second, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(1.0):
                    await self.price(Decimal(self.rng.randint(-6, 6)) / 4)
            except (BusError, TimeoutError) as error:
                self.said[f"bar {type(error).__name__}"] += 1
            await asyncio.sleep(0.8)
