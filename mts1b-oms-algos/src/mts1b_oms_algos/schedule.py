"""When the slices go, how large they are, and the child orders that carry them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

from mts1b_foundation.orders import Order, OrderStatus, OrderType, TimeInForce
from mts1b_platform.clock import Clock
from mts1b_platform.ids import derive_id
from mts1b_platform.rng import Rng

from mts1b_oms_algos.errors import BadParameter, MissingLimitPrice, UnsliceableOrder
from mts1b_oms_algos.observed_volume import OrderLook
from mts1b_oms_algos.parameters import ChildParameters, ScheduleParameters

__all__ = [
    "Slice",
    "child_order",
    "exact_difference",
    "exact_sum",
    "require_alive",
    "require_sliceable",
    "run",
    "slice_offsets",
    "split_quantity",
    "whole_lots",
]

_SLICEABLE_TYPES = frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.MARKETABLE_LIMIT})
_WHOLE_TIMES = frozenset({TimeInForce.FOK, TimeInForce.OPG})
_DIGITS = 120
_FASTEST = 4
"""How many times as fast as planned a late schedule is caught up with, at most."""

_LONGEST_KEY = 180
"""Keys have 200 characters at most, and those of children add the slice, and the try of it."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One step of a schedule: its number from 0, its quantity, its time after the start."""

    number: int
    quantity: Decimal
    offset: timedelta


def split_quantity(
    quantity: Decimal, weights: Sequence[Fraction], *, lot_size: Decimal = Decimal(1)
) -> tuple[Decimal, ...]:
    """Split ``quantity`` into whole lots in proportion to ``weights``.

    The remainder of each share is carried to the next, so that every part is its exact share
    rounded down or up to a lot, every running total is within half a lot of its own share, and
    the sum is exact. What ``quantity`` holds beyond whole lots rides with the last part that is
    not empty.

    :param weights: not negative, not all zero.
    """
    with localcontext(prec=_DIGITS):
        lots = int(quantity // lot_size)
        odd = quantity - lots * lot_size
        total = sum(weights, Fraction(0))
        reached, sent, counts = Fraction(0), 0, []
        for weight in weights:
            reached += weight
            due = _round_half_up(lots * reached / total)
            counts.append(due - sent)
            sent = due
        parts = [count * lot_size for count in counts]
        if odd:
            filled = [i for i, count in enumerate(counts) if count]
            last = filled[-1] if filled else max(i for i, weight in enumerate(weights) if weight)
            parts[last] += odd
        return tuple(parts)


def exact_sum(quantities: Iterable[Decimal]) -> Decimal:
    """Return the sum of quantities without a rounding error, whatever the caller's precision."""
    with localcontext(prec=_DIGITS):
        return sum((Decimal(quantity) for quantity in quantities), Decimal(0))


def exact_difference(quantity: Decimal, other: Decimal) -> Decimal:
    """Return ``quantity`` less ``other`` without a rounding error, as :func:`exact_sum`."""
    with localcontext(prec=_DIGITS):
        return quantity - other


def whole_lots(quantity: Decimal, lot_size: Decimal) -> Decimal:
    """Return the whole lots in ``quantity``, toward zero, as a quantity."""
    with localcontext(prec=_DIGITS):
        return quantity // lot_size * lot_size


def slice_offsets(
    horizon: timedelta, n_slices: int, *, jitter_pct: float, rng: Rng
) -> tuple[timedelta, ...]:
    """Return the times of the slices after the start, rising, all within the horizon.

    Slice i goes at i intervals, moved by up to ``jitter_pct`` (at most one half) of an interval
    either way; the first one goes at the start. One number is drawn per slice, so that a generator
    with the same seed gives a restarted schedule the same times.
    """
    interval = horizon / n_slices
    moves = [rng.uniform(-jitter_pct, jitter_pct) for _ in range(n_slices)]
    return tuple(
        interval * i + interval * move if i else timedelta(0) for i, move in enumerate(moves)
    )


def require_sliceable(parent: Order, parameters: ChildParameters) -> None:
    """Refuse a parent that can not be sliced as asked.

    :raises UnsliceableOrder: for a stop order, an all-or-nothing or opening order, or a key that is
        too long for its children to add to.
    :raises BadParameter: for market children of a parent with a limit price.
    :raises MissingLimitPrice: for limit children of a parent without any price.
    """
    if parent.order_type not in _SLICEABLE_TYPES:
        raise UnsliceableOrder(f"{parent.order_id} is a {parent.order_type.value} order")
    if parent.tif in _WHOLE_TIMES:
        raise UnsliceableOrder(f"{parent.order_id} is {parent.tif.value}: it trades at once or not")
    length = len(parent.idempotency_key)
    if length > _LONGEST_KEY:
        raise UnsliceableOrder(
            f"the key of {parent.order_id} has {length} characters; children add to it: "
            f"{_LONGEST_KEY} at most"
        )
    if parameters.child_order_type == "market":
        if parent.limit_price is not None:
            raise BadParameter(
                f"child_order_type is 'market', but {parent.order_id} has the limit price "
                f"{parent.limit_price}; use 'limit' or 'marketable_limit'"
            )
    elif parent.limit_price is None and parent.reference_price is None:
        raise MissingLimitPrice(
            f"{parent.order_id} has no limit_price and no reference_price for its "
            f"{parameters.child_order_type} children; give one, or child_order_type='market'"
        )


def child_order(
    parent: Order, number: int, quantity: Decimal, *, order_type: OrderType, created_at: datetime
) -> Order:
    """Return child ``number`` of ``parent``; its key and id are functions of the parent's key.

    The key is ``<parent key>/<number>``, so a slice that is sent again is the same order. A limit
    child carries the parent's limit price, else its reference price.
    """
    key = f"{parent.idempotency_key}/{number}"
    limit = None
    if order_type.needs_limit_price:
        limit = parent.limit_price if parent.limit_price is not None else parent.reference_price
    return parent.with_(
        order_id=derive_id("ord", key),
        idempotency_key=key,
        parent_order_id=parent.order_id,
        quantity=quantity,
        order_type=order_type,
        limit_price=limit,
        created_at=created_at,
        status=OrderStatus.CREATED,
        submitted_at=None,
        accepted_at=None,
        broker_order_id=None,
        filled_quantity=Decimal(0),
        average_fill_price=None,
        version=0,
    )


async def run(
    parent: Order,
    slices: Sequence[Slice],
    parameters: ScheduleParameters,
    *,
    clock: Clock,
    look: OrderLook | None = None,
    spreads: bool = True,
) -> AsyncGenerator[Order, None]:
    """Wait for each slice's time and yield its child; a slice without quantity yields none.

    The window begins at ``start_at``. Without it, it begins now, and a restarted schedule begins
    now with its first open slice, keeping the distances between slices. A child's ``created_at`` is
    its slice's time. To a consumer that is late, as after a halt, what is overdue comes spread
    evenly over the time that is left, at most four times as fast as planned; what that leaves no
    time for comes after the window at this pace.

    :param look: tells which children are on record; those come again at once. None: none is.
    :param spreads: False for a clock that leaps, as from bar to bar: what is overdue comes at once.
    :raises BadParameter: for a checkpoint beyond the last slice.
    :raises UnsliceableOrder: when the parent expires before the last slice.
    """
    if parameters.start_slice > len(slices):
        raise BadParameter(
            f"start_slice is {parameters.start_slice}; the schedule has {len(slices)} slices"
        )
    pending = slices[parameters.start_slice :]
    if not pending:
        return
    start = parameters.start_at or clock.now() - pending[0].offset
    require_alive(parent, start + pending[-1].offset)
    order_type = OrderType(parameters.child_order_type)
    steps = [step for step in pending if step.quantity]
    gap = timedelta(0)
    for place, step in enumerate(steps):
        due = start + step.offset
        child = child_order(
            parent, step.number, step.quantity, order_type=order_type, created_at=due
        )
        if look is not None and await look(child.order_id) is not None:
            yield child
            continue
        late = clock.now() >= due
        wait = gap if late else due - clock.now()
        if wait > timedelta(0):
            await clock.sleep(wait.total_seconds())
        yield child
        if spreads:
            gap = _gap(steps[place:], left=start + pending[-1].offset - clock.now())


def _gap(steps: Sequence[Slice], *, left: timedelta) -> timedelta:
    """Return how long the step after the first of ``steps`` waits where it is overdue."""
    if len(steps) < 2:
        return timedelta(0)
    return max(left / (len(steps) - 1), (steps[1].offset - steps[0].offset) / _FASTEST)


def require_alive(parent: Order, last: datetime) -> None:
    """Refuse a parent that expires before its last slice.

    :raises UnsliceableOrder: naming both times.
    """
    if parent.expires_at is not None and parent.expires_at <= last:
        raise UnsliceableOrder(
            f"{parent.order_id} expires at {parent.expires_at.isoformat()}, the last slice goes at "
            f"{last.isoformat()}; shorten horizon_minutes or extend expires_at"
        )


def _round_half_up(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)
