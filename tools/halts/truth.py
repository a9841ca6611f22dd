"""What is halted, kept apart from the code under test; and what left although it was."""

from __future__ import annotations

from dataclasses import dataclass, field

from mts1b_foundation.orders import Order
from mts1b_foundation.risk import ActiveHalt

__all__ = ["InForce", "Leak", "Truth", "covers"]


@dataclass(frozen=True, slots=True)
class InForce:
    """A halt, and from when on nothing in its scope may reach the wire.

    :ivar written: virtual seconds at which the record was written.
    :ivar until: seconds later that a send is still allowed: 0 where the sender reads the same
        record, the length of a lease where it does not.
    """

    halt: ActiveHalt
    written: float
    until: float


@dataclass(frozen=True, slots=True)
class Leak:
    """An order that left under a halt."""

    order_id: str
    scope: str
    late_s: float

    def __str__(self) -> str:
        return f"{self.order_id} left {self.late_s:.6f} s after the halt of {self.scope}"


def covers(halt: ActiveHalt, order: Order) -> bool:
    """Return whether a halt forbids an order; written anew, not taken from the halt store."""
    if order.reduce_only and halt.reduce_only_allowed:
        return False
    names = {
        "firm": "",
        "fund": order.fund_id,
        "strategy": order.strategy_id,
        "venue": "paper",
        "symbol": str(order.symbol),
    }
    kind, _, name = halt.scope.partition(":")
    return names[kind] == name


@dataclass(slots=True)
class Truth:
    """The halts in force, the leaks, and the last send that a halt still allowed."""

    halts: dict[str, InForce] = field(default_factory=dict)
    leaks: list[Leak] = field(default_factory=list)
    allowed_s: list[float] = field(default_factory=list)
    sent: int = 0

    def begin(self, halt: ActiveHalt, *, at: float, until: float = 0.0) -> None:
        """Put a halt in force."""
        self.halts[halt.halt_id] = InForce(halt, at, until)

    def end(self, scope: str) -> None:
        """Lift the halts of a scope."""
        for known in [k for k, found in self.halts.items() if found.halt.scope == scope]:
            del self.halts[known]

    def at_the_wire(self, order: Order, now: float) -> None:
        """Judge an order at the last moment before it leaves."""
        self.sent += 1
        for found in self.halts.values():
            if not covers(found.halt, order):
                continue
            late = now - found.written
            if found.until > 0.0 and late <= found.until:
                self.allowed_s.append(late)
            else:
                self.leaks.append(Leak(order.order_id, found.halt.scope, late))
