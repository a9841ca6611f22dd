"""What a pre-trade gate looks like."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from mts1b_foundation.orders import Order
from mts1b_foundation.risk import RiskEnvelope

__all__ = ["RiskGate"]


@runtime_checkable
class RiskGate(Protocol):
    """Say whether an order may leave; False denies it.

    ``context`` is a dict of facts; in the engine it is a
    :class:`~mts1b_foundation.risk.RiskContext`, whose ``reject`` explains a denial.
    """

    @property
    def name(self) -> str:
        """Return the stable name of the gate."""
        ...

    async def check(self, order: Order, envelope: RiskEnvelope, context: Any) -> bool:
        """Return True to pass the order on, False to deny it."""
        ...
