"""Compare the ledger with the venue's own books. Absence is not emptiness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mts1b_brokers.errors import BrokerError
from mts1b_foundation.positions import Position
from mts1b_foundation.protocols import AccountQuery, BrokerProtocol
from mts1b_foundation.symbology import Symbol

from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.ledger import ZERO, Ledger
from mts1b_oms.outcomes import CouldNotLook
from mts1b_oms.record import OmsRecord
from mts1b_oms.venue_sync import VenueSync

__all__ = ["CASH_TOLERANCE_USD", "Break", "Reconciler", "compare"]

CASH_TOLERANCE_USD = Decimal("0.01")
"""How far cash may differ: venues round each fee on their own."""

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Break:
    """One figure that differs: ``what`` is a symbol or ``cash``."""

    what: str
    ledger: Decimal
    venue: Decimal

    def __str__(self) -> str:
        return f"{self.what}: ledger {self.ledger.normalize():f}, venue {self.venue.normalize():f}"


def compare(
    ledger: Ledger, positions: Sequence[Position], cash_usd: Decimal | None
) -> tuple[Break, ...]:
    """Return every difference, signed quantities compared, positions exactly.

    :param cash_usd: the venue's cash; None where it does not state it.
    """
    ours = ledger.quantities()
    theirs = _net(positions)
    breaks = [
        Break(str(symbol), ours.get(symbol, ZERO), theirs.get(symbol, ZERO))
        for symbol in sorted({*ours, *theirs})
        if ours.get(symbol, ZERO) != theirs.get(symbol, ZERO)
    ]
    if cash_usd is not None and abs(ledger.cash() - cash_usd) > CASH_TOLERANCE_USD:
        breaks.append(Break("cash", ledger.cash(), cash_usd))
    return tuple(breaks)


def _net(positions: Sequence[Position]) -> Mapping[Symbol, Decimal]:
    total: dict[Symbol, Decimal] = {}
    for position in positions:
        total[position.symbol] = total.get(position.symbol, ZERO) + position.quantity
    return total


class Reconciler:
    """Open the gate when ledger and venue agree, close it when they do not."""

    def __init__(
        self,
        *,
        record: OmsRecord,
        venue: BrokerProtocol,
        sync: VenueSync,
        gate: ReconciliationGate,
    ) -> None:
        self._record = record
        self._venue = venue
        self._sync = sync
        self.gate = gate

    async def reconcile(self) -> tuple[Break, ...] | CouldNotLook:
        """Book what is new, compare, move the gate.

        A difference counts when it outlives a second and third look: an execution may happen
        between reading the fills and reading the account.
        """
        result: tuple[Break, ...] | CouldNotLook = ()
        for _ in range(_ATTEMPTS):
            result = await self._look()
            if result == () or isinstance(result, CouldNotLook):
                break
        match result:
            case CouldNotLook(reason):
                self.gate.close(f"the venue's books could not be read ({reason})")
            case ():
                self.gate.open()
            case breaks:
                listed = "; ".join(str(item) for item in breaks)
                self.gate.close(
                    f"ledger and venue {self._venue.name} differ: {listed}. Find the cause "
                    "(foreign trades, capital in the configuration, a restored store), then restart"
                )
        return result

    async def _look(self) -> tuple[Break, ...] | CouldNotLook:
        news = await self._sync.collect()
        if isinstance(news, CouldNotLook):
            return news
        try:
            if isinstance(self._venue, AccountQuery):
                account = await self._venue.account_snapshot()
                return compare(self._record.ledger, account.positions, account.cash_usd)
            return compare(self._record.ledger, await self._venue.get_positions(), None)
        except (TimeoutError, OSError, BrokerError, ValueError) as error:
            return CouldNotLook(f"{type(error).__name__}: {error}")
