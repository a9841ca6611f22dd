"""A real system for the halts: nats-server, operations, risk and OMS as processes, and a client."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from mts1b_foundation import Bar, Symbol
from mts1b_foundation.commands import SubmitOrder, SubmitReply
from mts1b_foundation.nats import CMD_OMS_SUBMIT, STREAMS, bars_subject
from mts1b_foundation.orders import Order, Side
from mts1b_operations import commands
from mts1b_operations.halt_record import active_halts
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import BusError, EventBus, RemoteError
from mts1b_platform.eventbus.server import NatsAddress, NatsServer, read_address
from mts1b_platform.halt import HaltStore
from mts1b_platform.supervision import end_tasks

from tools.halts.oms_process import WIRE_LOG

__all__ = ["Rig", "running"]

_START_S = 40.0
_STOP_S = 10.0
_PRICE = Decimal(100)
_OWNER = ("alpha", "trend")


def _settings() -> dict[str, Any]:
    fund = {"fund_id": "alpha", "name": "alpha", "target_nav_usd": "100000000"}
    envelope = {
        "envelope_id": "env-alpha",
        "fund_id": "alpha",
        "nav_usd": "100000000",
        "max_position_pct": 1.0,
        "max_sector_pct": 1.0,
        "max_order_notional_usd": "100000",
        "allowed_brokers": ["paper"],
    }
    return {
        "mode": "paper",
        "replay": {"enabled": False},
        "venue": {"fill": "immediate"},
        "funds": [{"fund": {**fund, "strategies": ["trend"]}, "envelope": envelope}],
        "strategies": [
            {"strategy_id": "trend", "fund_id": "alpha", "kind": "load", "symbols": ["AAA"]}
        ],
    }


@dataclass
class Rig:
    """What runs, and what its client has seen.

    :ivar home: the home of OMS and risk.
    :ivar office: the home of operations and of the operator; another one when they are apart.
    """

    home: Path
    office: Path
    server: NatsServer
    bus: EventBus
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    _asked: set[asyncio.Task[None]] = field(default_factory=set)
    _number: int = 0

    def sends(self, since: float) -> list[float]:
        """Return the monotonic times of the orders on the wire after ``since``."""
        path = self.home / WIRE_LOG
        lines = path.read_text().splitlines() if path.exists() else []
        times = [float(line.split()[0]) for line in lines]
        return [at for at in times if at > since]

    def freeze(self, name: str) -> None:
        """Stop a process as a frozen machine would."""
        os.kill(self._pid(name), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        os.kill(self._pid(name), signal.SIGCONT)

    def _pid(self, name: str) -> int:
        pid = self.server.pid if name == "nats" else self.children[name].pid
        if pid is None:
            raise LookupError(f"{name} does not run")
        return pid

    async def load(self, rate_per_s: float) -> None:
        """Submit orders at fixed times, answers or not, until cancelled."""
        begin, count = time.monotonic(), 0
        while True:
            task = asyncio.create_task(self._submit())
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)
            count += 1
            await asyncio.sleep(max(0.0, begin + count / rate_per_s - time.monotonic()))

    async def _submit(self) -> None:
        self._number += 1
        key = f"load-{self._number}"
        order = Order(
            order_id=f"ord-{key}",
            idempotency_key=key,
            symbol=Symbol("AAA"),
            side=Side.BUY,
            quantity=Decimal(1 + self._number % 97),
            fund_id=_OWNER[0],
            strategy_id=_OWNER[1],
            created_at=datetime.now(UTC),
            reference_price=_PRICE,
        )
        data = SubmitOrder(order=order).model_dump_json().encode()
        try:
            reply = await self.bus.request(CMD_OMS_SUBMIT, data, timeout_s=5.0)
            answer = SubmitReply.model_validate_json(reply).order
            what = answer.rejected_code or answer.status.value
        except RemoteError as error:
            what = error.code
        except BusError as error:
            what = type(error).__name__
        self.answers[what] = self.answers.get(what, 0) + 1

    async def until_sending(self) -> None:
        """Return when an order has left after now.

        :raises TimeoutError: when none does within half a minute; says what was answered.
        """
        begin = time.monotonic()
        while not self.sends(begin):
            if time.monotonic() > begin + _START_S:
                raise TimeoutError(f"no order left within {_START_S} s; answers: {self.answers}")
            await asyncio.sleep(0.02)

    async def resume(self) -> None:
        """Lift every halt with two signatures, on both machines, and wait until orders leave."""
        for home in {self.office: None, self.home: None}:
            for halt in active_halts(HaltStore(home / "halt")):
                await commands.resume(
                    home, halt.scope, operator="ann", cosigner="bob", reason="drill is over"
                )
        await self.until_sending()

    async def bar(self) -> None:
        """Publish a price, so that risk has a fresh reference."""
        now = datetime.now(UTC)
        bar = Bar(
            symbol=Symbol("AAA"),
            interval="1m",
            open=_PRICE,
            high=_PRICE,
            low=_PRICE,
            close=_PRICE,
            timestamp=now,
        )
        await self.bus.publish_durable(
            bars_subject(Symbol("AAA"), "1m"),
            bar.model_dump_json().encode(),
            message_id=f"bar-{now.isoformat()}",
        )

    async def _end(self, name: str, child: subprocess.Popen[bytes]) -> None:
        """End one process as its supervisor would; kill what does not end."""
        child.send_signal(signal.SIGCONT)
        child.terminate()
        for _ in range(int(_STOP_S / 0.02)):
            if child.poll() is not None:
                return
            await asyncio.sleep(0.02)
        child.kill()
        child.wait()
        self.killed.append(name)

    async def close(self) -> None:
        """End everything."""
        await end_tasks([*self._asked])
        for name, child in reversed(self.children.items()):
            await self._end(name, child)
        await self.bus.close()
        await self.server.stop()


def _start(home: Path, address: NatsAddress, name: str) -> subprocess.Popen[bytes]:
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MTS_")},
        "MTS_HOME": str(home),
        "MTS_NATS_URL": address.url,
        "MTS_NATS_TOKEN": address.token or "",
    }
    mts = [str(Path(sys.executable).with_name("mts")), "service", "run", name]
    command = [sys.executable, "-m", "tools.halts.oms_process"] if name == "oms" else mts
    (home / "logs").mkdir(parents=True, exist_ok=True)
    with (home / "logs" / f"{name}.out").open("ab") as output:
        return subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )


async def _ready(home: Path, name: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while not (home / "run" / f"{name}.json").exists():
        if child.poll() is not None or time.monotonic() > deadline:
            tail = (home / "logs" / f"{name}.out").read_text()[-2000:]
            raise TimeoutError(f"{name} did not start: {tail}")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(folder: Path, *, apart: bool = False) -> AsyncIterator[Rig]:
    """Run the system in ``folder``; with ``apart``, operations have a home of their own."""
    home = folder / "desk"
    office = folder / "office" if apart else home
    for place in {home: None, office: None}:
        place.mkdir(parents=True)
        (place / "mts.yaml").write_text(yaml.safe_dump(_settings()))
        for name in ("ann", "bob"):
            commands.create_operator_key(place, name)
    server = NatsServer(office)
    address = await server.start()
    bus = await NatsBus.connect(lambda: read_address(office, {}), name="halt-rig")
    rig = Rig(home, office, server, bus)
    try:
        await bus.ensure_stream(STREAMS["MARKETDATA"])
        for name, place in (("operations", office), ("riskengine", home), ("oms", home)):
            rig.children[name] = _start(place, address, name)
            await _ready(place, name, rig.children[name])
        await rig.bar()
        yield rig
    finally:
        await rig.close()
