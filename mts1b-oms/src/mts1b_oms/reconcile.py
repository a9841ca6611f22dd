"""Compare the record with the venue's own books. Absence is not emptiness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from mts1b_foundation.commands import ReconciliationReport
from mts1b_foundation.orders import CorrectionKind, FillCorrection
from mts1b_foundation.positions import Position
from mts1b_foundation.protocols import AccountQuery, BrokerProtocol, FillHistory
from mts1b_foundation.symbology import Symbol
from mts1b_platform.ids import derive_id

from mts1b_oms.corrections import take_corrections
from mts1b_oms.drift import CASH, explain
from mts1b_oms.fills import TWIN
from mts1b_oms.gate import ReconciliationGate
from mts1b_oms.gateway import Gateway, card_of
from mts1b_oms.ledger import ZERO, Ledger
from mts1b_oms.outcomes import NO_EVIDENCE, CouldNotLook
from mts1b_oms.record import OmsRecord
from mts1b_oms.restored import Restoration
from mts1b_oms.tables.books import BookedFill
from mts1b_oms.tables.corrections import fills_flagged
from mts1b_oms.venue_sync import VenueSync

__all__ = ["CASH_TOLERANCE_USD", "Break", "Reconciler", "TheirBooks", "compare"]

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


@dataclass(frozen=True, slots=True)
class TheirBooks:
    """What a venue says that we have; ``cash_usd`` is None where it does not state it."""

    positions: Mapping[Symbol, Decimal]
    cash_usd: Decimal | None = None

    @classmethod
    def of(cls, positions: Sequence[Position], cash_usd: Decimal | None = None) -> TheirBooks:
        """Return what the rows of a venue say.

        :raises ValueError: when a symbol is listed twice: nobody knows which row counts.
        """
        counts = Counter(position.symbol for position in positions)
        twice = sorted(symbol for symbol, count in counts.items() if count > 1)
        if twice:
            raise ValueError(f"the venue lists {', '.join(twice)} more than once")
        return cls({position.symbol: position.quantity for position in positions}, cash_usd)


def compare(ledger: Ledger, theirs: TheirBooks) -> tuple[Break, ...]:
    """Return every difference, signed quantities compared, positions exactly."""
    ours, held = ledger.quantities(), theirs.positions
    breaks = [
        Break(str(symbol), ours.get(symbol, ZERO), held.get(symbol, ZERO))
        for symbol in sorted({*ours, *held})
        if ours.get(symbol, ZERO) != held.get(symbol, ZERO)
    ]
    cash = theirs.cash_usd
    if cash is not None and abs(ledger.cash() - cash) > CASH_TOLERANCE_USD:
        breaks.append(Break(CASH, ledger.cash(), cash))
    return tuple(breaks)


class Reconciler:
    """Open the gate when record and venue agree, close it when they do not, and report changes."""

    def __init__(
        self,
        *,
        record: OmsRecord,
        venue: BrokerProtocol,
        sync: VenueSync,
        gate: ReconciliationGate,
        restoration: Restoration,
        gateway: Gateway,
    ) -> None:
        self._gateway = gateway
        self._record = record
        self._venue = venue
        self._sync = sync
        self._restoration = restoration
        self.gate = gate

    async def reconcile(self) -> tuple[Break, ...] | CouldNotLook:
        """Book what is new, compare, move the gate; report what changed since the last report.

        A difference counts when it outlives a second and third look: an execution may happen
        between reading the fills and reading the account. Open orders at the venue that are not
        ours are reported; they close nothing. One of ours that is over here and open there, as
        where a venue opens an order again after a bust, is cancelled and reported. One that was
        changed there by nobody here counts as it stands there, and is reported once.
        """
        result = await self._look_again_and_again()
        if isinstance(result, tuple) and result and await self._drop_twins(result):
            result = await self._look_again_and_again()
        strangers = () if isinstance(result, CouldNotLook) else await self._strangers()
        strangers += self._sync.changed_there()
        match result:
            case CouldNotLook(reason):
                self.gate.close(f"the venue's books could not be read ({reason})")
            case ():
                self.gate.open()
            case breaks:
                listed = "; ".join(str(item) for item in breaks)
                self.gate.close(
                    f"ledger and venue {self._venue.name} differ: {listed} "
                    f"({explain(breaks)}). Find the cause; what moved without an order is booked "
                    "with `mts oms adjust`, executions that are told no more with `mts oms resolve`"
                )
        await self._report(result, strangers)
        return result

    async def _look_again_and_again(self) -> tuple[Break, ...] | CouldNotLook:
        result: tuple[Break, ...] | CouldNotLook = ()
        for _ in range(_ATTEMPTS):
            result = await self._look()
            if result == () or isinstance(result, CouldNotLook):
                break
        return result

    async def _look(self) -> tuple[Break, ...] | CouldNotLook:
        theirs = await self.their_books()
        if isinstance(theirs, CouldNotLook):
            return theirs
        return compare(self._record.ledger, theirs)

    async def their_books(self) -> TheirBooks | CouldNotLook:
        """Book every execution that is told, then return what the venue says that we have."""
        lost = await self._restoration.catch_up()
        if isinstance(lost, CouldNotLook):
            return lost
        news = await self._sync.collect()
        if isinstance(news, CouldNotLook):
            return news
        try:
            if isinstance(self._venue, AccountQuery):
                account = await self._venue.account_snapshot()
                return TheirBooks.of(account.positions, account.cash_usd)
            return TheirBooks.of(await self._venue.get_positions())
        except NO_EVIDENCE as error:
            return CouldNotLook(f"{type(error).__name__}: {error}")

    async def _drop_twins(self, breaks: Sequence[Break]) -> bool:
        """Take back executions that were told under two ids, where the venue proves it.

        The proof is that the ledger has too much by just one execution that says what another
        of its order says, and that the venue's whole history does not know its id. Without the
        history there is none: a sale that is not told yet looks the same in the position. The
        strategy is quarantined: somebody has to look.
        """
        wrong = {item.what: item.ledger - item.venue for item in breaks}
        async with self._record.store.read() as tx:
            twins = await fills_flagged(tx, TWIN)
        surplus = [t for t in twins if wrong.get(str(t.fill.symbol)) == t.fill.signed_quantity]
        known = await self._history() if surplus else None
        if known is None:
            return False
        last = {twin.fill.symbol: twin for twin in surplus if twin.fill.fill_id not in known}
        for twin in last.values():
            await self._take_back(twin)
        return bool(last)

    async def _history(self) -> set[str] | None:
        """Return the ids of all executions that the venue knows; None where it tells not all."""
        whole = card_of(self._venue).fill_history_s is None
        if not whole or not isinstance(self._venue, FillHistory):
            return None
        try:
            fills, _ = await self._venue.fills_since(None)
        except NO_EVIDENCE:
            return None
        return {fill.fill_id for fill in fills}

    async def _take_back(self, twin: BookedFill) -> None:
        fill = twin.fill
        reason = f"fill {fill.fill_id} tells an execution again that another id told"
        async with self._record.unit() as unit:
            bust = FillCorrection(
                correction_id=derive_id("recon", "twin", fill.fill_id),
                fill_id=fill.fill_id,
                order_id=fill.order_id,
                kind=CorrectionKind.BUST,
                venue=fill.venue,
                timestamp=unit.now,
                reason=reason,
            )
            await take_corrections(unit, [bust])
            unit.quarantine(twin.owner, f"{fill.fill_id}/twin", reason)

    async def _strangers(self) -> tuple[str, ...]:
        """Return the venue's open orders that are not, or no more, ours; none where it is silent.

        What is over here may not trade on there: it is cancelled.
        """
        shown = await self._gateway.open_orders()
        if isinstance(shown, CouldNotLook):
            return ()
        found = []
        for theirs in shown:
            ours = await self._record.order(theirs.order_id)
            if ours is None:
                found.append(f"{theirs.order_id}: open at the venue, not ours")
            elif ours.is_terminal:
                await self._gateway.cancel(theirs.order_id)
                found.append(f"{theirs.order_id}: open at the venue, over here; cancelled")
        return tuple(sorted(found))

    async def _report(
        self, result: tuple[Break, ...] | CouldNotLook, strangers: Sequence[str]
    ) -> None:
        breaks = [str(item) for item in result] if isinstance(result, tuple) else []
        breaks += [f"order {told}" for told in strangers]
        report = ReconciliationReport(
            venue=self._record.venue,
            agrees=result == () and not strangers,
            reason=result.reason if isinstance(result, CouldNotLook) else explain(result),
            breaks=tuple(breaks),
            rolled_back=bool(self._record.restored),
            as_of=self._record.clock.now(),
        )
        last = self._record.report
        if last is not None and last.with_(as_of=report.as_of) == report:
            return
        async with self._record.unit() as unit:
            await unit.report(report)
