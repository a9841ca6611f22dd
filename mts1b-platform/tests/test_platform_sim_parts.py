"""The parts of a simulated world: faults, counters, trace, bus, processes, and the relay on it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from mts1b_foundation.nats import STREAMS
from mts1b_platform.eventbus.port import BusError, Message, NoResponders, RequestTimeout
from mts1b_platform.rng import SeededRng
from mts1b_platform.simulation import Counters, DeterministicLoop, Faults, SimNet, Trace, run
from mts1b_platform.store import OutboxRelay, Store
from mts1b_platform.supervision import OwnedTasks, TaskGroupSupervisor

SUBJECT = "mts.v1.oms.orders.created.fund.alpha"


def net_of(loop: DeterministicLoop, faults: Faults | None = None) -> SimNet:
    return SimNet(
        loop,
        SeededRng(1),
        faults=faults or Faults.none(),
        counters=Counters(),
        trace=Trace(),
    )


def on_a_net(work: Callable[[SimNet], Awaitable[None]], faults: Faults | None = None) -> None:
    async def main(loop: DeterministicLoop) -> None:
        await work(net_of(loop, faults))

    run(main, seed=1)


def test_a_swarm_is_a_part_of_the_faults_and_follows_from_its_seed() -> None:
    swarms = [Faults.swarm(SeededRng(seed)) for seed in range(200)]
    assert swarms[7] == Faults.swarm(SeededRng(7))
    for name in Faults.names():
        share = sum(name in swarm.active() for swarm in swarms)
        assert 60 < share < 140, name
    assert "bus_loss" not in Faults(bus_loss=0.5).without("bus_loss").active()
    assert not Faults.none().active()


def test_counters_add_up_and_a_trace_tells_one_event_from_none() -> None:
    counters = Counters()
    counters.hit("b")
    counters.add({"a": 2, "b": 1})
    assert list(counters.as_dict().items()) == [("a", 2), ("b", 2)]
    one, two = Trace(keep=2), Trace(keep=None)
    for number in range(9):
        one.record(number, "step", number)
        two.record(number, "step", number)
    assert one.digest == two.digest
    assert len(two.lines) == 9
    assert one.lines[-1] == "8.000000 step 8"
    two.record(9.0, "step")
    assert one.digest != two.digest


def test_requests_are_lost_cut_off_and_die_with_their_server() -> None:
    async def work(net: SimNet) -> None:
        server, client = net.bus("server"), net.bus("client")

        async def answer(data: bytes) -> bytes:
            await asyncio.sleep(0.5)
            return data

        with pytest.raises(NoResponders):
            await client.request("cmd.x", b"1", timeout_s=1.0)
        await server.serve("cmd.x", answer)
        assert await client.request("cmd.x", b"1", timeout_s=1.0) == b"1"
        net.partition("server", 5.0)
        with pytest.raises(RequestTimeout):
            await client.request("cmd.x", b"1", timeout_s=1.0)
        net.heal()
        asked = asyncio.create_task(client.request("cmd.x", b"1", timeout_s=1.0))
        await asyncio.sleep(0.1)
        server.kill()
        with pytest.raises(RequestTimeout):
            await asked
        with pytest.raises(BusError):
            await server.publish_durable(SUBJECT, b"1", message_id="m")

    on_a_net(work)


def test_a_lost_acknowledgement_says_nothing_and_a_wipe_makes_another_stream() -> None:
    async def work(net: SimNet) -> None:
        bus = net.bus("oms")
        await bus.ensure_stream(STREAMS["OMS"])
        before = await bus.stream_info("OMS")
        with pytest.raises(BusError, match="no acknowledgement"):
            await bus.publish_durable(SUBJECT, b"1", message_id="m")
        assert (await bus.stream_info("OMS")).last_sequence == before.last_sequence + 1
        await net.wipe("OMS")
        after = await bus.stream_info("OMS")
        assert (after.last_sequence, after.incarnation != before.incarnation) == (0, True)

    on_a_net(work, Faults(ack_loss=1.0))


def test_a_message_is_stored_twice_when_its_window_is_over() -> None:
    async def work(net: SimNet) -> None:
        bus = net.bus("oms")
        await bus.ensure_stream(STREAMS["OMS"])
        await bus.publish_durable(SUBJECT, b"1", message_id="m")
        assert (await bus.stream_info("OMS")).last_sequence == 2
        assert net.counters.as_dict()["bus.duplicate"] == 1

    on_a_net(work, Faults(duplicate=1.0))


class LossyBus:
    """A bus whose acknowledgement is lost for what ``lost`` names, once each."""

    def __init__(self, net: SimNet, lost: set[str]) -> None:
        self._bus = net.bus("oms")
        self.lost = lost
        self.sent: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._bus, name)

    async def publish_durable(self, subject: str, data: bytes, *, message_id: str) -> object:
        self.sent.append(message_id)
        ack = await self._bus.publish_durable(subject, data, message_id=message_id)
        if message_id in self.lost:
            self.lost.remove(message_id)
            raise BusError(f"no acknowledgement of {message_id}")
        return ack


async def _store(folder: Path) -> Store:
    return await Store.open(folder / "s.sqlite", metadata=sa.MetaData(), name="s")


async def _add(store: Store, *ids: str) -> None:
    async with store.transaction() as tx:
        for name in ids:
            await store.outbox.add(tx, event_id=name, subject=SUBJECT, payload=b"{}")


def test_a_relay_sends_again_what_was_not_acknowledged_and_nothing_else(tmp_path: Path) -> None:
    async def work(net: SimNet) -> None:
        store = await _store(tmp_path)
        bus = LossyBus(net, {"b"})
        relay = OutboxRelay(store, bus, STREAMS["OMS"])  # type: ignore[arg-type]
        await relay.start()
        await _add(store, "a", "b", "c")
        task = asyncio.create_task(relay.run())
        await asyncio.sleep(1.0)
        assert sorted(bus.sent[:3]) == ["a", "b", "c"], "a batch goes out at once, in any order"
        assert bus.sent[3:] == ["b"]
        assert relay.waits_for is None
        task.cancel()
        await store.close()

    on_a_net(work)


def test_a_relay_waits_for_a_bus_that_is_away_and_says_so(tmp_path: Path) -> None:
    async def work(net: SimNet) -> None:
        store = await _store(tmp_path)
        relay = OutboxRelay(store, net.bus("oms"), STREAMS["OMS"])
        await relay.start()
        net.partition("oms", 30.0)
        await _add(store, "a")
        task = asyncio.create_task(relay.run())
        await asyncio.sleep(20.0)
        assert isinstance(relay.waits_for, BusError)
        await asyncio.sleep(15.0)
        assert relay.waits_for is None
        assert (await net.server.stream_info("OMS")).last_sequence == 1
        task.cancel()
        await store.close()

    on_a_net(work)


def test_a_relay_fills_a_stream_that_was_made_anew(tmp_path: Path) -> None:
    async def work(net: SimNet) -> None:
        store = await _store(tmp_path)
        relay = OutboxRelay(store, net.bus("oms"), STREAMS["OMS"])
        await relay.start()
        await _add(store, "a", "b")
        task = asyncio.create_task(relay.run())
        await asyncio.sleep(1.0)
        await net.wipe("OMS")
        await asyncio.sleep(11.0)
        assert (await net.server.stream_info("OMS")).last_sequence == 2
        task.cancel()
        await store.close()

    on_a_net(work)


def test_a_subscriber_hears_nothing_while_it_is_cut_off() -> None:
    async def work(net: SimNet) -> None:
        heard: list[bytes] = []

        async def take(message: Message) -> None:
            heard.append(message.data)

        listener, speaker = net.bus("listener"), net.bus("speaker")
        await listener.subscribe("x.y", take)
        await speaker.publish("x.y", b"1")
        await asyncio.sleep(0.1)
        net.partition("listener", 1.0)
        await speaker.publish("x.y", b"2")
        await asyncio.sleep(2.0)
        await speaker.publish("x.y", b"3")
        await asyncio.sleep(0.1)
        assert heard == [b"1", b"3"]

    on_a_net(work)


async def test_owned_tasks_end_with_their_owner_and_none_starts_afterwards() -> None:
    failed: list[str] = []
    tasks = OwnedTasks(TaskGroupSupervisor(lambda name, error: failed.append(name)))
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("wait")

    async def fail() -> None:
        raise OSError("gone")

    tasks.start("wait", wait())
    tasks.start("fail", fail())
    await asyncio.sleep(0)
    await tasks.stop()
    assert (ended, failed) == (["wait"], ["fail"])
    tasks.start("late", fail())
    await asyncio.sleep(0)
    assert failed == ["fail"]


async def test_a_task_that_is_killed_before_it_began_leaves_no_coroutine_behind() -> None:
    supervisor = TaskGroupSupervisor(lambda name, error: None)
    work = asyncio.sleep(1)
    supervisor.start("never", work)
    supervisor.kill()
    assert inspect.getcoroutinestate(work) == inspect.CORO_CREATED
    await asyncio.sleep(0.01)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
