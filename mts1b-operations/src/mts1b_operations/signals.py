"""Signals from outside, put on record once: the audit entry and the event in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import sqlalchemy as sa
from mts1b_foundation.nats import OPERATIONS_SIGNALS_RECEIVED, with_fund
from mts1b_foundation.signals import Signal
from mts1b_platform.clock import Clock
from mts1b_platform.config import Settings
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyMissing, KeyRing
from mts1b_platform.store import Store
from mts1b_platform.store.connection import AsyncConnection
from mts1b_platform.store.tables import outbox

from mts1b_operations.api.signals import Door, Kept, SignalIntake
from mts1b_operations.audit.chain import AuditRecord
from mts1b_operations.places import KEY_FOLDER
from mts1b_operations.plain_text import require_key_name

__all__ = ["SignalRecord", "create_signal_key", "intake_of"]

Write = Callable[[AsyncConnection, list[AuditRecord]], Awaitable[None]]


def _key_name(source: str) -> str:
    return f"signals-{source}"


def create_signal_key(home: Path, source: str) -> tuple[Path, bool]:
    """Create the secret of a source; return its file, and whether it is new.

    :raises BadSelection: for a name that no file could be called by.
    """
    require_key_name(source, "source")
    ring, name = KeyRing(home / KEY_FOLDER, SystemRng()), _key_name(source)
    known = ring.exists(name)
    ring.create(name)
    return home / KEY_FOLDER / f"{name}.key", not known


class SignalRecord:
    """Keep each signal once, whoever sends it again.

    :param write: appends to the audit log, inside a transaction.
    """

    def __init__(self, store: Store, clock: Clock, write: Write) -> None:
        self._store = store
        self._clock = clock
        self._write = write

    async def keep(self, source: str, signal: Signal) -> Kept:
        """Put a signal on record unless it is there."""
        async with self._store.transaction() as tx:
            known = await tx.scalar(
                sa.select(outbox.c.payload).where(outbox.c.event_id == signal.signal_id)
            )
            if known is not None:
                before = Signal.model_validate_json(known)
                same = before.with_(created_at=signal.created_at) == signal
                return Kept.KNOWN if same else Kept.CONFLICT
            record = AuditRecord(
                actor=f"webhook:{source}",
                action="signal_received",
                subject_id=signal.signal_id,
                data=signal.model_dump(mode="json"),
                timestamp=self._clock.now(),
            )
            await self._write(tx, [record])
            await self._store.outbox.add(
                tx,
                event_id=signal.signal_id,
                subject=with_fund(OPERATIONS_SIGNALS_RECEIVED, signal.fund_id or ""),
                payload=signal.model_dump_json().encode(),
            )
        return Kept.NEW


def intake_of(
    settings: Settings, home: Path, record: SignalRecord, clock: Clock
) -> SignalIntake | None:
    """Return the intake that the settings describe; None where they name no source."""
    if not settings.api.signals:
        return None
    ring = KeyRing(home / KEY_FOLDER, SystemRng())
    funds = {entry.strategy_id: entry.fund_id for entry in settings.strategies}

    def door_of(source: str) -> Callable[[], list[bytes]]:
        def secrets() -> list[bytes]:
            try:
                return ring.secrets(_key_name(source))
            except KeyMissing:
                return []  # then nobody can have signed

        return secrets

    doors = [
        Door(entry, funds[entry.strategy_id], door_of(entry.source))
        for entry in settings.api.signals
    ]
    return SignalIntake(doors, clock=clock, keep=record.keep)
