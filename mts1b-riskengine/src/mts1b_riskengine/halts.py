"""Which halts bind an order, from one reading of the halt record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mts1b_foundation import ActiveHalt, DenyCode, HaltSeverity, Order
from mts1b_platform.halt import HaltState, HaltStateUnreadable, HaltStore

__all__ = ["HaltReading", "HaltRecord", "HaltSource"]

_CODES = {
    HaltSeverity.FIRM_HALT: DenyCode.FIRM_HALTED,
    HaltSeverity.FUND_HALT: DenyCode.FUND_HALTED,
    HaltSeverity.STRATEGY_HALT: DenyCode.STRATEGY_HALTED,
    HaltSeverity.VENUE_HALT: DenyCode.VENUE_HALTED,
    HaltSeverity.SYMBOL_HALT: DenyCode.SYMBOL_HALTED,
}
_WIDEST_FIRST = tuple(_CODES)


@dataclass(frozen=True, slots=True)
class HaltReading:
    """The halts in force, widest first; the ids of those that were lifted; the epoch.

    ``unreadable`` says why the record can not be read, when it can not.
    """

    epoch: int = 0
    active: tuple[ActiveHalt, ...] = ()
    lifted: frozenset[str] = frozenset()
    unreadable: str = ""

    def binding(self, order: Order) -> tuple[ActiveHalt, ...]:
        """Return the halts that cover an order: firm, fund, strategy, venue or symbol."""
        if not self.active:
            return ()
        scopes = {
            "firm",
            f"fund:{order.fund_id}",
            f"strategy:{order.strategy_id}",
            f"venue:{order.broker}",
            f"symbol:{order.symbol}",
        }
        return tuple(halt for halt in self.active if halt.scope in scopes)

    def fund_is_halted(self, fund_id: str) -> bool:
        """Return whether a halt covers the fund as a whole."""
        wide = {"firm", f"fund:{fund_id}"}
        return any(halt.scope in wide for halt in self.active)

    def stopping(self, order: Order) -> ActiveHalt | None:
        """Return the halt that stops ``order``: a reduce-only order passes where all allow it."""
        for halt in self.binding(order):
            if not (order.reduce_only and halt.reduce_only_allowed):
                return halt
        return None

    @staticmethod
    def code_of(halt: ActiveHalt) -> DenyCode:
        """Return the denial code of a halt."""
        return _CODES[halt.severity]


class HaltSource(Protocol):
    """Read the halt record, cheaply: it is asked for every order."""

    def read(self) -> HaltReading:
        """Return what the record says now; never raises for a record that is unreadable."""
        ...


class HaltRecord:
    """Read the durable halt record of this machine; one ``stat`` while it does not change."""

    def __init__(self, store: HaltStore) -> None:
        self._store = store
        self._state: HaltState | None = None
        self._reading = HaltReading()

    def read(self) -> HaltReading:
        """Return what the record says now; one that can not be read says so."""
        try:
            state = self._store.state()
        except HaltStateUnreadable as error:
            return HaltReading(unreadable=str(error))
        if state is not self._state:
            active = sorted(state.active, key=lambda halt: _WIDEST_FIRST.index(halt.severity))
            self._reading = HaltReading(state.epoch, tuple(active), frozenset(state.lifted))
            self._state = state
        return self._reading
