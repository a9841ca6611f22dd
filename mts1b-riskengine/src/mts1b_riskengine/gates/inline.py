"""The shape of a gate that decides from memory, without waiting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from mts1b_foundation import Order, RiskContext, RiskEnvelope

__all__ = ["InlineGate"]


class InlineGate(ABC):
    """Decide at once. ``check`` is the same for those who await a gate."""

    inline: ClassVar[bool] = True

    @abstractmethod
    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Return True to pass the order on; deny by ``return context.reject(...)``."""

    async def check(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Return what :meth:`decide` says."""
        return self.decide(order, envelope, context)
