"""What must hold after every event, and at the last moment before an order leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from decimal import Decimal
from typing import TYPE_CHECKING

from mts1b_foundation.orders import Fill, Order, OrderStatus

from mts1b_oms.simulation.desk import SHORTS

if TYPE_CHECKING:
    from mts1b_brokers.simulation import TrueVenue
    from mts1b_riskengine.service import RiskEngineService

    from mts1b_oms.service import OmsService
    from mts1b_oms.simulation.accidents import Accidents

__all__ = [
    "ON_ITS_WAY_S",
    "Violation",
    "check_arrival",
    "check_change",
    "check_child",
    "check_now",
    "check_self_match",
    "open_at",
    "restated_at",
]

_AHEAD_OF_WIRE = frozenset({OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})
"""A record that says: this may be at the venue. An order that is proved absent leaves again."""

ON_ITS_WAY_S = 8.0
"""From the look at the gate to the wire: risk's answer, two slow commits, an approval's life."""


class Violation(Exception):
    """An invariant does not hold; the message begins with its number."""


def check_arrival(
    order: Order,
    oms: OmsService,
    truth: TrueVenue,
    *,
    cap_of: Callable[[str], Decimal],
    halted: Set[str],
    lease_ends: float,
    looked: bool,
    gate_closed_s: float,
    surplus: Mapping[str, Decimal],
    told_refused: Set[str],
) -> None:
    """Check what is about to leave. Called inside the gateway's non-awaiting block.

    :param cap_of: the units that a fund may hold of a symbol, by the widest cap that may count.
    :param halted: the scopes in force, by the operator's own list.
    :param looked: whether this life of the OMS has read the venue's books.
    :param gate_closed_s: for how long the OMS itself has known that the books differ. What had
        passed the gate by then may still be on its way, as long as an approval lives.
    :param lease_ends: when the last lease that operations granted ends, by the loop's time.
    :param surplus: what the venue executed beyond every order, by execution: nobody can keep that
        below a cap.
    :param told_refused: the keys whose refusal this life of the OMS was told.
    :raises Violation: I1 a second order of one key, I5 beyond the cap, I7 under a halt or without
        a lease, I8 before reconciliation, I9 without the write ahead of the wire, I14 for
        another mode.
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
    if gate_closed_s > ON_ITS_WAY_S:
        raise Violation(f"I8 {order.order_id} leaves {gate_closed_s:.1f} s after the gate closed")
    _check_permitted(order, oms, halted, lease_ends)
    gateway = oms._gateway
    if order.mode is not gateway._mode:
        raise Violation(f"I14 {order.order_id} is for {order.mode}, the venue for {gateway._mode}")
    _check_cap(order, truth, cap_of(order.fund_id), surplus)


def check_child(
    order: Order, truth: TrueVenue, parents: Mapping[str, Order], taken_back: Set[str]
) -> None:
    """Check what is about to leave against the parent that it is a part of.

    :param parents: the orders that an algorithm works, as their client meant them.
    :param taken_back: the parents whose cancel was confirmed to their client.
    :raises Violation: I6 a child beyond its parent or after its end, or the parent itself.
    """
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
    cap_of: Callable[[str], Decimal],
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
    theirs = next((o for o in open_at(truth) if o.order_id == order_id), None)
    if theirs is not None and quantity > theirs.quantity:
        more = record.with_(quantity=quantity - theirs.quantity)
        _check_cap(more, truth, cap_of(record.fund_id), surplus)


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
    for theirs in open_at(truth):
        opposite = theirs.symbol == order.symbol and theirs.side.sign == -order.side.sign
        if not opposite or theirs.order_id in by_hand:
            continue
        ours, rests = order.limit_price, theirs.limit_price
        if ours is None or rests is None or (ours - rests) * order.side.sign >= 0:
            raise Violation(f"I5 {order.order_id} can trade with {theirs.order_id} of ours")


def open_at(truth: TrueVenue) -> list[Order]:
    """Return the orders that are open at the venue."""
    venue = truth.paper._venue
    return [] if venue is None else [working.order for working in venue.state.open_orders()]


def restated_at(truth: TrueVenue) -> frozenset[str]:
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
    """Check that a fund holds no more than its cap on the side of ``order``, whatever fills of it.

    On the short side that is nothing, but for the fund that may go short.
    """
    side = order.side.sign
    cap = cap_units if side > 0 or order.fund_id == SHORTS else Decimal(0)
    held, on_its_way = _book_of(order, truth, surplus)
    if held * side + on_its_way + order.quantity > cap:
        raise Violation(
            f"I5 {order.order_id} to {order.side}: {held} held, {on_its_way} on the way and "
            f"{order.quantity} more are beyond the cap of {cap}"
        )


def _book_of(
    order: Order, truth: TrueVenue, surplus: Mapping[str, Decimal]
) -> tuple[Decimal, Decimal]:
    """Return what the fund holds by the venue's word, and what may still fill on the order's side.

    But for orders of which the venue took executions back: it may have opened them again.
    """
    state = truth.paper._venue.state if truth.paper._venue is not None else None
    if state is None:
        return Decimal(0), Decimal(0)
    side, restated = order.side.sign, restated_at(truth)
    # What was bought and is taken back makes a fund shorter than anybody could know.
    counted = (state.standing(fill) if side > 0 else fill for fill in state.fills)
    held = sum(
        (
            fill.signed_quantity - _surplus_of(fill, side, surplus)
            for fill in counted
            if fill is not None and fill.symbol == order.symbol and fill.fund_id == order.fund_id
        ),
        Decimal(0),
    )
    on_its_way = sum(
        (
            theirs.remaining_quantity
            for theirs in open_at(truth)
            if theirs.symbol == order.symbol
            and theirs.fund_id == order.fund_id
            and theirs.side.sign == side
            and theirs.order_id not in restated
        ),
        Decimal(0),
    )
    return held, on_its_way


def _surplus_of(fill: Fill, side: int, surplus: Mapping[str, Decimal]) -> Decimal:
    """Return what of an execution on this side nobody ordered, signed."""
    return surplus.get(fill.fill_id, Decimal(0)) * side if fill.side.sign == side else Decimal(0)


def check_now(
    oms: OmsService | None, risk: RiskEngineService | None, truth: TrueVenue, accidents: Accidents
) -> None:
    """Check what holds after every event: what may fill at the venue counts here as open.

    An event is a commit of the OMS or of risk, or a quote at the venue; what leaves is checked by
    the others. Between two events nothing changes that is compared here.

    Facts are late here and never ahead, so that a record or a reservation of less than the venue
    still has open is wrong whatever is on its way. Only what a venue takes back of an execution
    is open there before anybody can know of it.

    :param oms: None while it is not up; so with ``risk``.
    :raises Violation: I1 a second order of one key, P4 the record has ended what is open at the
        venue or counts less of it, P10 risk does.
    """
    if max(truth.arrived.values(), default=0) > 1:
        ((key, count),) = truth.arrived.most_common(1)
        raise Violation(f"I1 {count} orders of key {key} arrived")
    by_hand, restated = set(accidents.by_hand), restated_at(truth)
    for theirs in open_at(truth):
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
