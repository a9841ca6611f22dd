"""Signals from outside: signed, fresh, once each, and on the bus only when they are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from mts1b_foundation import nats
from mts1b_foundation.signals import Signal
from mts1b_operations.api import Board, PeerLimiter, create_app
from mts1b_operations.audit import AuditReader
from mts1b_operations.signals import SignalRecord, create_signal_key, intake_of
from mts1b_platform.clock import VirtualClock
from mts1b_platform.config import ConfigError, Settings, load_settings
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import HmacSigner, KeyRing
from mts1b_platform.store.tables import outbox
from operations_world import FUND, START, STRATEGY, World

SOURCE = "chart-tool"
BODY = {"id": "alert-1", "symbol": "IXIC", "target_weight": 0.5, "price": "2000.5"}
SIGNALS = {"signals": [{"source": SOURCE, "strategy_id": STRATEGY, "max_age_s": 60}]}
FUNDS = [
    {
        "fund": {"fund_id": FUND, "name": "f", "target_nav_usd": "1"},
        "envelope": {"envelope_id": "e", "fund_id": FUND, "nav_usd": "1"},
    }
]
STRATEGIES = [{"strategy_id": STRATEGY, "fund_id": FUND, "kind": "webhook", "symbols": ["IXIC"]}]
SETTINGS: dict[str, Any] = {"api": SIGNALS, "funds": FUNDS, "strategies": STRATEGIES}


@dataclass
class Sender:
    """The application of a home, and somebody who signs what it is sent."""

    client: httpx2.AsyncClient
    world: World
    clock: VirtualClock
    secret: bytes

    async def send(self, body: bytes, *, at: float | str = 0.0, **changed: str) -> httpx2.Response:
        """Send a body signed ``at`` seconds from now; ``changed`` headers win."""
        stamp = at if isinstance(at, str) else f"{self.clock.now().timestamp() + at:.3f}"
        signed = HmacSigner(self.secret).sign(stamp.encode() + b"." + body)
        headers = {"MTS-Timestamp": stamp, "MTS-Signature": signed, **changed}
        return await self.client.post(f"/v1/signals/{SOURCE}", content=body, headers=headers)

    async def kept(self) -> list[Signal]:
        async with self.world.service._parts.store.read() as connection:
            rows = await connection.execute(
                sa.select(outbox.c.payload).where(outbox.c.subject.contains("signals.received"))
            )
            return [Signal.model_validate_json(row.payload) for row in rows]

    def audited(self) -> list[str]:
        with AuditReader(self.world.home) as reader:
            return [e.subject_id for e in reader.entries() if e.action == "signal_received"]


@pytest.fixture
async def sender(tmp_path: Path) -> AsyncIterator[Sender]:
    path, new = create_signal_key(tmp_path, SOURCE)
    assert new
    assert path.stat().st_mode & 0o777 == 0o600
    world = World(tmp_path)
    await world.start()
    clock, service = VirtualClock(START), world.service
    record = SignalRecord(service._parts.store, clock, service._append)
    app = create_app(
        board=Board(),
        halts=service._active_halts,
        health=service.health,
        limiter=PeerLimiter(clock, burst=1_000),
        signals=intake_of(Settings.model_validate(SETTINGS), tmp_path, record, clock),
    )
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://home") as client:
        yield Sender(client, world, clock, bytes.fromhex(path.read_text()))
    await world.stop()


def body(**changes: Any) -> bytes:
    return json.dumps(BODY | changes).encode()


async def test_k2_a_signal_is_on_record_audited_and_on_the_bus(sender: Sender) -> None:
    answer = await sender.send(body())
    assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
    (kept,) = await sender.kept()
    assert (kept.strategy, kept.fund_id, kept.agent_id) == (STRATEGY, FUND, f"webhook:{SOURCE}")
    assert (kept.target_weight, kept.direction, str(kept.reference_price)) == (0.5, 1, "2000.5")
    assert kept.created_at == START
    await sender.world.service._relay.flush()
    reader = await sender.world.bus.consumer("OPERATIONS", "t")
    (message,) = await reader.fetch(9, timeout_s=1.0)
    assert message.subject == nats.with_fund(nats.OPERATIONS_SIGNALS_RECEIVED, FUND)
    assert Signal.model_validate_json(message.data) == kept
    sender.world.service._parts.audit.settle()
    assert sender.audited() == [kept.signal_id]


async def test_k2_a_replay_and_four_resends_are_one_signal(sender: Sender) -> None:
    stamp = f"{sender.clock.now().timestamp()}"
    answers = [await sender.send(body(), at=stamp)]
    answers.append(await sender.send(body(), at=stamp))  # the same request, to the letter
    for _ in range(4):  # a sender that got no answer signs anew
        sender.clock.advance_to(sender.clock.now() + timedelta(seconds=10))
        answers.append(await sender.send(body()))
    assert [answer.status_code for answer in answers] == [202, *[200] * 5]
    assert len({answer.json()["signal_id"] for answer in answers}) == 1
    assert [answer.json()["duplicate"] for answer in answers] == [False, *[True] * 5]
    assert len(await sender.kept()) == 1
    sender.world.service._parts.audit.settle()
    assert len(sender.audited()) == 1


async def test_k2_it_is_one_signal_over_a_restart_too(sender: Sender) -> None:
    await sender.send(body())
    await sender.world.restart()
    service = sender.world.service
    record = SignalRecord(service._parts.store, sender.clock, service._append)
    intake = intake_of(Settings.model_validate(SETTINGS), sender.world.home, record, sender.clock)
    assert intake is not None
    stamp = f"{sender.clock.now().timestamp()}"
    signed = HmacSigner(sender.secret).sign(stamp.encode() + b"." + body())
    assert (await intake.receive(SOURCE, stamp, signed, body())).status == 200
    assert len(await sender.kept()) == 1


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (-60.5, "SIGNAL_STALE"),
        (-86_400.0, "SIGNAL_STALE"),
        (5.5, "SIGNAL_FUTURE"),
        ("nan", "SIGNAL_TIMESTAMP"),
        ("inf", "SIGNAL_TIMESTAMP"),
        ("-1", "SIGNAL_TIMESTAMP"),
        ("yesterday", "SIGNAL_TIMESTAMP"),
        ("1e300", "SIGNAL_TIMESTAMP"),
    ],
)
async def test_k2_what_is_late_or_early_is_refused(
    sender: Sender, at: float | str, code: str
) -> None:
    answer = await sender.send(body(), at=at)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await sender.kept() == []


async def test_the_window_ends_where_it_says(sender: Sender) -> None:
    assert (await sender.send(body(), at=-60.0)).status_code == 202
    assert (await sender.send(body(id="alert-2"), at=5.0)).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"MTS-Signature": "00" * 32},
        {"MTS-Signature": ""},
        {"MTS-Signature": "\u00e9" * 3},
        {"MTS-Timestamp": "1"},
        {"MTS-Timestamp": ""},
    ],
)
async def test_k2_a_bad_signature_is_401_and_writes_nothing(
    sender: Sender, headers: dict[str, str]
) -> None:
    raw = {name: value.encode("latin-1").decode("latin-1") for name, value in headers.items()}
    signed = HmacSigner(sender.secret).sign(f"{START.timestamp()}".encode() + b"." + body())
    given = {"MTS-Timestamp": f"{START.timestamp()}", "MTS-Signature": signed} | raw
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
    answer = await sender.client.post(f"/v1/signals/{SOURCE}", content=body(), headers=encoded)
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE")
    assert await sender.kept() == []
    sender.world.service._parts.audit.settle()
    assert sender.audited() == []


async def test_every_byte_of_body_and_timestamp_is_signed(sender: Sender) -> None:
    stamp = f"{START.timestamp():.0f}"
    signed = HmacSigner(sender.secret).sign(stamp.encode() + b"." + body())
    url = f"/v1/signals/{SOURCE}"
    for position in range(len(body())):
        other = bytearray(body())
        other[position] ^= 1
        headers = {"MTS-Timestamp": stamp, "MTS-Signature": signed}
        answer = await sender.client.post(url, content=bytes(other), headers=headers)
        assert answer.status_code == 401
    later = {"MTS-Timestamp": f"{START.timestamp() + 1:.0f}", "MTS-Signature": signed}
    assert (await sender.client.post(url, content=body(), headers=later)).status_code == 401
    assert await sender.kept() == []


async def test_an_unknown_source_is_answered_like_a_wrong_signature(sender: Sender) -> None:
    wrong = await sender.send(body(), **{"MTS-Signature": "00"})
    unknown = await sender.client.post("/v1/signals/nobody", content=body())
    assert (unknown.status_code, unknown.json()) == (wrong.status_code, wrong.json())


async def test_the_same_id_with_another_content_is_a_conflict(sender: Sender) -> None:
    await sender.send(body())
    answer = await sender.send(body(target_weight=1.0))
    assert (answer.status_code, answer.json()["code"]) == (409, "SIGNAL_CONFLICT")
    assert [kept.target_weight for kept in await sender.kept()] == [0.5]


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        body(id="has space"),
        body(symbol="not a symbol"),
        body(target_weight=float("nan")),
        body(target_weight=11),
        body(target_weight=True),
        body(price=True),
        body(confidence=True),
        body()[:-1] + b', "target_weight": 1.0}',
        body(price="0"),
        body(price="NaN"),
        body(more=1),
        json.dumps({"id": "x"}).encode(),
    ],
)
async def test_a_body_that_says_no_signal_is_refused(sender: Sender, wrong: bytes) -> None:
    answer = await sender.send(wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "SIGNAL_INVALID")
    assert await sender.kept() == []


async def test_a_long_body_is_refused_before_it_is_read_whole(sender: Sender) -> None:
    answer = await sender.send(body(thesis="x" * 20_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "SIGNAL_TOO_LONG")


async def test_a_rotated_secret_is_good_until_the_next_rotation(sender: Sender) -> None:
    ring = KeyRing(sender.world.home / "keys", SystemRng())
    ring.rotate(f"signals-{SOURCE}")
    assert (await sender.send(body())).status_code == 202
    ring.rotate(f"signals-{SOURCE}")
    assert (await sender.send(body(id="alert-2"))).status_code == 401


async def test_without_a_secret_nobody_is_let_in(sender: Sender) -> None:
    (sender.world.home / "keys" / f"signals-{SOURCE}.key").unlink()
    assert (await sender.send(body())).status_code == 401


async def test_a_signal_that_the_record_can_not_take_is_to_be_sent_again(sender: Sender) -> None:
    """It was a defect to who sent it while operations stopped: 500, and nothing of trying again."""
    world = sender.world
    await world.service._parts.store.close()
    answer = await sender.send(body())
    assert (answer.status_code, answer.json()["code"]) == (503, "NOT_NOW")
    assert answer.headers["retry-after"] == "1"
    await world.ctx.tasks.stop()
    await world.start()
    assert await sender.kept() == []


async def test_other_paths_stay_read_only(sender: Sender) -> None:
    assert (await sender.client.post("/v1/halts")).status_code == 405
    assert (await sender.client.get(f"/v1/signals/{SOURCE}")).status_code == 405


async def test_signals_are_off_unless_they_are_configured(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.start()
    port = world.service._api.port
    async with httpx2.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/v1/signals/{SOURCE}", content=b"{}")
    assert answer.status_code == 405
    await world.stop()


@pytest.mark.parametrize(
    ("api", "message"),
    [
        ({"signals": [{"source": "a", "strategy_id": "nobody"}]}, "not among"),
        ({"signals": [{"source": "a", "strategy_id": STRATEGY}] * 2}, "listed twice"),
        ({"signals": [{"source": "A b", "strategy_id": STRATEGY}]}, "match pattern"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    tmp_path: Path, api: dict[str, Any], message: str
) -> None:
    (tmp_path / "mts.yaml").write_text(json.dumps(SETTINGS | {"api": api}))
    with pytest.raises(ConfigError, match=message):
        load_settings(tmp_path, environ={})


def test_a_replay_takes_no_signals(tmp_path: Path) -> None:
    (tmp_path / "mts.yaml").write_text(json.dumps(SETTINGS | {"replay": {"enabled": True}}))
    with pytest.raises(ConfigError, match="takes no signals"):
        load_settings(tmp_path, environ={})
