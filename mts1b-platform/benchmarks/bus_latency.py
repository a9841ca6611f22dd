"""Time the hops of a lockstep tick over a real server: request, durable publish, fetch.

    python mts1b-platform/benchmarks/bus_latency.py [--count 500] [--uvloop]

Loopback, two connections, 200-byte messages, one after another. Prints p50 and p99.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from mts1b_foundation.nats import StreamSpec
from mts1b_platform.eventbus.nats import NatsBus
from mts1b_platform.eventbus.server import NatsServer

DATA = b"x" * 200


async def measure(name: str, count: int, hop: Callable[[], Awaitable[object]]) -> None:
    """Print how long ``hop`` takes."""
    times = []
    for number in range(count + count // 10):
        began = time.perf_counter()
        await hop()
        if number >= count // 10:  # the first tenth warms up
            times.append((time.perf_counter() - began) * 1e6)
    times.sort()
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(f"{name:28} p50 {p50:7.0f} us   p99 {p99:7.0f} us")


async def run(count: int) -> None:
    """Measure each kind of hop."""
    with tempfile.TemporaryDirectory() as home:
        server = NatsServer(Path(home))
        address = await server.start()
        near = await NatsBus.connect(lambda: address)
        far = await NatsBus.connect(lambda: address)
        await near.ensure_stream(StreamSpec("BENCH", ("bench.>",)))
        number = 0

        async def echo(data: bytes) -> bytes:
            return data

        async def publish() -> None:
            nonlocal number
            number += 1
            await near.publish_durable("bench.a", DATA, message_id=f"m{number}")

        async def publish_and_fetch() -> None:
            await publish()
            for message in await reader.fetch(1, timeout_s=5):
                await message.ack()

        await far.serve("echo", echo)
        await measure("request", count, lambda: near.request("echo", DATA, timeout_s=5))
        await measure("durable publish", count, publish)
        reader = await far.consumer("BENCH", "reader", start_sequence=number + 1)
        await measure("durable publish and fetch", count, publish_and_fetch)
        await near.close()
        await far.close()
        await server.stop()


def main() -> None:
    """Run on the loop that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    if options.uvloop:
        import uvloop

        uvloop.run(run(options.count))
    else:
        asyncio.run(run(options.count))


if __name__ == "__main__":
    main()
