"""What ``mts status`` shows: services, replay, halts and funds of one home."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mts1b_platform.halt import HaltStore

from mts1b_operations.audit.reader import AuditReader, has_store
from mts1b_operations.errors import AuditUnavailable
from mts1b_operations.halt_record import active_halts, halt_epoch, unreadable_record
from mts1b_operations.places import HALT_FOLDER
from mts1b_operations.probes import (
    ServiceState,
    dead_supervisor,
    given_up,
    look_at_services,
)

__all__ = ["collect_status", "status_lines"]


def collect_status(home: Path) -> dict[str, Any]:
    """Return the state of a home as plain JSON values; no service needs to run."""
    halts = HaltStore(home / HALT_FOLDER)
    funds, problem = _funds(home)
    return {
        "home": str(home),
        "crashed": dead_supervisor(home),
        "given_up": given_up(home),
        "services": [_facts(one) for one in asyncio.run(look_at_services(home))],
        "replay": _read(home / "run" / "progress.json"),
        "result": _read(home / "run" / "result.json"),
        "api": _read(home / "run" / "operations-api.json"),
        "halt_epoch": halt_epoch(halts),
        "halts": [halt.model_dump(mode="json") for halt in active_halts(halts)],
        "halt_record": unreadable_record(home) or "ok",
        "funds": funds,
        "store": problem,
    }


def _facts(service: ServiceState) -> dict[str, Any]:
    return {name: value for name, value in asdict(service).items() if value is not None}


def _funds(home: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the funds, and "ok", "none yet", or why the store can not be read."""
    if not has_store(home):
        return [], "none yet"
    try:
        with AuditReader(home) as reader:
            if reader.is_new:
                return [], "none yet"
            found = [
                {
                    "fund_id": fund,
                    "as_of": entry.data["as_of"],
                    "nav_usd": entry.data["nav_usd"],
                    "drawdown": entry.data["drawdown"],
                }
                for fund in reader.funds()
                if (entry := reader.latest_nav(fund)) is not None
            ]
    except AuditUnavailable as error:
        return [], str(error)
    return found, "ok"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def status_lines(status: dict[str, Any]) -> Iterator[str]:
    """Return the status as text for people."""
    yield f"home      {status['home']}"
    if status["crashed"] is not None:
        yield (
            f"CRASHED   the supervisor (pid {status['crashed']}) was killed, and the services with "
            "it; start them again with `mts up`"
        )
    if status["given_up"]:
        yield f"GAVE UP   {status['given_up']}"
    for service in status["services"]:
        place = f"pid {service['pid']}" if "pid" in service else ""
        detail = f"  {service['detail']}" if service["detail"] else ""
        yield f"service   {service['name']:<12}{service['state']:<9}{place}{detail}"
    replay = status["replay"]
    if replay is not None:
        done = f"{int(replay['tick']) + 1} of {replay['total']} sessions"
        yield f"replay    {replay['state']}, {done}, {str(replay.get('as_of') or '')[:10]}"
    if status["result"] is not None:
        yield f"result    state hash {status['result'].get('state_hash')}"
    if status["api"] is not None:
        yield f"api       http://{status['api']['host']}:{status['api']['port']}/v1/funds"
    for fund in status["funds"]:
        depth = f"drawdown {float(fund['drawdown']):.1%}"
        nav = f"{float(fund['nav_usd']):,.0f} USD"
        yield f"fund      {fund['fund_id']:<20}{nav:>18}  {depth}, {fund['as_of'][:10]}"
    if status["store"] not in ("ok", "none yet"):
        yield f"fund      not known: {status['store']}"
    for halt in status["halts"]:
        passes = " but for reduce-only orders" if halt["reduce_only_allowed"] else ""
        yield (
            f"HALTED    {halt['scope']}{passes}: {halt['reason']} ({halt['requested_by']}, "
            f"{halt['requested_at'][:19]}Z)"
        )
    if status["halt_record"] != "ok":
        yield f"HALTED    {status['halt_record']}"
    if not status["halts"]:
        yield f"halts     none (epoch {status['halt_epoch']})"
