"""A bus that does to its users what the real one may do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from mts1b_foundation.nats import StreamSpec

from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.port import (
    BusError,
    Consumer,
    Message,
    MessageHandler,
    NoResponders,
    PublishAck,
    RequestHandler,
    RequestTimeout,
    StreamInfo,
    Subscription,
)
from mts1b_platform.ids import SequentialIds
from mts1b_platform.rng import Rng
from mts1b_platform.simulation.clock import SkewedClock
from mts1b_platform.simulation.faults import Counters, Faults, Trace
from mts1b_platform.simulation.loop import DeterministicLoop
from mts1b_platform.supervision import answer

__all__ = ["SimBus", "SimNet"]

_LOOKS_AGAIN_S = 0.5
"""How soon a reader finds out that it has a connection again."""


class SimNet:
    """The server and the wires of one simulated run.

    Streams live on the server, a :class:`LocalBus`, and survive the processes. Each process has a
    :class:`SimBus` of its own and loses everything that it set up when that is killed.
    """

    def __init__(
        self,
        loop: DeterministicLoop,
        rng: Rng,
        *,
        faults: Faults,
        counters: Counters,
        trace: Trace,
    ) -> None:
        self.loop = loop
        self.rng = rng
        self.faults = faults
        self.counters = counters
        self.trace = trace
        self.server = LocalBus(clock=loop.clock, ids=SequentialIds())
        self.cut: dict[str, float] = {}
        self.handlers: dict[str, tuple[SimBus, RequestHandler]] = {}
        self.clocks: dict[str, SkewedClock] = {}

    def clock_of(self, owner: str) -> SkewedClock:
        """Return the clock of a process; it outlives the process, as a machine's does."""
        if owner not in self.clocks:
            self.clocks[owner] = SkewedClock(self.loop.clock)
        return self.clocks[owner]

    def bus(self, owner: str) -> SimBus:
        """Return a new connection of a process."""
        return SimBus(self, owner)

    def partition(self, owner: str, seconds: float) -> None:
        """Keep a process from the bus for a while."""
        self.counters.hit("bus.partition")
        self.trace.record(self.loop.time(), "partition", owner, f"{seconds:.3f}")
        self.cut[owner] = max(self.cut.get(owner, 0.0), self.loop.time() + seconds)

    def is_cut(self, owner: str) -> bool:
        """Return whether a process can not reach the bus now."""
        return self.loop.time() < self.cut.get(owner, 0.0)

    def heal(self) -> None:
        """End every partition and every further fault, and set every clock right."""
        self.cut.clear()
        for clock in self.clocks.values():
            clock.drift(0.0)
            clock.set_right()
        self.faults = Faults.none()

    async def wipe(self, stream: str) -> None:
        """Empty a stream: it has another incarnation afterwards, and its sequence starts anew."""
        self.counters.hit("bus.wipe")
        self.trace.record(self.loop.time(), "wipe", stream)
        self.server.wipe(stream)

    def takes(self, probability: float, name: str) -> bool:
        """Draw whether a fault happens now, and count it when it does."""
        if probability <= 0.0 or self.rng.random() >= probability:
            return False
        self.counters.hit(name)
        return True

    async def hop(self) -> None:
        """Let a message be on its way."""
        if self.faults.latency_s > 0.0:
            await asyncio.sleep(self.rng.uniform(0.0, self.faults.latency_s))
        else:
            await asyncio.sleep(0)


class SimBus:
    """One process's connection. It ends with :meth:`kill`, as a process's does."""

    name = "local"

    def __init__(self, net: SimNet, owner: str) -> None:
        self._net = net
        self.owner = owner
        self._alive = True
        self._subscriptions: list[Subscription] = []
        self._tasks: dict[asyncio.Task[bytes], None] = {}

    @property
    def connected(self) -> bool:
        """Return whether messages can be sent now."""
        return self._alive and not self._net.is_cut(self.owner)

    def _require(self) -> None:
        if not self.connected:
            raise BusError(f"{self.owner} has no connection to the bus")

    async def publish(
        self, subject: str, data: bytes, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send to who listens now; what is sent into a partition is lost."""
        if self.connected:
            await self._net.server.publish(subject, data, headers=headers)

    async def publish_durable(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> PublishAck:
        """Store on the stream; an error does not say that it was not stored."""
        self._require()
        net = self._net
        await net.hop()
        self._require()
        ack = await net.server.publish_durable(
            subject, data, message_id=message_id, headers=headers
        )
        if net.takes(net.faults.duplicate, "bus.duplicate"):
            net.server.forget_id(subject, message_id)
            ack = await net.server.publish_durable(
                subject, data, message_id=message_id, headers=headers
            )
        if net.takes(net.faults.ack_loss, "bus.ack_loss"):
            raise BusError(f"no acknowledgement of {message_id}")
        await net.hop()
        self._require()
        return ack

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue: str | None = None
    ) -> Subscription:
        """Call ``handler`` for each message that arrives while the process can be reached."""

        async def reached(message: Message) -> None:
            if self.connected:
                await handler(message)

        subscription = await self._net.server.subscribe(subject, reached, queue=queue)
        self._subscriptions.append(subscription)
        return subscription

    async def serve(
        self, subject: str, handler: RequestHandler, *, queue: str | None = None
    ) -> Subscription:
        """Answer requests, in tasks of this process."""
        self._net.handlers[subject] = (self, handler)
        return _Served(self._net, subject, handler)

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Ask; a time-out says nothing about whether it was carried out."""
        self._require()
        net = self._net
        served = net.handlers.get(subject)
        if served is None or not served[0]._alive:
            raise NoResponders(f"nobody serves {subject}")
        bus, handler = served
        work = self._ask(bus, handler, data)
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except TimeoutError:
            raise RequestTimeout(f"no reply on {subject} within {timeout_s} s") from None

    async def _ask(self, bus: SimBus, handler: RequestHandler, data: bytes) -> bytes:
        net = self._net
        await net.hop()
        lost = net.takes(net.faults.bus_loss, "bus.request_lost")
        if lost or net.is_cut(bus.owner) or net.is_cut(self.owner) or not bus._alive:
            await _for_ever()
        task = bus.run(answer(handler, data))
        await _ended(task)
        if task.cancelled():
            await _for_ever()  # the other side died with the request in its hands
        lost = net.takes(net.faults.bus_loss, "bus.reply_lost")
        await net.hop()
        if lost or net.is_cut(bus.owner) or net.is_cut(self.owner):
            await _for_ever()
        return task.result()

    def run(self, work: Coroutine[Any, Any, bytes]) -> asyncio.Task[bytes]:
        """Run work of this process; it dies with it."""
        task = self._net.loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[bytes]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # looked at: the requester may have given up meanwhile

    async def ensure_stream(self, spec: StreamSpec, *, duplicate_window_s: float = 120.0) -> None:
        """Create the stream."""
        self._require()
        await self._net.server.ensure_stream(spec, duplicate_window_s=duplicate_window_s)

    async def stream_info(self, stream: str) -> StreamInfo:
        """Return the state of a stream."""
        self._require()
        return await self._net.server.stream_info(stream)

    async def consumer(
        self,
        stream: str,
        durable: str,
        *,
        start_sequence: int | None = None,
        acknowledge: bool = True,
        ack_wait_s: float = 30.0,
        max_deliver: int = 5,
    ) -> Consumer:
        """Return the durable consumer; nothing comes through a partition."""
        self._require()
        inner = await self._net.server.consumer(
            stream,
            durable,
            start_sequence=start_sequence,
            acknowledge=acknowledge,
            ack_wait_s=ack_wait_s,
            max_deliver=max_deliver,
        )
        return _SimConsumer(self, inner)

    async def close(self) -> None:
        """Disconnect."""
        self.kill()

    def kill(self) -> None:
        """Lose everything: subscriptions, servers, and the requests that are being answered."""
        self._alive = False
        for subscription in self._subscriptions:
            self._net.server.drop(subscription)
        self._subscriptions.clear()
        mine = [subject for subject, (bus, _) in self._net.handlers.items() if bus is self]
        for subject in mine:
            del self._net.handlers[subject]
        for task in self._tasks:
            task.cancel()


class _SimConsumer:
    def __init__(self, bus: SimBus, inner: Consumer) -> None:
        self._bus = bus
        self._inner = inner

    async def fetch(self, max_messages: int, *, timeout_s: float) -> list[Message]:
        if not self._bus.connected:
            await asyncio.sleep(min(timeout_s, _LOOKS_AGAIN_S))
            return []
        return await self._inner.fetch(max_messages, timeout_s=timeout_s)

    async def close(self) -> None:
        await self._inner.close()


class _Served:
    def __init__(self, net: SimNet, subject: str, handler: RequestHandler) -> None:
        self._net = net
        self._subject = subject
        self._handler = handler

    async def unsubscribe(self) -> None:
        served = self._net.handlers.get(self._subject)
        if served is not None and served[1] is self._handler:
            del self._net.handlers[self._subject]


async def _ended(task: asyncio.Task[Any]) -> None:
    """Return when a task has ended, however it did; it goes on where this is cancelled."""
    waiter = asyncio.get_running_loop().create_future()

    def wake(_: asyncio.Task[Any]) -> None:
        if not waiter.done():
            waiter.set_result(None)

    task.add_done_callback(wake)
    await waiter


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()
