"""What must hold: at the last moment before an order leaves, and when everything has settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING

from mts1b_foundation.orders import Order, OrderStatus

if TYPE_CHECKING:
    from mts1b_brokers.simulation import TrueVenue
    from mts1b_riskengine.service import RiskEngineService

    from mts1b_oms.service import OmsService

__all__ = ["Violation", "check_arrival", "check_settled"]

_AHEAD_OF_WIRE = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})
"""A record that says: this may be at the venue. An order that is proved absent leaves again."""

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
) -> None:
    """Check what is about to leave. Called inside the gateway's non-awaiting block.

    :param halted: the scopes in force, by the operator's own list.
    :param looked: whether this life of the OMS has read the venue's books.
    :param lease_ends: when the last lease that operations granted ends, by the loop's time.
    :raises Violation: I1 a second order of one key, I5 beyond the cap, I7 under a halt or without
        a lease, I8 before reconciliation, I9 without the write ahead of the wire, I14 for
        another mode.
    """
    if truth.arrived[order.idempotency_key]:
        raise Violation(f"I1 {order.order_id} is sent again, and its first arrived")
    if order.idempotency_key in truth.refused:
        raise Violation(f"I1 {order.order_id} is sent again, and the venue has refused it")
    record = oms.record.open_orders.get(order.order_id)
    if record is None or record.status not in _AHEAD_OF_WIRE:
        state = record.status.value if record else "not there"
        raise Violation(f"I9 {order.order_id} leaves while its record is {state}")
    if not looked:
        raise Violation(f"I8 {order.order_id} leaves before the venue's books were read")
    if oms.ctx.system_clock.monotonic() >= lease_ends:
        raise Violation(f"I7 {order.order_id} leaves without a lease")
    stopped = halted & _scopes_of(order)
    if stopped:
        raise Violation(f"I7 {order.order_id} leaves under the halt of {min(stopped)}")
    gateway = oms._gateway
    if order.mode is not gateway._mode:
        raise Violation(f"I14 {order.order_id} is for {order.mode}, the venue for {gateway._mode}")
    _check_cap(order, truth, cap_units)


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


def _check_cap(order: Order, truth: TrueVenue, cap_units: Decimal) -> None:
    held, buying = _book_of(order, truth)
    if order.side.sign > 0 and held + buying + order.quantity > cap_units:
        raise Violation(
            f"I5 {order.order_id}: {held} held, {buying} on the way and {order.quantity} more are "
            f"beyond the cap of {cap_units}"
        )


def _book_of(order: Order, truth: TrueVenue) -> tuple[Decimal, Decimal]:
    """Return what the fund holds by the venue's word, and what may still be bought for it."""
    state = truth.paper._venue.state if truth.paper._venue is not None else None
    if state is None:
        return Decimal(0), Decimal(0)
    held = sum(
        (
            fill.signed_quantity
            for fill in state.fills
            if fill.symbol == order.symbol and truth.orders[fill.order_id].fund_id == order.fund_id
        ),
        Decimal(0),
    )
    buying = sum(
        (
            working.order.remaining_quantity
            for working in state.open_orders()
            if working.order.symbol == order.symbol
            and working.order.fund_id == order.fund_id
            and working.order.side.sign > 0
        ),
        Decimal(0),
    )
    return held, buying


async def check_settled(
    oms: OmsService, risk: RiskEngineService, truth: TrueVenue, acknowledged: Mapping[str, Order]
) -> None:
    """Check the whole when faults have ended and everything had time to settle.

    :raises Violation: L1 something is still unsettled, P2 an intent is gone, I1 to I4 and I12 where
        the record and the venue differ, I11 where risk has another view than the OMS.
    """
    record = oms.record
    unsettled = [o for o in record.open_orders.values() if o.status in _UNSETTLED]
    if unsettled:
        names = ", ".join(f"{o.order_id} {o.status.value}" for o in unsettled[:5])
        raise Violation(f"L1 not settled: {names}")
    if not oms.gate.is_open:
        raise Violation(f"L1 the gate is closed: {oms.gate.reason}")
    ours: dict[str, Order] = {}
    for order_id, order in acknowledged.items():
        found = await record.order(order_id)
        if found is None:
            raise Violation(f"P2 {order_id} was acknowledged as {order.status.value} and is gone")
        ours[order_id] = found
    await _check_orders(oms, truth)
    await _check_books(oms, truth)
    _check_risk(oms, risk)


async def _check_orders(oms: OmsService, truth: TrueVenue) -> None:
    every, _ = await truth.paper.fills_since(None)
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for fill in every:
        filled[fill.order_id] += fill.quantity
    for key, count in truth.arrived.items():
        if count > 1:
            raise Violation(f"I1 {count} orders of key {key} arrived")
    for order_id in truth.orders:
        ours = await oms.record.order(order_id)
        if ours is None:
            raise Violation(f"I2 {order_id} is at the venue and has no record")
        approval = await oms.record.approval_of(order_id)
        if approval is None:
            raise Violation(f"I2 {order_id} is at the venue without a consumed approval")
        if ours.filled_quantity != filled[order_id]:
            raise Violation(
                f"I3 {order_id}: {ours.filled_quantity} booked, {filled[order_id]} executed"
            )
    shown = {order.order_id for order in await truth.paper.get_open_orders()}
    open_here = set(oms.record.open_orders)
    if shown - open_here:
        raise Violation(f"P4 open at the venue and over here: {sorted(shown - open_here)[:5]}")
    if open_here - shown:
        raise Violation(f"P4 open here and over at the venue: {sorted(open_here - shown)[:5]}")


async def _check_books(oms: OmsService, truth: TrueVenue) -> None:
    account = await truth.paper.account_snapshot()
    theirs = {str(p.symbol): p.quantity for p in account.positions if p.quantity}
    held = {str(s): q for s, q in oms.record.ledger.quantities().items() if q}
    if theirs != held:
        raise Violation(f"I4 the venue holds {theirs}, the ledger {held}")
    if abs(account.cash_usd - oms.record.ledger.cash()) > Decimal("0.01"):
        raise Violation(f"I12 cash {account.cash_usd} there, {oms.record.ledger.cash()} here")


def _check_risk(oms: OmsService, risk: RiskEngineService) -> None:
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
    if left:
        raise Violation(f"I11 risk still reserves for orders that have ended: {left[:5]}")
    unknown = [name for name in oms.record.open_orders if book.reservations.get(name) is None]
    if unknown:
        raise Violation(f"I11 risk reserves nothing for open orders: {unknown[:5]}")
