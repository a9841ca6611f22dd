"""What the risk engine refuses, by who must act."""

from __future__ import annotations

from typing import ClassVar

from mts1b_platform.errors import PlatformError
from mts1b_platform.exit_codes import ExitCode

__all__ = [
    "ApprovalInvalid",
    "EnvelopeConflict",
    "EnvelopeLoosened",
    "EnvelopeMissing",
    "EnvelopeUnsigned",
    "EnvelopeVersion",
    "GateRefused",
    "OverrideRefused",
    "ReservationInUse",
    "RiskEngineError",
]


class RiskEngineError(PlatformError):
    """Be the root of every refusal of this package. ``code`` is what programs match."""

    code: ClassVar[str] = "RISK_ENGINE_ERROR"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class GateRefused(RiskEngineError):
    """Say that a gate can not join the pipeline. Remedy: fix the gate."""

    code: ClassVar[str] = "GATE_REFUSED"
    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class EnvelopeMissing(RiskEngineError):
    """Say that a fund has no envelope. Remedy: give it one."""

    code: ClassVar[str] = "NO_ENVELOPE"
    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class EnvelopeVersion(RiskEngineError):
    """Say that an update does not follow the version in force. Remedy: re-read, then retry."""

    code: ClassVar[str] = "ENVELOPE_VERSION"


class EnvelopeLoosened(RiskEngineError):
    """Say that an update loosens limits during a halt. Remedy: resume the fund first."""

    code: ClassVar[str] = "ENVELOPE_LOOSENED_DURING_HALT"


class EnvelopeUnsigned(RiskEngineError):
    """Say that an update loosens limits and nobody signed. Remedy: let an operator sign it."""

    code: ClassVar[str] = "ENVELOPE_UNSIGNED"


class EnvelopeConflict(RiskEngineError):
    """Say that the caller's envelope is not the one in force. Remedy: re-read it."""

    code: ClassVar[str] = "ENVELOPE_CONFLICT"


class ReservationInUse(RiskEngineError):
    """Say that an order may still trade. Remedy: cancel it; its terminal event releases."""

    code: ClassVar[str] = "RESERVATION_IN_USE"


class OverrideRefused(RiskEngineError):
    """Say that a soft block can not be overridden so. Remedy: as the message says."""

    code: ClassVar[str] = "OVERRIDE_REFUSED"


class ApprovalInvalid(RiskEngineError):
    """Say that an approval does not permit this order here and now. Remedy: ask risk again.

    ``field`` names what did not hold: a bound field, ``signature``, ``issued_at``,
    ``expires_at``, ``halt_epoch`` or ``approval`` (used twice).
    """

    code: ClassVar[str] = "APPROVAL_INVALID"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"approval refused at {field}: {message}; ask risk for a new decision")
        self.field = field
