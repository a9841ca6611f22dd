"""The errors of the OMS, named by who must act."""

from __future__ import annotations

from typing import ClassVar

from mts1b_platform.errors import PlatformError
from mts1b_platform.exit_codes import ExitCode

__all__ = [
    "AdjustmentRefused",
    "IllegalTransition",
    "OmsError",
    "OrderRefused",
    "ReconciliationMismatch",
    "ResolutionRefused",
    "RiskUnavailable",
    "UnknownAlgorithm",
    "UnknownOrder",
    "WriterFenced",
]


class OmsError(PlatformError):
    """Root of every error that the OMS raises; ``code`` is what programs match."""

    code = "OMS_ERROR"


class IllegalTransition(OmsError):
    """Stop: the order can not take this event in its state. This is a defect, never input."""

    code = "ILLEGAL_TRANSITION"
    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, *, order_id: str, state: str, event: str, legal: tuple[str, ...]) -> None:
        self.order_id, self.state, self.event, self.legal = order_id, state, event, legal
        allowed = ", ".join(legal) or "none"
        super().__init__(
            f"order {order_id} is {state} and can not take the event {event}; legal: {allowed}"
        )


class OrderRefused(OmsError):
    """Correct the order: it was refused before it became an intent, nothing was recorded."""

    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class UnknownOrder(OmsError):
    """Correct the id: no such order was ever recorded here."""

    code = "UNKNOWN_ORDER"
    exit_code: ClassVar[ExitCode] = ExitCode.DATA

    def __init__(self, order_id: str) -> None:
        self.order_id = order_id
        super().__init__(f"no order {order_id}; list the orders with `mts oms orders`")


class UnknownAlgorithm(OmsError):
    """Correct the name, or install the package that brings the algorithm."""

    code = "UNKNOWN_ALGORITHM"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED

    code = "UNKNOWN_ALGORITHM"

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no execution algorithm {name!r}; known: {', '.join(known)}")


class RiskUnavailable(OmsError):
    """Retry: the risk engine gave no answer, so nobody approved anything.

    ``retry`` is False when it answered with a failure that another try would meet again.
    """

    code = "RISK_UNAVAILABLE"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, retry: bool = True) -> None:
        self.retry = retry
        super().__init__(message)


class Overloaded(OmsError):
    """Retry: more orders are on their way than can be worked soon, so nothing was recorded."""

    code = "OVERLOADED"
    exit_code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


class WriterFenced(OmsError):
    """Stop: another OMS has taken over this store, and this one must not write or send."""

    code = "WRITER_FENCED"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class ResolutionRefused(OmsError):
    """Correct the resolution: it is not signed, not needed, or was made for another version."""

    code = "RESOLUTION_REFUSED"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class AdjustmentRefused(OmsError):
    """Correct the adjustment: it is not signed, not sensible, or the venue does not show it."""

    code = "ADJUSTMENT_REFUSED"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED


class ReconciliationMismatch(OmsError):
    """Investigate: the venue and the ledger disagree, so no order may leave."""

    code = "NOT_RECONCILED"
    exit_code: ClassVar[ExitCode] = ExitCode.REFUSED
