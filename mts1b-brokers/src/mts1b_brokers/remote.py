"""A venue that is a process of its own: ``python -m mts1b_brokers.remote --home H --port-file F``.

It takes the settings of its home, so ``venue`` there describes how it behaves, and it keeps its
record there. Whoever trades there names its address in ``venue.address``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from mts1b_brokers.remote_client import RemoteVenue
from mts1b_brokers.remote_server import VenueServer

__all__ = ["RemoteVenue", "VenueServer", "main"]

WIRE_LOG = "wire.log"


async def serve(home: Path, port_file: Path) -> None:
    """Serve the paper venue of ``home`` until SIGTERM or SIGINT.

    The port is the one in ``port_file`` where it has one and that is free: whoever was connected
    before a restart finds the venue again.
    """
    from mts1b_platform.clock import SystemClock
    from mts1b_platform.config import load_settings
    from mts1b_platform.ids import SystemIds

    from mts1b_brokers.paper import create

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock = SystemClock()
    paper = create(load_settings(home), home=home, clock=clock, ids=SystemIds())
    server = VenueServer(paper, clock=clock, wire=home / WIRE_LOG)
    try:
        _write_port(port_file, await server.start(_read_port(port_file)))
        await stop.wait()
    finally:
        await server.close()
        await paper.close()


def _read_port(path: Path) -> int:
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdecimal() else 0


def _write_port(path: Path, port: int) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(f"{port}\n")
    os.replace(partial, path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m mts1b_brokers.remote", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="settings, record and wire log")
    parser.add_argument("--port-file", type=Path, required=True, help="where the port is written")
    options = parser.parse_args(arguments)
    asyncio.run(serve(options.home, options.port_file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
