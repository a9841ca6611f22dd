"""An order that risk approved: a type that the verifier of the gateway alone can build."""

from __future__ import annotations

from typing import Final, NoReturn, final

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

    __slots__ = ("approval", "ends", "order")

    order: Order
    """The order as it was approved."""
    approval: RiskApproval
    """The verified approval."""
    ends: float
    """Until when the approval lives, on the sender's monotonic clock, s."""

    def __init__(
        self, order: Order, approval: RiskApproval, *, ends: float = 0.0, seal: _Seal
    ) -> None:
        if seal is not _SEAL:
            raise TypeError("an ApprovedOrder comes from Gateway.admit, from nowhere else")
        put = object.__setattr__
        put(self, "order", order)
        put(self, "approval", approval)
        put(self, "ends", ends)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"an ApprovedOrder does not change: {name}")
