"""The reconciliation gate: no order leaves before venue and ledger agree."""

from __future__ import annotations

from mts1b_oms.errors import ReconciliationMismatch

__all__ = ["ReconciliationGate"]


class ReconciliationGate:
    """Closed when built, and whenever something does not add up; ``reason`` says why."""

    def __init__(self) -> None:
        self._reason: str | None = "start-up reconciliation has not finished"

    @property
    def is_open(self) -> bool:
        """Return whether orders may leave."""
        return self._reason is None

    @property
    def reason(self) -> str | None:
        """Return why the gate is closed, None when it is open."""
        return self._reason

    def open(self) -> None:
        """Let orders pass: everything was compared and agrees."""
        self._reason = None

    def close(self, reason: str) -> None:
        """Hold every order until somebody has looked."""
        self._reason = reason

    def require_open(self) -> None:
        """Return when orders may leave.

        :raises ReconciliationMismatch: with what does not add up.
        """
        if self._reason is not None:
            raise ReconciliationMismatch(f"no order leaves: {self._reason}")
