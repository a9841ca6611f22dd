"""Look at the services of a home: who announced itself, and how healthy each says it is."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mts1b_platform.clock import Clock

from mts1b_operations.watchdogs.dependency_watchdog import HealthPoll

__all__ = [
    "SERVICES",
    "ServiceState",
    "dead_supervisor",
    "given_up",
    "health_of",
    "look_at_services",
    "poll_services",
    "running_services",
    "supervised",
]

SERVICES = ("operations", "riskengine", "oms", "research", "marketdata")
_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ServiceState:
    """How a service is: ``stopped``, ``ok`` or ``red``, and what is wrong with it."""

    name: str
    state: str
    detail: str = ""
    pid: int | None = None
    health_port: int | None = None


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
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if _is_gone(pid) else None


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def supervised(home: Path) -> dict[str, Any] | None:
    """Return the record of a supervisor that lives: its ``pid`` and its ``processes``."""
    record = _record(home, "supervisor.json")
    return None if record is None or dead_supervisor(home) is not None else record


def given_up(home: Path) -> str:
    """Return why the last supervisor ended by itself, or ""."""
    return str((_record(home, "given-up.json") or {}).get("message", ""))


def _record(home: Path, name: str) -> dict[str, Any] | None:
    try:
        record = json.loads((home / "run" / name).read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


async def look_at_services(home: Path) -> list[ServiceState]:
    """Return how each service of the system is, in the order in which they start."""
    return list(await asyncio.gather(*(_look(home, name) for name in SERVICES)))


async def _look(home: Path, name: str) -> ServiceState:
    place = running_services(home).get(name)
    if place is None and supervised(home) is not None:
        return ServiceState(
            name, "red", "not running: it starts, or ends as often as it is started"
        )
    if place is None:
        return ServiceState(name, "stopped")
    if _is_gone(place["pid"]):
        return ServiceState(name, "red", f"its process ({place['pid']}) is gone")
    healthy, told = await health_of(place["health_port"])
    detail = "" if healthy else _wrong(told, name)
    return ServiceState(name, "red" if detail else "ok", detail, **place)


def _wrong(told: str, name: str) -> str:
    """Return which checks of a service its page calls wrong; "" where they are another's."""
    try:
        checks = json.loads(told)["services"][name]
        return "; ".join(f"{check}: {value}" for check, value in checks.items() if value != "ok")
    except (ValueError, LookupError, TypeError, AttributeError):
        return told.strip() or "its health page is empty"


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
