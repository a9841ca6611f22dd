"""An order that risk approved: a type that the verifier of the gateway alone can build."""

from __future__ import annotations

from typing import Final, final

from mts1b_foundation.orders import Order
from mts1b_foundation.risk import RiskApproval

__all__ = ["ApprovedOrder"]


@final
class _Seal:
    """The key to the constructor below. It has one instance, and the gateway holds it."""


_SEAL: Final = _Seal()


@final
class ApprovedOrder:
    """An order together with the verified approval that lets it leave.

    :raises TypeError: when anyone but the gateway's verifier builds one.
    """

    __slots__ = ("_approval", "_ends", "_order")

    def __init__(
        self, order: Order, approval: RiskApproval, *, ends: float = 0.0, seal: _Seal
    ) -> None:
        if seal is not _SEAL:
            raise TypeError("an ApprovedOrder comes from Gateway.admit, from nowhere else")
        self._order = order
        self._approval = approval
        self._ends = ends

    @property
    def order(self) -> Order:
        """Return the order as it was approved."""
        return self._order

    @property
    def approval(self) -> RiskApproval:
        """Return the verified approval."""
        return self._approval

    @property
    def ends(self) -> float:
        """Return until when the approval lives, on the sender's monotonic clock, s."""
        return self._ends
