"""What can go wrong here, named by what to do about it."""

from __future__ import annotations

import re
from typing import ClassVar

from mts1b_platform.errors import PlatformError
from mts1b_platform.exit_codes import ExitCode

__all__ = [
    "ApiPortInUse",
    "AuditUnavailable",
    "BadSelection",
    "ChainIntegrityError",
    "FlattenRefused",
    "HaltNotInForce",
    "HaltUnaudited",
    "NotConfirmed",
    "NotFound",
    "NothingRuns",
    "OperationsError",
    "ProofRefused",
    "ResidueLeft",
    "ResumeRefused",
    "ScopeUnknown",
    "plain_cause",
]


class OperationsError(PlatformError):
    """Be the root of every error of this package; ``code`` is what programs match."""

    code: ClassVar[str] = "OPERATIONS_ERROR"


class BadSelection(OperationsError):
    """Change the arguments: they name nothing, or contradict one another."""

    code = "BAD_SELECTION"
    exit_code = ExitCode.USAGE


class NotConfirmed(OperationsError):
    """Confirm the act: type the word at a terminal, or give --yes with --reason."""

    code = "NOT_CONFIRMED"
    exit_code = ExitCode.USAGE


class NotFound(OperationsError):
    """Look elsewhere: nothing is known of what was asked."""

    code = "NOT_FOUND"


class AuditUnavailable(OperationsError):
    """Start the system once, or name another home: there is no readable audit store."""

    code = "AUDIT_UNAVAILABLE"
    exit_code = ExitCode.UNAVAILABLE


class ApiPortInUse(OperationsError):
    """Free the port of the public API, or set another one."""

    code = "API_PORT_IN_USE"
    exit_code = ExitCode.UNAVAILABLE


class ResumeRefused(OperationsError):
    """Get a valid signature: the resume was not signed by a registered operator's key."""

    code = "RESUME_REFUSED"
    exit_code = ExitCode.REFUSED


class FlattenRefused(OperationsError):
    """Sign it: positions are closed by an operator whose key is on this machine."""

    code = "FLATTEN_REFUSED"
    exit_code = ExitCode.REFUSED


class NothingRuns(OperationsError):
    """Start the system, or the part of it that does not answer."""

    code = "NOTHING_RUNS"
    exit_code = ExitCode.UNAVAILABLE


class ResidueLeft(OperationsError):
    """Look at the venue: some orders or positions may still be there."""

    code = "RESIDUE_LEFT"


class ScopeUnknown(OperationsError):
    """Look at the spelling: a halt is in force that stops nothing which is configured."""

    code = "SCOPE_UNKNOWN"


class HaltNotInForce(OperationsError):
    """Halt again, or stop the system: the halt that was asked for could be written nowhere."""

    code = "HALT_NOT_IN_FORCE"
    exit_code = ExitCode.UNAVAILABLE


class HaltUnaudited(OperationsError):
    """Mend what keeps the audit log closed: a halt is in force that it does not know of."""

    code = "HALT_UNAUDITED"


class ProofRefused(OperationsError):
    """Trust nothing of the proof: a part of it is not what the log's key signed."""

    code = "PROOF_REFUSED"


class ChainIntegrityError(OperationsError):
    """Stop and investigate: the audit log is not the one that was written.

    ``index`` is the first bad sequence; every entry before it is proven.
    """

    code = "CHAIN_BROKEN"

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(
            f"audit log broken at index {index}: {reason}; entries before {index} are intact. "
            "Keep a copy of the store and compare it with the last exported log"
        )
        self.index = index
        self.reason = reason


def plain_cause(error: Exception) -> str:
    """Return what an error says, on one line and without the statement that a database adds."""
    text = re.sub(r"\[SQL: .*?\(Background on this error at: \S+\)", "", str(error), flags=re.S)
    return " ".join(text.split()) or type(error).__name__
