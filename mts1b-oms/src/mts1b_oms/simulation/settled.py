"""What must hold when faults have ended and everything had time to settle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING

import sqlalchemy as sa
from mts1b_foundation.commands import OrdersQuery
from mts1b_foundation.orders import Order, OrderStatus

from mts1b_oms.simulation.checks import Violation, open_at
from mts1b_oms.tables.orders import find_orders
from mts1b_oms.tables.store import approvals_used, order_events, quarantines
from mts1b_oms.transitions import OrderEvent

if TYPE_CHECKING:
    from mts1b_brokers.simulation import TrueVenue
    from mts1b_riskengine.service import RiskEngineService

    from mts1b_oms.service import OmsService
    from mts1b_oms.simulation.accidents import Accidents
    from mts1b_oms.simulation.world import World

__all__ = ["check_settled"]

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


async def check_settled(world: World, oms: OmsService, risk: RiskEngineService) -> None:
    """Check the whole when faults have ended and everything had time to settle.

    A record that was put back from a backup is asked for less: what was lost and has ended at the
    venue nobody tells it again, but for its executions.

    :raises Violation: L1 something is still unsettled, P2 an intent is gone, I1 to I4 and I12 where
        the record and the venue differ, I6 where parents and children do, I11 where risk has
        another view than the OMS, B6 and B12 where something odd was booked and nobody was told.
    """
    _check_quiet(oms)
    async with oms.record.store.read() as tx:
        ours = {one.order.order_id: one.order for one in await find_orders(tx, OrdersQuery())}
        approved = set((await tx.execute(sa.select(approvals_used.c.order_id))).scalars())
        told = {
            row.fill_id: row.reason
            for row in await tx.execute(sa.select(quarantines).where(quarantines.c.halted == 1))
        }
    truth, parents = world.truth, world.clients.parents
    placed = {name: one for name, one in ours.items() if name not in parents}
    sent = {name: one for name, one in oms.record.open_orders.items() if name not in parents}
    if not world.restored:
        _check_acknowledged(ours, world.clients.acknowledged)
        _check_orders(ours, approved, truth)
        _check_filled(ours, parents)
        await _check_nothing_found(oms)
        if risk.agreed:  # events alone tell risk all, where no record was put back
            raise Violation(f"I11 risk had to ask what became of {risk.agreed[:5]}")
    # An algorithm that was begun while a clock was ahead waits until that time comes.
    at_work = oms._dispatcher._running if world.clocks_step else frozenset()
    _check_parents(ours, parents, at_work)
    _check_open(sent, truth, world.accidents)
    await _check_books(oms, truth)
    _check_risk(oms, risk, sent)
    _check_ended(sent, risk)
    _check_terms(sent, truth, risk)
    _check_told(oms, placed, truth, world.accidents, told)


def _check_quiet(oms: OmsService) -> None:
    unsettled = [o for o in oms.record.open_orders.values() if o.status in _UNSETTLED]
    if unsettled:
        names = ", ".join(f"{o.order_id} {o.status.value}" for o in unsettled[:5])
        raise Violation(f"L1 not settled: {names}")
    if not oms.gate.is_open:
        raise Violation(f"L1 the gate is closed: {oms.gate.reason}")


def _check_acknowledged(ours: Mapping[str, Order], acknowledged: Mapping[str, Order]) -> None:
    for order_id, order in acknowledged.items():
        if order_id not in ours:
            raise Violation(f"P2 {order_id} was acknowledged as {order.status.value} and is gone")


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


def _children(ours: Mapping[str, Order], parent: Order) -> list[Order]:
    return [order for order in ours.values() if order.parent_order_id == parent.order_id]


def _check_filled(ours: Mapping[str, Order], parents: Mapping[str, Order]) -> None:
    for parent in (ours[name] for name in parents if name in ours):
        filled = sum((child.filled_quantity for child in _children(ours, parent)), Decimal(0))
        if filled != parent.filled_quantity:
            raise Violation(
                f"I6 {parent.order_id} filled {parent.filled_quantity}, its children {filled}"
            )


def _check_parents(
    ours: Mapping[str, Order], parents: Mapping[str, Order], at_work: Set[str]
) -> None:
    """Check that a parent ends with its last child, and works while it has none."""
    for parent in (ours[name] for name in parents if name in ours):
        opened = [one.order_id for one in _children(ours, parent) if not one.is_terminal]
        if parent.is_terminal and opened:
            raise Violation(f"I6 {parent.order_id} has ended, and {opened[:3]} are open")
        if not (parent.is_terminal or opened or parent.order_id in at_work):
            raise Violation(f"L1 {parent.order_id} is {parent.status.value} without a child")


def _check_open(sent: Mapping[str, Order], truth: TrueVenue, accidents: Accidents) -> None:
    shown = {order.order_id for order in open_at(truth)} - set(accidents.by_hand)
    if shown - set(sent):
        raise Violation(f"P4 open at the venue and over here: {sorted(shown - set(sent))[:5]}")
    if set(sent) - shown:
        raise Violation(f"P4 open here and over at the venue: {sorted(set(sent) - shown)[:5]}")


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
    for theirs in open_at(truth) if by_hand else ():
        if theirs.order_id in by_hand and theirs.order_id not in listed:
            raise Violation(f"B12 {theirs.order_id} is open by hand, and no report says so")


def _terms(order: Order) -> tuple[Decimal, Decimal | None]:
    return (order.quantity, order.limit_price)


async def _check_books(oms: OmsService, truth: TrueVenue) -> None:
    account = await truth.account()
    theirs = {str(p.symbol): p.quantity for p in account.positions if p.quantity}
    held = {str(s): q for s, q in oms.record.ledger.quantities().items() if q}
    if theirs != held:
        raise Violation(f"I4 the venue holds {theirs}, the ledger {held}")
    if abs(account.cash_usd - oms.record.ledger.cash()) > Decimal("0.01"):
        raise Violation(f"I12 cash {account.cash_usd} there, {oms.record.ledger.cash()} here")


def _check_risk(oms: OmsService, risk: RiskEngineService, sent: Mapping[str, Order]) -> None:
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
    unknown = [name for name in sent if book.reservations.get(name) is None]
    if unknown:
        raise Violation(f"I11 risk reserves nothing for open orders: {unknown[:5]}")


def _check_ended(sent: Mapping[str, Order], risk: RiskEngineService) -> None:
    """Check that risk holds nothing for what is over, or for what nobody has."""
    left = [name for name in risk.engine.book.reservations.open_ids() if name not in sent]
    if left:
        raise Violation(f"I11 risk still reserves for orders that have ended: {left[:5]}")


async def _check_nothing_found(oms: OmsService) -> None:
    """Check that every change is known by its answer: nobody but us changes orders here."""
    found = sa.select(order_events.c.order_id).where(
        order_events.c.event == OrderEvent.TERMS_SHOWN.value
    )
    async with oms.record.store.read() as tx:
        names = sorted(set((await tx.execute(found)).scalars()))
    if names:
        raise Violation(f"P6 the venue had to show what became of {names[:5]}")


def _check_terms(sent: Mapping[str, Order], truth: TrueVenue, risk: RiskEngineService) -> None:
    """Check that record, venue and risk say the same of what may still fill."""
    reservations = risk.engine.book.reservations
    for theirs in open_at(truth):
        mine = sent.get(theirs.order_id)
        if mine is not None and _terms(mine) != _terms(theirs):
            raise Violation(f"P4 {mine.order_id} is {_terms(mine)} here, {_terms(theirs)} there")
    for name, order in sent.items():
        reserved = reservations.get(name)
        if reserved is not None and reserved.remaining != order.remaining_quantity:
            raise Violation(
                f"I11 {name} may fill {order.remaining_quantity}, risk counts {reserved.remaining}"
            )
