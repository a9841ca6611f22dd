"""An operator's signed word on an order that no query could settle."""

from __future__ import annotations

from decimal import Decimal

from mts1b_foundation.commands import Resolution, ResolveOrder
from mts1b_foundation.nats import OMS_ORDERS_RESOLVED
from mts1b_foundation.orders import Fill, Order, OrderStatus
from mts1b_platform.ids import derive_id
from mts1b_platform.operators import NotSigned, prove_act, sign_act
from mts1b_platform.signing import KeyRing

from mts1b_oms.errors import ResolutionRefused, UnknownOrder
from mts1b_oms.fills import book_fills
from mts1b_oms.ledger import quantise
from mts1b_oms.orders import OrderService
from mts1b_oms.transitions import OrderEvent
from mts1b_oms.unit import Unit

__all__ = ["DOMAIN", "RESOLVABLE", "Resolver", "sign_resolution"]

DOMAIN = "mts/resolve/v1"
RESOLVABLE = frozenset(
    {
        OrderStatus.SUBMITTING,
        OrderStatus.UNKNOWN,
        OrderStatus.PENDING_CANCEL,
        OrderStatus.PENDING_REPLACE,
    }
)
"""The states in which nobody knows what the venue has."""
WORKING = frozenset({OrderStatus.SUBMITTED, OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
"""The states in which the venue has it. Executions that its history no longer reaches are resolved
too: while record and venue differ, and only those."""


def sign_resolution(keyring: KeyRing, request: ResolveOrder) -> ResolveOrder:
    """Return the request signed with its operator's key, which must be on this machine.

    :raises ResolutionRefused: when it is not.
    """
    try:
        return sign_act(keyring, DOMAIN, request)
    except NotSigned as error:
        raise ResolutionRefused(str(error)) from error


class Resolver:
    """Carry out resolutions that are signed by a registered operator."""

    def __init__(self, service: OrderService, keyring: KeyRing) -> None:
        self._service = service
        self._record = service.record
        self._keyring = keyring

    async def resolve(self, request: ResolveOrder) -> Order:
        """Settle an order as the operator found it; return it afterwards.

        An order in doubt, or one whose executions the venue's history no longer reaches.

        What the venue executed and this record does not have is booked as one execution with an id
        that follows from the resolution. An execution that the venue reports later is booked all
        the same, and takes the place of as much of that one: fills always win.

        :raises UnknownOrder: when there is no such order.
        :raises ResolutionRefused: without a good signature, for an order that is not in doubt, for
            another version of it, or for quantities that can not be.
        """
        try:
            prove_act(self._keyring, DOMAIN, request)
        except NotSigned as error:
            raise ResolutionRefused(str(error)) from error
        order = await self._record.order(request.order_id)
        if order is None:
            raise UnknownOrder(request.order_id)
        async with self._service.keys.hold(order.idempotency_key), self._record.unit() as unit:
            current = await unit.order(order.order_id) or order
            _require_sense(current, request, reconciled=self._service.is_reconciled)
            settled = await self._settle(unit, current, request)
            unit.tell(
                derive_id("evt", "resolved", order.order_id, str(request.order_version)),
                OMS_ORDERS_RESOLVED,
                order.fund_id,
                request,
            )
            return settled

    async def _settle(self, unit: Unit, order: Order, request: ResolveOrder) -> Order:
        missing = request.filled_quantity - order.filled_quantity
        if missing > 0:
            found = _execution(unit, order, request, missing, self._record.venue)
            await book_fills(unit, [found], stated=True)
            order = await unit.order(order.order_id) or order
        if order.is_terminal:
            return order
        if request.resolution is Resolution.NEVER_ARRIVED:
            return unit.change(
                order,
                OrderEvent.VENUE_REFUSED,
                detail=request.reason,
                rejected_code="RESOLVED_NEVER_ARRIVED",
                rejected_reason=request.reason,
            )
        return unit.change(order, OrderEvent.CANCEL_CONFIRMED, detail=request.reason)


def _require_sense(order: Order, request: ResolveOrder, *, reconciled: bool) -> None:
    lost = (
        order.status in WORKING
        and not reconciled
        and request.filled_quantity > order.filled_quantity
    )
    if order.status not in RESOLVABLE and not lost:
        raise ResolutionRefused(
            f"order {order.order_id} is {order.status.value}; only an order in doubt is resolved, "
            "and, while record and venue differ, executions that the venue tells no more"
        )
    if order.version != request.order_version:
        raise ResolutionRefused(
            f"the resolution is of version {request.order_version} of order {order.order_id}, it "
            f"is at {order.version} now; look at it again and sign anew"
        )
    filled = request.filled_quantity
    whole = request.resolution is Resolution.FILLED
    if filled < order.filled_quantity or (whole and filled < order.quantity):
        raise ResolutionRefused(
            f"filled {filled} of {order.quantity} with {order.filled_quantity} booked already is "
            f"no {request.resolution.value} order"
        )
    if request.resolution is Resolution.NEVER_ARRIVED and filled > 0:
        raise ResolutionRefused("an order that never arrived has no executions")
    if filled > order.filled_quantity and request.average_price is None:
        raise ResolutionRefused("executions that are not booked yet need their average price")


def _execution(
    unit: Unit, order: Order, request: ResolveOrder, missing: Decimal, venue: str
) -> Fill:
    """Return the one execution that brings the order to what the operator found."""
    average = request.average_price or Decimal(0)
    booked = order.filled_quantity * (order.average_fill_price or Decimal(0))
    price = quantise((request.filled_quantity * average - booked) / missing)
    if price <= 0:
        raise ResolutionRefused(
            f"an average of {average} over {request.filled_quantity} contradicts what is booked"
        )
    return Fill(
        fill_id=derive_id("resolved", order.order_id, str(request.order_version)),
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=missing,
        price=price,
        venue=venue,
        timestamp=unit.now,
    )
