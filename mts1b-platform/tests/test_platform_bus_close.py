"""A bus whose server is gone can be closed: a service ends in order while NATS is down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from mts1b_platform import supervision
from mts1b_platform.eventbus import nats_client
from mts1b_platform.eventbus.nats import NatsBus, NatsUnavailable
from mts1b_platform.eventbus.port import RequestTimeout
from mts1b_platform.eventbus.server import NatsAddress, NatsServer
from nats.aio.client import Client


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_close_while_the_server_is_away(tmp_path: Path, loop: str) -> None:
    async def work() -> None:
        server = NatsServer(tmp_path)
        address = await server.start()
        bus = await NatsBus.connect(lambda: address)
        await bus.serve("echo", lambda data: asyncio.sleep(0, data))
        os.kill(server.pid or 0, signal.SIGKILL)
        await server.wait()
        async with asyncio.timeout(20):
            with pytest.raises(RequestTimeout):
                await bus.request("echo", b"", timeout_s=0.5)
            await bus.close()
        await server.stop()

    run = asyncio.run if loop == "asyncio" else pytest.importorskip("uvloop").run
    run(work())


class Stubborn(Client):
    """A client that loses a cancellation, as ``asyncio.wait_for`` may before Python 3.12."""

    async def connect(self, *servers: Any, **options: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Close what never opened."""


async def test_a_connection_that_loses_its_cancellation_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nats_client, "Client", Stubborn)
    monkeypatch.setattr(nats_client, "_CONNECT_S", 0.05)
    monkeypatch.setattr(supervision, "_AGAIN_S", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(NatsUnavailable, match="TimeoutError"):
            await NatsBus.connect(lambda: NatsAddress("nats://127.0.0.1:1"), patience_s=0.0)
