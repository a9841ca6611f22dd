"""How a command asks the running system, and puts on record what it did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from mts1b_foundation.model import FrozenModel
from mts1b_platform.eventbus.port import EventBus

__all__ = ["ask", "command_bus", "note"]

Reply = TypeVar("Reply", bound=FrozenModel)

_BUS_PATIENCE_S = 1.0
_REPLY_S = 5.0


@asynccontextmanager
async def command_bus(home: Path) -> AsyncIterator[EventBus]:
    """Connect to the bus of a home for the length of a command."""
    from mts1b_platform.eventbus.connect import connect  # slow to import: after the halt record

    bus = await connect(home, name="mts-cmd", patience_s=_BUS_PATIENCE_S)
    try:
        yield bus
    finally:
        await bus.close()


async def ask(bus: EventBus, subject: str, request: FrozenModel, kind: type[Reply]) -> Reply:
    """Send a command and return the reply; a time-out says nothing about what was done."""
    data = await bus.request(subject, request.model_dump_json().encode(), timeout_s=_REPLY_S)
    return kind.model_validate_json(data)


async def note(home: Path, actor: str, action: str, scope: str, done: dict[str, Any]) -> None:
    """Write in the audit log what a command did."""
    from mts1b_operations.parts import open_parts

    parts = await open_parts(home)
    try:
        await parts.audit.append(actor=actor, action=action, subject_id=scope, data=done)
    finally:
        await parts.store.close()
