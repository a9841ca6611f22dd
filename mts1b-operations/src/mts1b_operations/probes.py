"""Look at the services of a home: who announced itself, and how healthy each says it is."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from mts1b_platform.clock import Clock

from mts1b_operations.watchdogs.dependency_watchdog import HealthPoll

__all__ = ["SERVICES", "dead_supervisor", "health_of", "poll_services", "running_services"]

SERVICES = ("operations", "riskengine", "oms", "research", "marketdata")
_TIMEOUT_S = 2.0


def running_services(home: Path) -> dict[str, dict[str, int]]:
    """Return pid and health port of each service that announced itself in ``home``."""
    found = {}
    for name in SERVICES:
        try:
            data = json.loads((home / "run" / f"{name}.json").read_text())
            found[name] = {"pid": int(data["pid"]), "health_port": int(data["health_port"])}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def dead_supervisor(home: Path) -> int | None:
    """Return the process id of a supervisor that was killed: it left its record; else None."""
    try:
        pid = int(json.loads((home / "run" / "supervisor.json").read_text())["pid"])
        os.kill(pid, 0)
    except ProcessLookupError:
        return pid
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


async def health_of(port: int) -> tuple[bool, str]:
    """Ask the health page on a loopback port; return (healthy, what it says)."""
    try:
        status, body = await asyncio.wait_for(_get(port, "/healthz"), _TIMEOUT_S)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
        return False, f"no answer on port {port}: {type(error).__name__}"
    return status == 200, body


async def _get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        head, _, body = (await reader.read(65_536)).decode(errors="replace").partition("\r\n\r\n")
    finally:
        writer.close()
    _, status, _ = head.split(" ", 2)  # a service that dies in mid-answer leaves less: ValueError
    return int(status), body


async def poll_services(home: Path, clock: Clock) -> list[HealthPoll]:
    """Look at every announced service once."""
    polls = []
    for name, place in running_services(home).items():
        healthy, detail = await health_of(place["health_port"])
        polls.append(
            HealthPoll(
                service=name,
                healthy=healthy,
                detail="" if healthy else detail[:300],
                at=clock.now(),
            )
        )
    return polls
