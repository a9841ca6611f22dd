"""Percentage of volume: follow what the market trades, never ahead of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from mts1b_foundation.orders import Order, OrderStatus, OrderType
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.ids import derive_id

from mts1b_oms_algos.errors import BadParameter, MissingVolume
from mts1b_oms_algos.observed_volume import ExpectedVolume, OrderLook, VolumeFeed
from mts1b_oms_algos.parameters import PovParameters, read_parameters
from mts1b_oms_algos.schedule import (
    child_order,
    exact_difference,
    exact_sum,
    require_alive,
    require_sliceable,
    whole_lots,
)
from mts1b_oms_algos.volume_profile import session_of

__all__ = ["Pov", "execute"]

_DIGITS = 120


@dataclass(frozen=True, slots=True)
class _Window:
    """One run: its begin, and since when and how much of its sending is counted."""

    start: datetime
    counted_from: datetime
    first: int
    total_sent: Decimal
    counted: tuple[tuple[datetime, Decimal], ...] = ()

    def sent_since(self, moment: datetime) -> Decimal:
        """Return what was sent after a moment."""
        return exact_sum(size for at, size in self.counted if at > moment)

    def with_child(self, due: datetime, quantity: Decimal) -> _Window:
        """Return the run with one more child."""
        total = exact_sum((self.total_sent, quantity))
        return replace(self, total_sent=total, counted=(*self.counted, (due, quantity)))


@dataclass(frozen=True, slots=True)
class Pov:
    """Send a share of the observed volume.

    After every interval the children sum to at most ``target_participation`` times the volume
    observed since the start. What the volume does not allow by the end of the window is not sent.

    :ivar clock: tells and waits for the time of each look at the market.
    :ivar volume: what is observed; None takes part in the expected volume of
        ``average_daily_volume``.
    :ivar look: tells the children of an earlier run, so that a restart goes on after them without
        a checkpoint in its parameters; None where nobody can.
    """

    clock: Clock
    volume: VolumeFeed | None = None
    look: OrderLook | None = None

    async def execute(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children of ``parent`` as the market trades; they never exceed it.

        :param params: see :class:`~mts1b_oms_algos.parameters.PovParameters`.
        :raises AlgoError: before the first child, when the parent can not be sliced as asked;
            ``MissingVolume`` when there is neither a feed nor an ``average_daily_volume``.
        """
        parameters = read_parameters(PovParameters, params)
        require_sliceable(parent, parameters)
        _require_checkpoint(parent, parameters)
        start = parameters.start_at or (
            self.clock.now() - parameters.interval * parameters.start_slice
        )
        feed = self._feed(parent, parameters, start)
        require_alive(parent, start + parameters.interval * parameters.n_slices)
        window = await self._taken_up(parent, parameters, start)
        order_type = OrderType(parameters.child_order_type)
        for number in range(window.first, parameters.n_slices):
            due = start + parameters.interval * (number + 1)
            wait = (due - self.clock.now()).total_seconds()
            if wait > 0:
                await self.clock.sleep(wait)
            quantity = _allowed(parent, parameters, window, feed, due)
            if quantity:
                window = window.with_child(due, quantity)
                yield child_order(parent, number, quantity, order_type=order_type, created_at=due)
            if window.total_sent >= parent.quantity:
                return

    def _feed(self, parent: Order, parameters: PovParameters, start: datetime) -> VolumeFeed:
        if self.volume is not None:
            return self.volume
        if parameters.average_daily_volume is None:
            raise MissingVolume(
                f"{parent.order_id}: no volume of {parent.symbol} is observed here; give "
                "average_daily_volume, or use vwap or twap"
            )
        session = session_of(parent.symbol, start, parameters)
        return ExpectedVolume(session, parameters.average_daily_volume)

    async def _taken_up(self, parent: Order, parameters: PovParameters, start: datetime) -> _Window:
        """Return where to go on: after the checkpoint, and after the last known child.

        Volume counts from there on, so that a feed that has forgotten what came before (or that
        remembers it) allows neither more nor less. Every slice is looked at, those to come as well:
        the clock may have been set back since.
        """
        first, sent = parameters.start_slice, parameters.sent_quantity
        for number in range(first, parameters.n_slices if self.look is not None else first):
            known = await self._known(parent, number)
            if known is not None:
                first, sent = number + 1, exact_sum((sent, known.quantity))
        return _Window(start, start + parameters.interval * first, first, sent)

    async def _known(self, parent: Order, number: int) -> Order | None:
        """Return a child of an earlier run; one that was refused has sent nothing."""
        if self.look is None:
            return None
        known = await self.look(derive_id("ord", f"{parent.idempotency_key}/{number}"))
        return None if known is None or known.status is OrderStatus.REJECTED else known


def _require_checkpoint(parent: Order, parameters: PovParameters) -> None:
    first, sent = parameters.start_slice, parameters.sent_quantity
    if first > parameters.n_slices:
        raise BadParameter(f"start_slice is {first}; the window has {parameters.n_slices} slices")
    if sent > parent.quantity:
        raise BadParameter(f"sent_quantity is {sent}; {parent.order_id} is {parent.quantity}")


def _allowed(
    parent: Order, parameters: PovParameters, window: _Window, feed: VolumeFeed, due: datetime
) -> Decimal:
    """Return the size of the child that is due: whole lots, or all that is left."""
    left = exact_difference(parent.quantity, window.total_sent)
    room = _room(parent, parameters, window, feed, since=window.counted_from, due=due)
    back = timedelta(minutes=parameters.volume_lookback_minutes)
    recent = max(window.counted_from, due - back)
    lately = _room(parent, parameters, window, feed, since=recent, due=due)
    allowed = min(room, max(lately, parameters.lot_size))
    if allowed <= 0:
        return Decimal(0)
    if left <= allowed:
        return left
    return whole_lots(allowed, parameters.lot_size)


def _room(
    parent: Order,
    parameters: PovParameters,
    window: _Window,
    feed: VolumeFeed,
    *,
    since: datetime,
    due: datetime,
) -> Decimal:
    traded = feed.volume(parent.symbol, start=since, end=due)
    if not traded.is_finite() or traded < 0:
        raise BadParameter(f"the volume of {parent.symbol} is {traded}; it is zero or more")
    with localcontext(prec=_DIGITS):
        return parameters.target_participation * traded - window.sent_since(since)


async def execute(parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
    """Run :class:`Pov` on the machine's clock, in the volume that ``average_daily_volume`` says."""
    async for child in Pov(SystemClock()).execute(parent, params=params):
        yield child
