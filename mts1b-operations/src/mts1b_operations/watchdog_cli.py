"""``mts mts1b-operations watchdog``: status, config and pause."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from mts1b_platform.cli import emit

if TYPE_CHECKING:
    from mts1b_operations.watchdogs.overrides import Override

__all__ = ["watchdog"]

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
NameOption = Annotated[str, typer.Option("--watchdog", help="a watchdog's name")]
ActorOption = Annotated[str, typer.Option("--operator", help="your name, for the audit log")]

_LONGEST = 10 * 366 * 24 * 60.0
"""Minutes of ten years; a pause without end is `enabled: false` in the settings."""

watchdog = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Show, tune and pause the watchdogs."
)


def _home() -> Path:
    from mts1b_platform.config import mts_home

    return mts_home(os.environ)


@watchdog.command()
def status(as_json: JsonOption = False) -> None:
    """Show each watchdog: what triggers it, its threshold, and what it has seen in the log."""
    from mts1b_operations.watchdogs.history import watchdog_history

    found = watchdog_history(_home())
    lines = []
    for dog in found:
        state = "off" if not dog.enabled else "on"
        if dog.paused_until is not None:
            state = f"paused until {dog.paused_until:%Y-%m-%d %H:%M}Z"
        tripped = f"  tripped: {', '.join(dog.tripped)}" if dog.tripped else ""
        lines.append(
            f"{dog.name:<20} {state:<6} {dog.trigger}; threshold {dog.threshold:g}; "
            f"{dog.observed} judged, {dog.alerts} alerts{tripped}"
        )
    emit([dog.model_dump(mode="json") for dog in found], as_json, text="\n".join(lines))


@watchdog.command()
def config(
    watchdog: NameOption,
    threshold: Annotated[float, typer.Option(help="the new threshold")],
    operator: ActorOption = "terminal",
    as_json: JsonOption = False,
) -> None:
    """Change the threshold of a watchdog; the running service takes it over."""
    from mts1b_operations.watchdogs.overrides import Override
    from mts1b_operations.watchdogs.runner import find_watchdog

    if not (math.isfinite(threshold) and threshold >= 0.0):
        raise typer.BadParameter(f"a threshold is a number, zero or more, not {threshold}")
    name = find_watchdog(watchdog).name
    asyncio.run(_save(Override(name, threshold=threshold), operator, "watchdog_config"))
    facts = {"watchdog": name, "threshold": threshold}
    emit(facts, as_json, text=f"{name}: threshold {threshold:g}")


@watchdog.command()
def pause(
    watchdog: NameOption,
    minutes: Annotated[
        float, typer.Option(min=0.0, max=_LONGEST, help="for how long; 0 ends a pause")
    ] = 60.0,
    operator: ActorOption = "terminal",
    as_json: JsonOption = False,
) -> None:
    """Keep a watchdog quiet for a while; it goes on by itself."""
    from datetime import timedelta

    from mts1b_platform.clock import SystemClock

    from mts1b_operations.watchdogs.overrides import Override
    from mts1b_operations.watchdogs.runner import find_watchdog

    name = find_watchdog(watchdog).name
    until = SystemClock().now() + timedelta(minutes=minutes)
    asyncio.run(_save(Override(name, paused_until=until), operator, "watchdog_pause"))
    facts = {"watchdog": name, "paused_until": until.isoformat()}
    emit(facts, as_json, text=f"{name}: paused until {until:%Y-%m-%d %H:%M:%S} UTC")


async def _save(override: Override, operator: str, action: str) -> None:
    from mts1b_operations.audit.chain import AuditRecord
    from mts1b_operations.parts import open_parts
    from mts1b_operations.watchdogs.override_store import save_override

    parts = await open_parts(_home())
    data = {"threshold": override.threshold, "paused_until": override.paused_until}
    record = AuditRecord(f"operator:{operator}", action, override.watchdog, data)
    try:
        async with parts.store.transaction() as tx:
            await save_override(parts.store, tx, override)
            await parts.audit.add(tx, [record])
        parts.audit.settle()
    finally:
        await parts.store.close()
