"""A bus whose server is gone can be closed: a service ends in order while NATS is down."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.port import RequestTimeout
from mts1b_platform.eventbus.server import NatsServer


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
