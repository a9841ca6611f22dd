"""Iceberg: show a little, refill when little of it is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from mts1b_foundation.orders import Order, OrderStatus, OrderType, Side
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.ids import derive_id

from mts1b_oms_algos.errors import BadParameter
from mts1b_oms_algos.observed_volume import OrderLook
from mts1b_oms_algos.parameters import IcebergParameters, read_parameters
from mts1b_oms_algos.schedule import (
    child_order,
    exact_difference,
    exact_sum,
    require_sliceable,
    whole_lots,
)

__all__ = ["Iceberg", "execute"]

_ENDING = frozenset({OrderStatus.PENDING_CANCEL})


@dataclass(slots=True)
class _Afloat:
    """The children so far: how many, their sum, and those that may still be open."""

    count: int = 0
    sent: Decimal = Decimal(0)
    open: dict[str, Decimal] = field(default_factory=dict)

    def add(self, child: Order) -> None:
        """Count a child that was sent, and take it as open."""
        self.count += 1
        self.sent = exact_sum((self.sent, child.quantity))
        self.open[child.order_id] = child.quantity


@dataclass(frozen=True, slots=True)
class Iceberg:
    """Show at most ``display_qty`` of a parent at any time.

    What is open of the children never sums to more than ``display_qty``. The iceberg ends without
    another child when its parent ends or is being cancelled, and when a child ends unfilled:
    whoever took that away wanted less to be shown.

    :ivar clock: tells the time of each child and waits between looks.
    :ivar look: tells what has become of the parent and of the shown children. None: whoever asks
        for the next child says by asking that the one before is filled.
    """

    clock: Clock
    look: OrderLook | None = None

    async def execute(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children of ``parent``, each when it may be shown; they sum to it exactly.

        With ``look``, a restart goes on after the children that are known.

        :param params: see :class:`~mts1b_oms_algos.parameters.IcebergParameters`.
        :raises AlgoError: before the first child, when the parent can not be sliced as asked.
        """
        parameters = read_parameters(IcebergParameters, params)
        priced = _priced(parent, parameters)
        require_sliceable(priced, parameters)
        if parameters.sent_quantity > parent.quantity:
            raise BadParameter(
                f"sent_quantity is {parameters.sent_quantity}; {parent.order_id} is "
                f"{parent.quantity}"
            )
        afloat = await self._taken_up(parent, parameters)
        await self._begin(parameters)
        while afloat.sent < parent.quantity:
            shown = await self._may_show(parent, parameters, afloat)
            if shown is None:
                return
            left = exact_difference(parent.quantity, afloat.sent)
            quantity = _next_size(parameters, left=left, shown=shown)
            child = child_order(
                priced,
                afloat.count,
                quantity,
                order_type=OrderType.LIMIT,
                created_at=self.clock.now(),
            )
            afloat.add(child)
            yield child

    async def _taken_up(self, parent: Order, parameters: IcebergParameters) -> _Afloat:
        """Return what is shown after the checkpoint and the known children beyond it."""
        afloat = _Afloat()
        for number in range(parameters.start_slice if self.look is not None else 0):
            known = await self._child(parent, number)
            if known is not None:
                afloat.add(known)
        afloat.count, afloat.sent = parameters.start_slice, parameters.sent_quantity
        while (known := await self._child(parent, afloat.count)) is not None:
            afloat.add(known)
        return afloat

    async def _begin(self, parameters: IcebergParameters) -> None:
        if parameters.start_at is not None:
            wait = (parameters.start_at - self.clock.now()).total_seconds()
            if wait > 0:
                await self.clock.sleep(wait)

    async def _may_show(
        self, parent: Order, parameters: IcebergParameters, afloat: _Afloat
    ) -> Decimal | None:
        """Wait for a refill to be due; return what is shown by then, None to show no more."""
        while not await self._is_over(parent):
            shown = await self._shown(afloat)
            if shown is None:
                return None
            if shown <= parameters.refill_threshold and _room(parameters, shown):
                return shown
            await self.clock.sleep(parameters.check_seconds)
        return None

    async def _shown(self, afloat: _Afloat) -> Decimal | None:
        """Return what is open of the children; None when one of them has ended unfilled."""
        if self.look is None:
            afloat.open.clear()
        shown: list[Decimal] = []
        for order_id, quantity in list(afloat.open.items()):
            child = await self.look(order_id) if self.look is not None else None
            if child is None:
                shown.append(quantity)
            elif not child.is_terminal:
                shown.append(child.remaining_quantity)
            elif child.remaining_quantity:
                return None
            else:
                del afloat.open[order_id]
        return exact_sum(shown)

    async def _is_over(self, parent: Order) -> bool:
        if parent.expires_at is not None and self.clock.now() >= parent.expires_at:
            return True
        current = await self.look(parent.order_id) if self.look is not None else None
        return current is not None and (current.is_terminal or current.status in _ENDING)

    async def _child(self, parent: Order, number: int) -> Order | None:
        """Return a child of an earlier run; one that was refused has shown nothing."""
        if self.look is None:
            return None
        known = await self.look(derive_id("ord", f"{parent.idempotency_key}/{number}"))
        return None if known is None or known.status is OrderStatus.REJECTED else known


def _room(parameters: IcebergParameters, shown: Decimal) -> Decimal:
    """Return the whole lots that may be shown beside what is."""
    return whole_lots(exact_difference(parameters.display_qty, shown), parameters.lot_size)


def _next_size(parameters: IcebergParameters, *, left: Decimal, shown: Decimal) -> Decimal:
    fits = left <= exact_difference(parameters.display_qty, shown)
    return left if fits else _room(parameters, shown)


def _priced(parent: Order, parameters: IcebergParameters) -> Order:
    """Return the parent with the limit price of its children.

    :raises BadParameter: when that price is worse than the parent's own limit.
    """
    price = parameters.limit_price
    if price is None:
        return parent
    own = parent.limit_price
    if own is not None and parent.side.sign * (price - own) > 0:
        worse = "above" if parent.side in (Side.BUY, Side.COVER) else "below"
        raise BadParameter(
            f"limit_price is {price}, {worse} the limit {own} of {parent.order_id}; give {own} or "
            "better"
        )
    if own is not None:
        return parent.with_(limit_price=price)
    return parent.with_(reference_price=price)


async def execute(parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
    """Run :class:`Iceberg` on the machine's clock: ask for a child when the last one is filled."""
    async for child in Iceberg(SystemClock()).execute(parent, params=params):
        yield child
