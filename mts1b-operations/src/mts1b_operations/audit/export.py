"""Write the log to a file that :mod:`mts1b_operations.audit.verifier` checks anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mts1b_platform.signing import Ed25519Signer, KeyRing

from mts1b_operations.audit.checkpoint import AUDIT_KEY, Checkpoint
from mts1b_operations.audit.entry import entry_bytes, stamp
from mts1b_operations.audit.reader import AuditReader
from mts1b_operations.audit.verifier import HEADER

__all__ = ["export_log"]


def export_log(reader: AuditReader, keyring: KeyRing, target: Path) -> int:
    """Write every entry and checkpoint to ``target``, atomically; return the number of entries.

    The bytes are the stored ones, so a damaged log is exported as it is, for others to see.
    """
    signer = keyring.signer(AUDIT_KEY, "ed25519")
    public = signer.public.hex() if isinstance(signer, Ed25519Signer) else ""
    partial = target.with_name(f"{target.name}.partial")
    count = 0
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f"{HEADER} {public}\n")
            for row in reader.rows():
                file.write(f"{row[1]} {entry_bytes(row).decode()}\n")
                count += 1
            for checkpoint in reader.checkpoints():
                file.write(f"checkpoint {_line(checkpoint)}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _line(checkpoint: Checkpoint) -> str:
    data = checkpoint.model_dump(mode="json") | {"created_at": stamp(checkpoint.created_at)}
    return json.dumps(data, sort_keys=True)
