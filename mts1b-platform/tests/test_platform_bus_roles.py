"""Each service may do on the bus what its role says, and a real nats-server refuses the rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mts1b_foundation import nats as subjects
from mts1b_foundation.bus_roles import BUS_ROLES, BusRole
from mts1b_foundation.nats import STREAMS, SUBJECTS, Durability
from mts1b_platform.errors import FixConfiguration
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.permissions import ADMINISTRATOR, permissions_of
from mts1b_platform.eventbus.port import BusError, NotPermitted, RequestTimeout
from mts1b_platform.eventbus.server import NatsServer, make_streams, read_address
from nats.aio.client import Client

ROLES = [role.name for role in BUS_ROLES]
FILL = subjects.with_fund(subjects.OMS_FILLS_CREATED, "f1")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    server = NatsServer(tmp_path, roles=BUS_ROLES, prepare=make_streams)
    await server.start()
    yield tmp_path
    await server.stop()


async def bus_of(home: Path, user: str) -> NatsBus:
    return await NatsBus.connect(lambda: read_address(home, {}, user=user), name=user)


class Stolen:
    """A client of a thief: the key of a service, and no rule of ours about how to use it."""

    def __init__(self, home: Path, user: str) -> None:
        self.refused: list[str] = []
        self.client = Client()
        self._home, self._user = home, user

    async def __aenter__(self) -> Stolen:
        address = read_address(self._home, {}, user=self._user)
        assert address is not None
        await self.client.connect(
            address.url, user=address.user, password=address.password, error_cb=self._on_error
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def _on_error(self, error: Exception) -> None:
        self.refused.append(str(error))

    async def refusals(self) -> list[str]:
        """Return what the server refused so far: all of it once it refused what nobody may."""
        await self.client.publish("the.end", b"")
        async with asyncio.timeout(10):
            while not any('"the.end"' in text for text in self.refused):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        return [text for text in self.refused if '"the.end"' not in text]


def concrete(subject: str) -> str:
    return subject.replace("*", "x")


def test_every_subject_has_one_role_that_produces_it() -> None:
    for spec in SUBJECTS.values():
        owners = [role.name for role in BUS_ROLES if spec.producer in role.produces]
        expected = 5 if spec.producer == "platform" else 1
        assert len(owners) == expected, (spec.subject, owners)
    served = {command: role.name for role in BUS_ROLES for command in role.serves}
    for role in BUS_ROLES:
        assert all(served[command] != role.name for command in role.calls)
        assert set(role.reads) <= set(STREAMS)


@pytest.mark.parametrize("role", BUS_ROLES, ids=ROLES)
def test_no_role_can_shape_a_stream_or_read_one_that_it_writes(role: BusRole) -> None:
    may = permissions_of(role)
    assert may.publish
    assert may.subscribe
    assert not set(role.reads) & set(role.writes)
    api = {subject.split(".")[2] + "." + subject.split(".")[3] for subject in may.publish
           if subject.startswith("$JS.API.")}  # fmt: skip
    assert api <= {"STREAM.INFO", "CONSUMER.CREATE"}
    assert not any(subject in (">", "_INBOX.>", "$JS.API.>") for subject in may.publish)


@pytest.mark.parametrize("role", BUS_ROLES, ids=ROLES)
async def test_k4_a_key_publishes_what_its_role_says_and_nothing_else(
    home: Path, role: BusRole
) -> None:
    allowed = {*role.publishes, *role.calls}
    async with Stolen(home, role.name) as thief:
        for subject in SUBJECTS:
            await thief.client.publish(concrete(subject), b"{}")
        refused = {
            text.split('"')[1] for text in await thief.refusals() if "for publish to" in text
        }
    assert refused == {concrete(subject).lower() for subject in SUBJECTS if subject not in allowed}


@pytest.mark.parametrize("role", BUS_ROLES, ids=ROLES)
async def test_k4_a_key_answers_and_hears_what_its_role_says(home: Path, role: BusRole) -> None:
    allowed = {*role.serves, *role.hears}
    async with Stolen(home, role.name) as thief:
        for subject in SUBJECTS:
            await thief.client.subscribe(subject)
        for subject in ("_INBOX.>", ">", "$JS.>", "mts.>"):
            await thief.client.subscribe(subject)
        refused = {text.split('"')[1] for text in await thief.refusals()}
    assert refused == {
        *(subject.lower() for subject in SUBJECTS if subject not in allowed),
        *("_inbox.>", ">", "$js.>", "mts.>"),
    }


@pytest.mark.parametrize(
    "subject",
    [
        "$JS.API.STREAM.CREATE.MINE",
        "$JS.API.STREAM.UPDATE.RESEARCH",
        "$JS.API.STREAM.DELETE.OMS",
        "$JS.API.STREAM.PURGE.OMS",
        "$JS.API.STREAM.MSG.DELETE.OMS",
        "$JS.API.CONSUMER.CREATE.RESEARCH",
        "$JS.API.CONSUMER.CREATE.OMS.mine",
        "$JS.API.CONSUMER.DELETE.OMS.operations-OMS",
        "$JS.ACK.OMS.operations.1.1.1.1.0",
        "_INBOX.oms.x",
        "mts.dead.OMS.research",
    ],
)
async def test_k4_research_can_not_reach_a_stream_by_its_interface(
    home: Path, subject: str
) -> None:
    async with Stolen(home, "research") as thief:
        await thief.client.publish(subject, json.dumps({"name": "MINE"}).encode())
        assert [text.split('"')[1] for text in await thief.refusals()] == [subject.lower()]


async def test_k4_a_forged_fill_is_refused_by_name_and_stored_nowhere(home: Path) -> None:
    research, platform = await bus_of(home, "research"), await bus_of(home, ADMINISTRATOR)
    with pytest.raises(NotPermitted, match=r"publish on mts\.v1\.oms\.fills"):
        await research.publish_durable(FILL, b"{}", message_id="forged")
    with pytest.raises(NotPermitted):
        await research.request(subjects.CMD_RISK_ENVELOPE_UPDATE, b"{}", timeout_s=0.5)
    assert (await platform.stream_info("OMS")).last_sequence == 0
    await research.close()
    await platform.close()


async def test_k4_a_question_can_not_make_a_service_speak_on_its_own_subjects(home: Path) -> None:
    oms, platform = await bus_of(home, "oms"), await bus_of(home, ADMINISTRATOR)

    async def answer(data: bytes) -> bytes:
        return data

    await oms.serve(subjects.CMD_OMS_BOOK, answer)
    async with Stolen(home, "research") as thief:
        await thief.client.publish(subjects.CMD_OMS_BOOK, b"{}", reply=FILL)
        await thief.refusals()
    asked = await bus_of(home, "research")  # answered later than the question before it
    assert await asked.request(subjects.CMD_OMS_BOOK, b"mine", timeout_s=2.0) == b"mine"
    assert (await platform.stream_info("OMS")).last_sequence == 0
    for bus in (oms, platform, asked):
        await bus.close()


@pytest.mark.parametrize("role", BUS_ROLES, ids=ROLES)
async def test_a_role_does_its_work(home: Path, role: BusRole) -> None:
    """Publish on every stream of its own, read every stream, call every command."""
    bus = await bus_of(home, role.name)
    others: list[NatsBus] = []
    for name in role.writes:
        await bus.ensure_stream(STREAMS[name])
    for subject in role.publishes:
        durable = SUBJECTS[subject].durability is Durability.DURABLE
        target = subjects.with_fund(concrete(subject), "f1")
        if durable:
            await bus.publish_durable(target, b"{}", message_id=subject)
        else:
            await bus.publish(concrete(subject), b"{}")
    for stream in role.reads:
        author = next(other for other in BUS_ROLES if stream in other.writes)
        others.append(writer := await bus_of(home, author.name))
        subject = next(s for s in author.publishes if SUBJECTS[s].stream == stream)
        await writer.publish_durable(concrete(subject), b"1", message_id=f"r-{stream}")
        await bus.ensure_stream(STREAMS[stream])
        reader = await bus.consumer(stream, f"{role.name}-{stream}", acknowledge=False)
        assert [m.data for m in await reader.fetch(9, timeout_s=3.0)] == [b"1"]
    for command in role.calls:
        server = next(other for other in BUS_ROLES if command in other.serves)
        others.append(there := await bus_of(home, server.name))

        async def answer(data: bytes) -> bytes:
            return data + b"!"

        await there.serve(command, answer, queue=server.name)
        assert await bus.request(command, b"ask", timeout_s=3.0) == b"ask!"
    for one in (bus, *others):
        await one.close()


async def test_a_role_that_stopped_answering_is_silent_and_not_forbidden(home: Path) -> None:
    oms, research = await bus_of(home, "oms"), await bus_of(home, "research")

    async def hang(data: bytes) -> bytes:
        raise BusError("lost")

    await oms.serve(subjects.CMD_OMS_BOOK, hang)
    with pytest.raises(BusError) as caught:
        await research.request(subjects.CMD_OMS_BOOK, b"{}", timeout_s=1.0)
    assert not isinstance(caught.value, NotPermitted | RequestTimeout)
    await oms.close()
    await research.close()


async def test_secrets_are_for_their_owner_alone_and_last_over_a_restart(home: Path) -> None:
    folder = home / "nats" / "users"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*ROLES, ADMINISTRATOR])
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert (home / "nats" / "server.conf").stat().st_mode & 0o777 == 0o600
    assert len({path.read_text() for path in folder.iterdir()}) == len(ROLES) + 1
    address = read_address(home, {}, user="oms")
    assert address is not None
    assert address.password == (folder / "oms").read_text()
    assert str(address.password) not in repr(address)
    with pytest.raises(FixConfiguration, match="no user 'mallory'"):
        read_address(home, {}, user="mallory")


async def test_a_server_of_somebody_else_is_used_with_its_token(tmp_path: Path) -> None:
    foreign = NatsServer(tmp_path)
    address = await foreign.start()
    environ = {"MTS_NATS_URL": address.url, "MTS_NATS_TOKEN": address.token or ""}
    bus = await NatsBus.connect(lambda: read_address(tmp_path, environ, user="oms"))
    await bus.ensure_stream(STREAMS["OMS"])  # who has the one token makes what is missing
    ack = await bus.publish_durable(FILL, b"{}", message_id="m")
    assert ack.sequence == 1
    await bus.close()
    await foreign.stop()
