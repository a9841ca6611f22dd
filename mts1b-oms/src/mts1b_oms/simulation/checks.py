"""What must hold: at the last moment before an order leaves, and when everything has settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa
from mts1b_foundation.commands import OrdersQuery
from mts1b_foundation.orders import Fill, Order, OrderStatus

from mts1b_oms.tables.orders import find_orders
from mts1b_oms.tables.store import approvals_used, quarantines

if TYPE_CHECKING:
    from mts1b_brokers.simulation import TrueVenue
    from mts1b_riskengine.service import RiskEngineService

    from mts1b_oms.service import OmsService
    from mts1b_oms.simulation.accidents import Accidents

__all__ = [
    "Violation",
    "check_arrival",
    "check_change",
    "check_now",
    "check_self_match",
    "check_settled",
]

_AHEAD_OF_WIRE = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})
"""A record that says: this may be at the venue. An order that is proved absent leaves again."""

_ON_ITS_WAY_S = 8.0
"""From the look at the gate to the wire: risk's answer, two slow commits, an approval's life."""

_UNSETTLED = frozenset(
    {
        OrderStatus.CREATED,
        OrderStatus.PENDING_RISK,
        OrderStatus.APPROVED,
        OrderStatus.SUBMITTING,
        OrderStatus.UNKNOWN,
        OrderStatus.PENDING_CANCEL,
        OrderStatus.PENDING_REPLACE,
    }
)


class Violation(Exception):
    """An invariant does not hold; the message begins with its number."""


def check_arrival(
    order: Order,
    oms: OmsService,
    truth: TrueVenue,
    *,
    cap_units: Decimal,
    halted: Set[str],
    lease_ends: float,
    looked: bool,
    gate_closed_s: float,
    surplus: Mapping[str, Decimal],
    told_refused: Set[str],
    parents: Mapping[str, Order],
    taken_back: Set[str],
) -> None:
    """Check what is about to leave. Called inside the gateway's non-awaiting block.

    :param halted: the scopes in force, by the operator's own list.
    :param looked: whether this life of the OMS has read the venue's books.
    :param gate_closed_s: for how long the OMS itself has known that the books differ. What had
        passed the gate by then may still be on its way, as long as an approval lives.
    :param lease_ends: when the last lease that operations granted ends, by the loop's time.
    :param surplus: what the venue executed beyond every order, by execution: nobody can keep that
        below a cap.
    :param told_refused: the keys whose refusal this life of the OMS was told.
    :param parents: the orders that an algorithm works, as their client meant them.
    :param taken_back: the parents whose cancel was confirmed to their client.
    :raises Violation: I1 a second order of one key, I5 beyond the cap, I6 a child beyond its parent
        or after its end, I7 under a halt or without a lease, I8 before reconciliation, I9 without
        the write ahead of the wire, I14 for another mode.
    """
    if truth.arrived[order.idempotency_key]:
        raise Violation(f"I1 {order.order_id} is sent again, and its first arrived")
    if order.idempotency_key in told_refused:
        raise Violation(f"I1 {order.order_id} is sent again, and the venue has refused it")
    record = oms.record.open_orders.get(order.order_id)
    if record is None or record.status not in _AHEAD_OF_WIRE:
        state = record.status.value if record else "not there"
        raise Violation(f"I9 {order.order_id} leaves while its record is {state}")
    if not looked:
        raise Violation(f"I8 {order.order_id} leaves before the venue's books were read")
    if gate_closed_s > _ON_ITS_WAY_S:
        raise Violation(f"I8 {order.order_id} leaves {gate_closed_s:.1f} s after the gate closed")
    _check_permitted(order, oms, halted, lease_ends)
    gateway = oms._gateway
    if order.mode is not gateway._mode:
        raise Violation(f"I14 {order.order_id} is for {order.mode}, the venue for {gateway._mode}")
    _check_cap(order, truth, cap_units, surplus)
    _check_child(order, truth, parents, taken_back)


def _check_child(
    order: Order, truth: TrueVenue, parents: Mapping[str, Order], taken_back: Set[str]
) -> None:
    if order.order_id in parents:
        raise Violation(f"I6 {order.order_id} leaves, and an algorithm was to work it")
    parent = parents.get(order.parent_order_id or "")
    if parent is None:
        return
    if parent.order_id in taken_back:
        raise Violation(f"I6 {order.order_id} leaves after its parent was cancelled")
    sent = sum(o.quantity for o in truth.orders.values() if o.parent_order_id == parent.order_id)
    if sent + order.quantity > parent.quantity:
        raise Violation(f"I6 {sent + order.quantity} of {parent.quantity} of {parent.order_id}")


def check_change(
    order_id: str,
    quantity: Decimal,
    oms: OmsService,
    truth: TrueVenue,
    *,
    cap_units: Decimal,
    halted: Set[str],
    lease_ends: float,
    surplus: Mapping[str, Decimal],
) -> None:
    """Check a change that is about to leave, as :func:`check_arrival` does an order.

    :raises Violation: I5 beyond the cap, I7 under a halt or without a lease, I9 without the write
        ahead of the wire at the larger quantity.
    """
    record = oms.record.open_orders.get(order_id)
    if record is None or record.status is not OrderStatus.PENDING_REPLACE:
        state = record.status.value if record else "not there"
        raise Violation(f"I9 a change of {order_id} leaves while its record is {state}")
    if record.quantity < quantity:
        raise Violation(f"I9 {order_id} counts at {record.quantity}, and {quantity} leaves")
    _check_permitted(record, oms, halted, lease_ends)
    theirs = next((o for o in _open_at(truth) if o.order_id == order_id), None)
    if theirs is not None and quantity > theirs.quantity:
        _check_cap(record.with_(quantity=quantity - theirs.quantity), truth, cap_units, surplus)


def _check_permitted(order: Order, oms: OmsService, halted: Set[str], lease_ends: float) -> None:
    if oms.ctx.system_clock.monotonic() >= lease_ends:
        raise Violation(f"I7 {order.order_id} leaves without a lease")
    stopped = halted & _scopes_of(order)
    if stopped:
        raise Violation(f"I7 {order.order_id} leaves under the halt of {min(stopped)}")


def check_self_match(order: Order, truth: TrueVenue, accidents: Accidents) -> None:
    """Check that what is about to leave can not trade with an open order of ours.

    :raises Violation: I5 when it can: the limits of the run forbid it.
    """
    by_hand = set(accidents.by_hand)
    for theirs in _open_at(truth):
        opposite = theirs.symbol == order.symbol and theirs.side.sign == -order.side.sign
        if not opposite or theirs.order_id in by_hand:
            continue
        ours, rests = order.limit_price, theirs.limit_price
        if ours is None or rests is None or (ours - rests) * order.side.sign >= 0:
            raise Violation(f"I5 {order.order_id} can trade with {theirs.order_id} of ours")


def _open_at(truth: TrueVenue) -> list[Order]:
    venue = truth.paper._venue
    return [] if venue is None else [working.order for working in venue.state.open_orders()]


def _restated_at(truth: TrueVenue) -> frozenset[str]:
    """Return the orders of which the venue took back or restated an execution."""
    venue = truth.paper._venue
    return frozenset() if venue is None else frozenset(c.order_id for c in venue.state.corrections)


def _scopes_of(order: Order) -> frozenset[str]:
    return frozenset(
        {
            "firm",
            f"fund:{order.fund_id}",
            f"strategy:{order.strategy_id}",
            "venue:paper",
            f"symbol:{order.symbol}",
        }
    )


def _check_cap(
    order: Order, truth: TrueVenue, cap_units: Decimal, surplus: Mapping[str, Decimal]
) -> None:
    if order.side.sign < 0:
        return
    held, buying = _book_of(order, truth, surplus)
    if held + buying + order.quantity > cap_units:
        raise Violation(
            f"I5 {order.order_id}: {held} held, {buying} on the way and {order.quantity} more are "
            f"beyond the cap of {cap_units}"
        )


def _book_of(
    order: Order, truth: TrueVenue, surplus: Mapping[str, Decimal]
) -> tuple[Decimal, Decimal]:
    """Return what the fund holds by the venue's word, and what may still be bought for it.

    But for orders of which the venue took executions back: it may have opened them again.
    """
    state = truth.paper._venue.state if truth.paper._venue is not None else None
    if state is None:
        return Decimal(0), Decimal(0)
    counted = (state.standing(fill) for fill in state.fills)
    held = sum(
        (
            fill.signed_quantity - _bought(fill, surplus)
            for fill in counted
            if fill is not None and fill.symbol == order.symbol and fill.fund_id == order.fund_id
        ),
        Decimal(0),
    )
    restated = _restated_at(truth)
    buying = sum(
        (
            theirs.remaining_quantity
            for theirs in _open_at(truth)
            if theirs.symbol == order.symbol
            and theirs.fund_id == order.fund_id
            and theirs.side.sign > 0
            and theirs.order_id not in restated
        ),
        Decimal(0),
    )
    return held, buying


def _bought(fill: Fill, surplus: Mapping[str, Decimal]) -> Decimal:
    """Return what of an execution was bought and never ordered."""
    return surplus.get(fill.fill_id, Decimal(0)) if fill.side.sign > 0 else Decimal(0)


def check_now(
    oms: OmsService | None, risk: RiskEngineService | None, truth: TrueVenue, accidents: Accidents
) -> None:
    """Check what holds at every moment: what may fill at the venue counts here as open.

    Facts are late here and never ahead, so that a record or a reservation of less than the venue
    still has open is wrong whatever is on its way. Only what a venue takes back of an execution
    is open there before anybody can know of it.

    :param oms: None while it is not up; so with ``risk``.
    :raises Violation: I1 a second order of one key, P4 the record has ended what is open at the
        venue or counts less of it, P10 risk does.
    """
    for key, count in truth.arrived.items():
        if count > 1:
            raise Violation(f"I1 {count} orders of key {key} arrived")
    by_hand, restated = set(accidents.by_hand), _restated_at(truth)
    for theirs in _open_at(truth):
        name = theirs.order_id
        left = Decimal(0) if name in restated else theirs.remaining_quantity
        if name in by_hand:
            continue
        if oms is not None:
            ours = oms.record.open_orders.get(name)
            if ours is None and name not in restated:
                raise Violation(f"P4 {name} is open at the venue and over here")
            if ours is not None and ours.remaining_quantity < left:
                raise Violation(f"P4 {name}: {left} may fill, {ours.remaining_quantity} open here")
        if risk is not None:
            reserved = risk.engine.book.reservations.get(name)
            counted = reserved.remaining if reserved is not None else Decimal(0)
            if counted < left:
                raise Violation(f"P10 {name}: {left} may fill, risk counts {counted}")


async def check_settled(
    oms: OmsService,
    risk: RiskEngineService,
    truth: TrueVenue,
    acknowledged: Mapping[str, Order],
    accidents: Accidents,
    parents: Mapping[str, Order],
    *,
    restored: bool,
    clocks_step: bool,
) -> None:
    """Check the whole when faults have ended and everything had time to settle.

    :param parents: the orders that an algorithm works.
    :param restored: whether the record was put back from a backup: what was lost and has ended at
        the venue nobody tells it again, but for its executions; nor what was changed since, which
        risk has heard of.
    :param clocks_step: whether wall clocks were set: an algorithm that was begun while one was
        ahead waits until that time comes.
    :raises Violation: L1 something is still unsettled, P2 an intent is gone, I1 to I4 and I12 where
        the record and the venue differ, I11 where risk has another view than the OMS, B6 and B12
        where something odd was booked and nobody was told.
    """
    record = oms.record
    unsettled = [o for o in record.open_orders.values() if o.status in _UNSETTLED]
    if unsettled:
        names = ", ".join(f"{o.order_id} {o.status.value}" for o in unsettled[:5])
        raise Violation(f"L1 not settled: {names}")
    if not oms.gate.is_open:
        raise Violation(f"L1 the gate is closed: {oms.gate.reason}")
    async with oms.record.store.read() as tx:
        ours = {one.order.order_id: one.order for one in await find_orders(tx, OrdersQuery())}
        approved = set((await tx.execute(sa.select(approvals_used.c.order_id))).scalars())
        told = {
            row.fill_id: row.reason
            for row in await tx.execute(sa.select(quarantines).where(quarantines.c.halted == 1))
        }
    for order_id, order in acknowledged.items():
        if order_id not in ours and not restored:
            raise Violation(f"P2 {order_id} was acknowledged as {order.status.value} and is gone")
    if not restored:
        _check_orders(ours, approved, truth)
    at_work = oms._dispatcher._running if clocks_step else frozenset()
    _check_parents(ours, parents, at_work, restored=restored)
    _check_open(oms, truth, accidents, parents)
    await _check_books(oms, truth)
    _check_risk(oms, risk, parents, restored=restored)
    placed = {name: one for name, one in ours.items() if name not in parents}
    _check_told(oms, placed, truth, accidents, told)


def _check_orders(ours: Mapping[str, Order], approved: Set[str], truth: TrueVenue) -> None:
    venue = truth.paper._venue
    for order_id, sent in truth.orders.items():
        mine = ours.get(order_id)
        if mine is None:
            raise Violation(f"I2 {order_id} is at the venue and has no record")
        if order_id not in approved:
            raise Violation(f"I2 {order_id} is at the venue without a consumed approval")
        theirs = None if venue is None else venue.order_by_key(sent.idempotency_key)
        if theirs is None or mine.filled_quantity != theirs.filled_quantity:
            executed = theirs.filled_quantity if theirs else "nothing"
            raise Violation(f"I3 {order_id}: {mine.filled_quantity} booked, {executed} executed")
        if not mine.is_terminal and _terms(mine) != _terms(theirs):
            raise Violation(f"P4 {order_id} is {_terms(mine)} here, {_terms(theirs)} there")


def _check_parents(
    ours: Mapping[str, Order],
    parents: Mapping[str, Order],
    at_work: Set[str],
    *,
    restored: bool,
) -> None:
    """Compare parents with their children: what filled, and who is still at work."""
    for parent in (ours[name] for name in parents if name in ours):
        children = [o for o in ours.values() if o.parent_order_id == parent.order_id]
        filled = sum((child.filled_quantity for child in children), Decimal(0))
        if filled != parent.filled_quantity and not restored:
            raise Violation(
                f"I6 {parent.order_id} filled {parent.filled_quantity}, its children {filled}"
            )
        still_open = [child.order_id for child in children if not child.is_terminal]
        if parent.is_terminal and still_open:
            raise Violation(f"I6 {parent.order_id} has ended, and {still_open[:3]} are open")
        if not (parent.is_terminal or still_open or parent.order_id in at_work):
            raise Violation(f"L1 {parent.order_id} is {parent.status.value} without a child")


def _check_open(
    oms: OmsService, truth: TrueVenue, accidents: Accidents, parents: Mapping[str, Order]
) -> None:
    shown = {order.order_id for order in _open_at(truth)} - set(accidents.by_hand)
    open_here = set(oms.record.open_orders) - set(parents)
    if shown - open_here:
        raise Violation(f"P4 open at the venue and over here: {sorted(shown - open_here)[:5]}")
    if open_here - shown:
        raise Violation(f"P4 open here and over at the venue: {sorted(open_here - shown)[:5]}")


def _check_told(
    oms: OmsService,
    ours: Mapping[str, Order],
    truth: TrueVenue,
    accidents: Accidents,
    told: Mapping[str, str],
) -> None:
    """Check that somebody was told of all that was odd: quarantines by execution, and a report.

    Which execution of an overfilled order is the one too many depends on the order of telling,
    so a quarantine that names the order is enough.
    """
    if oms.record.unhalted:
        raise Violation(f"B6 not halted yet: {sorted(oms.record.unhalted)}")
    named = " ".join(told.values())
    for order_id, order in ours.items():
        if order.filled_quantity > order.quantity and order_id not in named:
            raise Violation(f"B6 {order_id} is overfilled, and nobody was told")
    venue, by_hand = truth.paper._venue, set(accidents.by_hand)
    for fill in venue.state.fills if venue is not None and by_hand else ():
        if fill.order_id in by_hand and fill.fill_id not in told:
            raise Violation(f"B12 {fill.fill_id} is of an order by hand, and nobody was told")
    report = oms.record.report
    listed = " ".join(report.breaks) if report is not None else ""
    for theirs in _open_at(truth) if by_hand else ():
        if theirs.order_id in by_hand and theirs.order_id not in listed:
            raise Violation(f"B12 {theirs.order_id} is open by hand, and no report says so")


def _terms(order: Order) -> tuple[Decimal, Decimal | None]:
    return (order.quantity, order.limit_price)


async def _check_books(oms: OmsService, truth: TrueVenue) -> None:
    account = await truth.paper.account_snapshot()
    theirs = {str(p.symbol): p.quantity for p in account.positions if p.quantity}
    held = {str(s): q for s, q in oms.record.ledger.quantities().items() if q}
    if theirs != held:
        raise Violation(f"I4 the venue holds {theirs}, the ledger {held}")
    if abs(account.cash_usd - oms.record.ledger.cash()) > Decimal("0.01"):
        raise Violation(f"I12 cash {account.cash_usd} there, {oms.record.ledger.cash()} here")


def _check_risk(
    oms: OmsService, risk: RiskEngineService, parents: Mapping[str, Order], *, restored: bool
) -> None:
    """Compare what risk knows by the events with the record that they came from."""
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for (fund, _), sub_book in oms.record.ledger.books.items():
        for symbol, holding in sub_book.holdings.items():
            held[fund, str(symbol)] += holding.quantity
    book = risk.engine.book
    known: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for fund in {fund for fund, _ in oms.record.ledger.books}:
        lines = book.positions.of_fund(fund)
        for key in lines:
            line = lines.get(key)
            known[fund, str(key[1])] += line.quantity if line is not None else Decimal(0)
    for pair in sorted({*held, *known}):
        if held[pair] != known[pair]:
            raise Violation(f"I11 {pair}: the OMS holds {held[pair]}, risk knows {known[pair]}")
    left = [name for name in book.reservations.open_ids() if name not in oms.record.open_orders]
    if left and not restored:
        raise Violation(f"I11 risk still reserves for orders that have ended: {left[:5]}")
    sent = {name: one for name, one in oms.record.open_orders.items() if name not in parents}
    unknown = [name for name in sent if book.reservations.get(name) is None]
    if unknown:
        raise Violation(f"I11 risk reserves nothing for open orders: {unknown[:5]}")
    for name, order in () if restored else sent.items():
        reserved = book.reservations.get(name)
        if reserved is not None and reserved.remaining != order.remaining_quantity:
            raise Violation(
                f"I11 {name} may fill {order.remaining_quantity}, risk counts {reserved.remaining}"
            )
