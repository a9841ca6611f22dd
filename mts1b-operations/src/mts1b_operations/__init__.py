"""Watch, halt and prove.

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts1b_operations.audit.bound import audit_chain
    from mts1b_operations.audit.chain import AuditChain, AuditRecord
    from mts1b_operations.audit.entry import AuditEntry
    from mts1b_operations.errors import ChainIntegrityError, OperationsError, ResumeRefused
    from mts1b_operations.halt import HaltManager, HaltStatus
    from mts1b_operations.summary import RunSummary, summary

__all__ = [
    "AuditChain",
    "AuditEntry",
    "AuditRecord",
    "ChainIntegrityError",
    "HaltManager",
    "HaltStatus",
    "OperationsError",
    "ResumeRefused",
    "RunSummary",
    "audit_chain",
    "summary",
]

_HOMES = {
    "AuditChain": "audit.chain",
    "AuditEntry": "audit.entry",
    "AuditRecord": "audit.chain",
    "ChainIntegrityError": "errors",
    "HaltManager": "halt",
    "HaltStatus": "halt",
    "OperationsError": "errors",
    "ResumeRefused": "errors",
    "RunSummary": "summary",
    "audit_chain": "audit.bound",
    "summary": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mts1b_operations.{_HOMES[name]}"), name)
