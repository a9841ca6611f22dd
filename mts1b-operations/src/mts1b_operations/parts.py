"""The parts that halts and audit work on, opened for one home."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.config import load_settings
from mts1b_platform.halt import HaltStore
from mts1b_platform.rng import SystemRng
from mts1b_platform.signing import KeyRing
from mts1b_platform.store import Store

from mts1b_operations.audit.chain import AuditChain
from mts1b_operations.audit.evidence import Witness
from mts1b_operations.places import AUDIT_FOLDER, HALT_FOLDER, KEY_FOLDER, STORE_NAME
from mts1b_operations.tables import METADATA

__all__ = ["Parts", "open_parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """Store, log, halt record, keys and clock of one home."""

    store: Store
    audit: AuditChain
    halts: HaltStore
    keyring: KeyRing
    clock: Clock

    @classmethod
    def on(cls, store: Store, home: Path, clock: Clock) -> Parts:
        """Return the parts of ``home`` over an open operations store."""
        keyring = KeyRing(home / KEY_FOLDER, SystemRng())
        witness = Witness(home / AUDIT_FOLDER)
        chain = AuditChain(store, clock=clock, keyring=keyring, witness=witness)
        return cls(store, chain, HaltStore(home / HALT_FOLDER), keyring, clock)


async def open_parts(home: Path, *, clock: Clock | None = None) -> Parts:
    """Open the operations store of ``home`` and return the parts on it.

    :raises StoreError: when the store can not be opened.
    """
    template = load_settings(home).store.url_template
    target = template.format(name=STORE_NAME) if template else home / "db" / f"{STORE_NAME}.sqlite"
    store = await Store.open(target, metadata=METADATA, name=STORE_NAME)
    return Parts.on(store, home, clock or SystemClock())
