"""The audit log: append-only, hash-chained, a Merkle tree with signed checkpoints.

Names are loaded when they are first used: a command that only reads the log does not wait for
the database layer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts1b_operations.audit.bound import BoundAuditChain, audit_chain
    from mts1b_operations.audit.chain import AuditChain, AuditRecord
    from mts1b_operations.audit.checkpoint import Checkpoint
    from mts1b_operations.audit.entry import AuditEntry
    from mts1b_operations.audit.evidence import Witness
    from mts1b_operations.audit.reader import AuditReader
    from mts1b_operations.errors import ChainIntegrityError

__all__ = [
    "AuditChain",
    "AuditEntry",
    "AuditReader",
    "AuditRecord",
    "BoundAuditChain",
    "ChainIntegrityError",
    "Checkpoint",
    "Witness",
    "audit_chain",
]

_HOMES = {
    "AuditChain": "audit.chain",
    "AuditEntry": "audit.entry",
    "AuditReader": "audit.reader",
    "AuditRecord": "audit.chain",
    "BoundAuditChain": "audit.bound",
    "ChainIntegrityError": "errors",
    "Checkpoint": "audit.checkpoint",
    "Witness": "audit.evidence",
    "audit_chain": "audit.bound",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mts1b_operations.{_HOMES[name]}"), name)
