"""An operator's signed word on what moved the account without an order, booked."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from mts1b_brokers.errors import BrokerRefused
from mts1b_foundation.adjustments import AdjustBooks, AdjustmentKind, AdjustReply
from mts1b_foundation.protocols import BrokerProtocol
from mts1b_platform.operators import NotSigned, prove_act, sign_act
from mts1b_platform.signing import KeyRing

from mts1b_oms.adjustments import adjusted, carried_peaks, owner_of
from mts1b_oms.drift import CASH
from mts1b_oms.errors import AdjustmentRefused
from mts1b_oms.ledger import ZERO, Ledger
from mts1b_oms.nav import snapshots
from mts1b_oms.outcomes import NO_EVIDENCE, CouldNotLook
from mts1b_oms.reconcile import Reconciler, TheirBooks
from mts1b_oms.record import OmsRecord
from mts1b_oms.tables.adjustments import read_adjustment
from mts1b_oms.unit import Unit

__all__ = ["DOMAIN", "Adjuster", "PlaysAdjustments", "sign_adjustment"]

DOMAIN = "mts/adjust/v1"
_PRICE_BAND = Decimal("0.25")
"""How far the price after a split may be from the last price, as it was or by the ratio."""


@runtime_checkable
class PlaysAdjustments(Protocol):
    """A simulated venue that moves its account by an operator's word."""

    async def play_adjustment(self, one: AdjustBooks) -> AdjustBooks:
        """Move money or stock, once for each id.

        :raises BrokerRefused: where it can not be.
        """
        ...


_WHENEVER = datetime(1970, 1, 1, tzinfo=UTC)


def sign_adjustment(keyring: KeyRing, request: AdjustBooks) -> AdjustBooks:
    """Return the request signed with its operator's key, which must be on this machine.

    :raises AdjustmentRefused: when it is not.
    """
    try:
        return sign_act(keyring, DOMAIN, request)
    except NotSigned as error:
        raise AdjustmentRefused(str(error)) from error


class Adjuster:
    """Book adjustments that a registered operator has signed and that the venue shows."""

    def __init__(
        self,
        record: OmsRecord,
        reconciler: Reconciler,
        keyring: KeyRing,
        venue: BrokerProtocol | None = None,
    ) -> None:
        self._record = record
        self._reconciler = reconciler
        self._keyring = keyring
        self._simulated = venue if isinstance(venue, PlaysAdjustments) else None

    async def adjust(self, request: AdjustBooks) -> AdjustReply:
        """Book what moved without an order, once, then compare with the venue again.

        Every figure that it moves must come nearer to what the venue shows: a slip of the pen is
        refused, and so is money that has not arrived. Of one that is said to be a part of several
        movements the figure must differ, no more. Capital changes no drawdown. A simulated venue,
        which has no bank and no issuer, moves its account by the same word first.

        :raises AdjustmentRefused: without a good signature, for books that nobody has, for an id
            that says something else, for a split under open orders, or against the venue's books.
        """
        try:
            prove_act(self._keyring, DOMAIN, request)
        except NotSigned as error:
            raise AdjustmentRefused(str(error)) from error
        booked = await self._booked(request)
        if booked is not None:
            return AdjustReply(adjustment=booked, again=True)
        self._require_sense(request)
        theirs = await self._their_books()
        if self._simulated is not None and _why_not_nearer(self._record.ledger, request, theirs):
            self._require_sense(request)
            await self._play(self._simulated, request)
            theirs = await self._their_books()
        async with self._record.unit() as unit:
            if await read_adjustment(unit.tx, request.adjustment_id) is None:
                self._require_sense(request)
                why_not = _why_not_nearer(unit.ledger, request, theirs)
                if why_not:
                    raise AdjustmentRefused(why_not)
                self._book(unit, request)
        await self._reconciler.reconcile()
        return AdjustReply(adjustment=request)

    async def _their_books(self) -> TheirBooks:
        theirs = await self._reconciler.their_books()
        if isinstance(theirs, CouldNotLook):
            raise AdjustmentRefused(
                f"the venue's books could not be read ({theirs.reason}), so nobody knows whether "
                "they show it; try again"
            )
        return theirs

    async def _play(self, venue: PlaysAdjustments, request: AdjustBooks) -> None:
        try:
            await venue.play_adjustment(request)
        except BrokerRefused as error:
            raise AdjustmentRefused(f"the simulated venue refuses it: {error}") from error
        except NO_EVIDENCE as error:
            raise AdjustmentRefused(
                f"the simulated venue did not answer ({error}); repeat this, it moves once"
            ) from error

    async def _booked(self, request: AdjustBooks) -> AdjustBooks | None:
        async with self._record.store.read() as tx:
            known = await read_adjustment(tx, request.adjustment_id)
        if known is not None and _words(known) != _words(request):
            raise AdjustmentRefused(
                f"{request.adjustment_id} is booked already and says something else: "
                f"{known.kind.value}, {known.reason}; give this one an id of its own"
            )
        return known

    def _require_sense(self, request: AdjustBooks) -> None:
        ledger, owner = self._record.ledger, owner_of(request)
        if owner is not None and owner not in ledger.books:
            known = ", ".join("/".join(each) for each in sorted(ledger.books))
            raise AdjustmentRefused(f"there is no book {'/'.join(owner)}; there are {known}")
        if request.kind is not AdjustmentKind.SPLIT or request.symbol is None:
            return
        waiting = [
            order.order_id
            for order in self._record.open_orders.values()
            if order.symbol == request.symbol
        ]
        if waiting:
            raise AdjustmentRefused(
                f"orders in {request.symbol} are open, for units of before the split: "
                f"{', '.join(sorted(waiting))}; cancel them first"
            )
        _require_price(ledger.marks.get(request.symbol), request)

    def _book(self, unit: Unit, request: AdjustBooks) -> None:
        """Enter it, and strike the NAV of its fund anew: peaks are kept with it."""
        record = self._record
        before = snapshots(unit.ledger, peaks=record.peaks, as_of=unit.now)
        navs = {(nav.fund_id, nav.strategy_id): nav.nav_usd for nav in before}
        peaks = carried_peaks(record.peaks, navs, request)
        unit.adjust(request)
        if record.navs:
            struck = snapshots(unit.ledger, peaks=peaks, as_of=self._moment(unit.now))
            mine = request.fund_id
            unit.navs(tuple(nav for nav in struck if mine is None or nav.fund_id == mine))

    def _moment(self, now: datetime) -> datetime:
        return max([now, *(nav.as_of for nav in self._record.navs.values())])


def _words(one: AdjustBooks) -> AdjustBooks:
    """Return what an adjustment says, without when and under which key it was signed."""
    return one.with_(requested_at=_WHENEVER, key_id="", signature="")


def _require_price(mark: Decimal | None, request: AdjustBooks) -> None:
    price, ratio = request.price or ZERO, request.ratio or Decimal(1)
    if mark is None or any(abs(price / p - 1) <= _PRICE_BAND for p in (mark, mark / ratio)):
        return
    raise AdjustmentRefused(
        f"{price} for {request.symbol} after the split is far from its last price {mark}, and from "
        f"{mark / ratio:.4f}, which is that by the ratio"
    )


def _why_not_nearer(ledger: Ledger, request: AdjustBooks, theirs: TheirBooks) -> str:
    """Return why the books of the venue do not show an adjustment; empty where they do."""
    if request.cash_usd and theirs.cash_usd is None:
        return "the venue states no cash, so nobody can check what is said of it"
    after = adjusted(ledger, request)
    figures: list[tuple[str, Decimal, Decimal, Decimal]] = []
    if request.cash_usd and theirs.cash_usd is not None:
        figures.append((CASH, ledger.cash(), after.cash(), theirs.cash_usd))
    if request.symbol is not None and request.moves_stock:
        symbol = request.symbol
        ours, ours_after = (book.quantities().get(symbol, ZERO) for book in (ledger, after))
        figures.append((str(symbol), ours, ours_after, theirs.positions.get(symbol, ZERO)))
    for name, before, then, shown in figures:
        nearer = abs(then - shown) < abs(before - shown)
        if not (before != shown if request.in_part else nearer):
            return (
                f"the venue does not show it: {name} is {shown.normalize():f} there and "
                f"{before.normalize():f} here, and would be {then.normalize():f}; one of several "
                "movements that come nearer only together is booked as such (--in-part)"
            )
    return ""
