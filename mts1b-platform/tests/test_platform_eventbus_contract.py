"""One contract, two buses: the local one and a real NATS server."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from mts1b_foundation.nats import StreamSpec
from mts1b_platform.eventbus.local import LocalBus
from mts1b_platform.eventbus.nats import NatsBus, NatsUnavailable
from mts1b_platform.eventbus.port import (
    EventBus,
    Message,
    NoResponders,
    RemoteError,
    RequestTimeout,
    StreamMissing,
)
from mts1b_platform.eventbus.server import (
    NatsServer,
    NatsServerBusy,
    NatsServerNotFound,
    find_server_binary,
    read_address,
)

NUMBERS = StreamSpec("NUMBERS", ("numbers.>",))
MakeBus = Callable[[], Awaitable[EventBus]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    running = NatsServer(tmp_path)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture(params=["local", "nats"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventBus]:
    if request.param == "local":
        local = LocalBus()
        yield local
        await local.close()
        return
    running = NatsServer(tmp_path)
    address = await running.start()
    connected = await NatsBus.connect(lambda: address)
    yield connected
    await connected.close()
    await running.stop()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (the bus has no event to wait for)
            await asyncio.sleep(0.005)


class Heard:
    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def data(self) -> list[bytes]:
        return [message.data for message in self.messages]


async def test_wildcards_select_and_order_is_kept(bus: EventBus) -> None:
    one, rest = Heard(), Heard()
    await bus.subscribe("a.*.c", one)
    await bus.subscribe("a.>", rest)
    for index in range(20):
        await bus.publish("a.b.c", str(index).encode())
    await bus.publish("a.b", b"short")
    await eventually(lambda: len(rest.data) == 21)
    assert one.data == [str(index).encode() for index in range(20)]


async def test_a_queue_group_shares_the_messages(bus: EventBus) -> None:
    members = [Heard(), Heard()]
    for member in members:
        await bus.subscribe("work", member, queue="q")
    for index in range(40):
        await bus.publish("work", str(index).encode())
    await eventually(lambda: sum(len(member.data) for member in members) == 40)
    together = sorted(int(data) for member in members for data in member.data)
    assert together == list(range(40))


async def test_an_unsubscribed_handler_hears_nothing_more(bus: EventBus) -> None:
    gone, stays = Heard(), Heard()
    subscription = await bus.subscribe("x", gone)
    await bus.subscribe("x", stays)
    await subscription.unsubscribe()
    await bus.publish("x", b"1")
    await eventually(lambda: stays.data == [b"1"])
    assert gone.data == []


async def test_a_handler_that_fails_hears_the_next_message(bus: EventBus) -> None:
    heard = Heard()

    async def hear(message: Message) -> None:
        await heard(message)
        if message.data == b"0":
            raise ValueError("not this one")

    await bus.subscribe("a", hear)
    for index in range(3):
        await bus.publish("a", str(index).encode())
    await eventually(lambda: len(heard.data) == 3)
    assert heard.data == [b"0", b"1", b"2"]


async def test_headers_travel(bus: EventBus) -> None:
    heard = Heard()
    await bus.subscribe("h", heard)
    await bus.publish("h", b"", headers={"mts-trace": "t1"})
    await eventually(lambda: len(heard.messages) == 1)
    assert heard.messages[0].headers["mts-trace"] == "t1"


async def test_a_request_is_answered(bus: EventBus) -> None:
    async def double(data: bytes) -> bytes:
        return data * 2

    await bus.serve("double", double)
    assert await bus.request("double", b"ab", timeout_s=2) == b"abab"


class Declined(Exception):
    code = "DECLINED"


async def test_what_a_handler_raises_reaches_the_requester(bus: EventBus) -> None:
    async def refuse(data: bytes) -> bytes:
        raise Declined("not today")

    await bus.serve("refuse", refuse)
    with pytest.raises(RemoteError, match="not today") as caught:
        await bus.request("refuse", b"", timeout_s=2)
    assert caught.value.code == "DECLINED"


async def test_nobody_there_and_no_answer_are_told_apart(bus: EventBus) -> None:
    async def never(data: bytes) -> bytes:
        await asyncio.sleep(30)
        return b""

    await bus.serve("slow", never)
    with pytest.raises(NoResponders):
        await bus.request("nobody", b"", timeout_s=2)
    with pytest.raises(RequestTimeout):
        await bus.request("slow", b"", timeout_s=0.05)


async def test_requests_are_served_at_the_same_time(bus: EventBus) -> None:
    opened = asyncio.Event()

    async def wait_or_open(data: bytes) -> bytes:
        if data == b"open":
            opened.set()
        await opened.wait()
        return data

    await bus.serve("door", wait_or_open)
    first = asyncio.create_task(bus.request("door", b"wait", timeout_s=3))
    await asyncio.sleep(0)
    assert await bus.request("door", b"open", timeout_s=3) == b"open"
    assert await first == b"wait"


async def publish(bus: EventBus, *names: str) -> None:
    for name in names:
        await bus.publish_durable(f"numbers.{name}", name.encode(), message_id=f"id-{name}")


async def test_a_stream_keeps_messages_for_who_comes_later(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2", "3")
    consumer = await bus.consumer("NUMBERS", "late")
    messages = await consumer.fetch(10, timeout_s=1)
    assert [message.data for message in messages] == [b"1", b"2", b"3"]
    assert [message.sequence for message in messages] == [1, 2, 3]
    assert messages[0].message_id == "id-1"
    assert (messages[0].stream, messages[0].deliveries) == ("NUMBERS", 1)


async def test_the_same_message_id_is_stored_once(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    first = await bus.publish_durable("numbers.1", b"1", message_id="same")
    again = await bus.publish_durable("numbers.1", b"1", message_id="same")
    assert (first.sequence, first.duplicate) == (1, False)
    assert (again.sequence, again.duplicate) == (1, True)
    assert (await bus.stream_info("NUMBERS")).last_sequence == 1


async def test_a_durable_publish_needs_a_stream(bus: EventBus) -> None:
    with pytest.raises(StreamMissing):
        await bus.publish_durable("homeless", b"", message_id="m")
    with pytest.raises(StreamMissing):
        await bus.stream_info("NONE")


async def test_an_acknowledged_message_does_not_come_again(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2")
    consumer = await bus.consumer("NUMBERS", "c", ack_wait_s=0.2)
    for message in await consumer.fetch(1, timeout_s=1):
        await message.ack()
    (second,) = await consumer.fetch(1, timeout_s=1)
    (returned,) = await consumer.fetch(10, timeout_s=2)
    assert second.data == returned.data == b"2"
    assert returned.deliveries == 2


async def test_a_refused_message_comes_again_at_once(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1")
    consumer = await bus.consumer("NUMBERS", "c")
    (message,) = await consumer.fetch(1, timeout_s=1)
    await message.nak()
    (again,) = await consumer.fetch(1, timeout_s=2)
    assert again.deliveries == 2
    await again.term()
    assert await consumer.fetch(1, timeout_s=0.1) == []


async def test_a_hopeless_message_goes_to_the_dead_letters(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2")
    dead = Heard()
    await bus.subscribe("mts.dead.NUMBERS.c", dead)
    consumer = await bus.consumer("NUMBERS", "c", max_deliver=2)
    for _ in range(2):
        for message in await consumer.fetch(2, timeout_s=1):
            await (message.nak() if message.data == b"1" else message.ack())
    await consumer.fetch(1, timeout_s=0.3)
    await eventually(lambda: dead.data == [b"1"])
    assert dead.messages[0].headers["mts-subject"] == "numbers.1"
    assert await consumer.fetch(1, timeout_s=0.2) == []


async def test_two_durables_read_independently(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1")
    for name in ("a", "b"):
        consumer = await bus.consumer("NUMBERS", name)
        assert [m.data for m in await consumer.fetch(1, timeout_s=1)] == [b"1"]


async def test_a_reader_that_acknowledges_nothing_gets_each_message_once(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2", "3")
    reader = await bus.consumer("NUMBERS", "c", start_sequence=1, acknowledge=False, ack_wait_s=0.1)
    first = await reader.fetch(2, timeout_s=1)
    assert [m.data for m in first] == [b"1", b"2"]
    for message in first:
        await message.ack()
    assert [m.data for m in await reader.fetch(9, timeout_s=1)] == [b"3"]
    assert await reader.fetch(9, timeout_s=0.3) == []
    again = await bus.consumer("NUMBERS", "c", start_sequence=3, acknowledge=False)
    assert [m.data for m in await again.fetch(9, timeout_s=1)] == [b"3"]


async def test_a_reader_with_its_own_record_starts_where_it_says(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2", "3")
    dead = await bus.consumer("NUMBERS", "c", ack_wait_s=60)
    assert len(await dead.fetch(3, timeout_s=1)) == 3  # never acknowledged: its reader died
    alive = await bus.consumer("NUMBERS", "c", start_sequence=2)
    assert [m.data for m in await alive.fetch(3, timeout_s=1)] == [b"2", b"3"]


async def test_a_durable_that_began_elsewhere_keeps_its_position(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2", "3")
    await bus.consumer("NUMBERS", "c", start_sequence=3)
    again = await bus.consumer("NUMBERS", "c")
    assert [m.data for m in await again.fetch(3, timeout_s=1)] == [b"3"]


async def test_a_fetch_ends_when_messages_are_there(bus: EventBus) -> None:
    await bus.ensure_stream(NUMBERS)
    consumer = await bus.consumer("NUMBERS", "c")
    waiting = asyncio.create_task(consumer.fetch(100, timeout_s=30))
    await asyncio.sleep(0.05)
    await publish(bus, "1")
    async with asyncio.timeout(5):
        assert [m.data for m in await waiting] == [b"1"]


async def test_a_reader_of_no_stream_is_told(bus: EventBus) -> None:
    with pytest.raises(StreamMissing):
        await bus.consumer("NONE", "c")


async def test_streams_and_positions_survive_a_restart_of_the_server(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    address = await server.start()
    bus = await NatsBus.connect(lambda: address)
    await bus.ensure_stream(NUMBERS)
    await publish(bus, "1", "2")
    before = await bus.stream_info("NUMBERS")
    await server.stop()
    restarted = NatsServer(tmp_path)
    assert await restarted.start() == address
    await publish(bus, "2", "3")  # the connection comes back by itself; 2 is known already
    after = await bus.stream_info("NUMBERS")
    assert (before.incarnation, after.last_sequence) == (after.incarnation, 3)
    await bus.close()
    await restarted.stop()


async def test_a_client_finds_a_server_that_had_to_change_its_port(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    first = await server.start()
    bus = await NatsBus.connect(lambda: read_address(tmp_path, {}))
    await bus.ensure_stream(NUMBERS)
    await server.stop()
    (tmp_path / "nats" / "port").unlink()  # as if another program had taken the old one
    restarted = NatsServer(tmp_path)
    assert (await restarted.start()).url != first.url
    await publish(bus, "1")
    assert (await bus.stream_info("NUMBERS")).last_sequence == 1
    await bus.close()
    await restarted.stop()


_OWNER = """
import asyncio, sys
from pathlib import Path
from mts1b_platform.eventbus.server import NatsServer
async def main():
    server = NatsServer(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_a_killed_owner_takes_its_server_along_and_the_next_one_keeps_the_port(
    tmp_path: Path,
) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OWNER, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    assert int(await owner.stdout.readline()) > 0
    before = read_address(tmp_path, {})
    owner.kill()
    await owner.wait()
    successor = NatsServer(tmp_path)
    assert await successor.start() == before
    await successor.stop()


async def test_a_second_server_in_one_home_is_refused(server: NatsServer, tmp_path: Path) -> None:
    with pytest.raises(NatsServerBusy, match="already runs"):
        await NatsServer(tmp_path).start()
    assert read_address(tmp_path, {}) is not None


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    taken = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(NatsServerBusy, match=f"port {port} is in use"):
        await NatsServer(tmp_path, port=port).start()
    taken.close()
    await taken.wait_closed()


async def test_a_connection_without_the_token_is_refused(
    server: NatsServer, tmp_path: Path
) -> None:
    address = read_address(tmp_path, {})
    assert address is not None
    assert (tmp_path / "nats" / "token").stat().st_mode & 0o777 == 0o600
    stranger = type(address)(address.url, "wrong")
    with pytest.raises(NatsUnavailable, match="does not answer"):
        await NatsBus.connect(lambda: stranger, patience_s=0.1)


async def test_no_server_at_all_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(NatsUnavailable, match="mts bus serve"):
        await NatsBus.connect(lambda: read_address(tmp_path, {}), patience_s=0.0)


def test_a_missing_binary_names_the_ways_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NatsServerNotFound, match="MTS_NATS_SERVER_BIN is /nowhere"):
        find_server_binary({"MTS_NATS_SERVER_BIN": "/nowhere"})
    assert find_server_binary({"PATH": ""}).name == "nats-server"
