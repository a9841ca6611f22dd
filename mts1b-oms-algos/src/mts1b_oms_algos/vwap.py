"""Volume-weighted average price: slices in proportion to the volume that is expected."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mts1b_foundation.orders import Order
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.rng import Rng, SystemRng

from mts1b_oms_algos.errors import ParticipationExceeded
from mts1b_oms_algos.observed_volume import OrderLook
from mts1b_oms_algos.parameters import VwapParameters, read_parameters
from mts1b_oms_algos.schedule import (
    Slice,
    require_sliceable,
    run,
    slice_offsets,
    split_quantity,
)
from mts1b_oms_algos.volume_profile import expected_shares, session_of

__all__ = ["Vwap", "execute"]


@dataclass(frozen=True, slots=True)
class Vwap:
    """Slice a parent along an expected volume curve.

    :ivar clock: tells and waits for the time of each slice.
    :ivar rng: draws the jitter, of which VWAP has none unless asked.
    :ivar look: tells which children are on record: a restart waits for none of them.
    :ivar spreads: whether what is overdue is spread, see :func:`~mts1b_oms_algos.schedule.run`.
    """

    clock: Clock
    rng: Rng
    look: OrderLook | None = None
    spreads: bool = True

    def schedule(self, parent: Order, parameters: VwapParameters) -> tuple[Slice, ...]:
        """Return one step per minute, or ``n_slices``; quantities depend on the arguments alone.

        :raises ParticipationExceeded: when an expected volume is given and the parent is more than
            ``max_participation`` of it.
        """
        start = parameters.start_at or parent.created_at
        count = parameters.n_slices or max(1, math.ceil(parameters.horizon_minutes))
        session = session_of(parent.symbol, start, parameters)
        shares = expected_shares(parameters, session, start, count)
        _require_participation(parent, parameters, shares)
        quantities = split_quantity(parent.quantity, shares, lot_size=parameters.lot_size)
        offsets = slice_offsets(
            parameters.horizon, count, jitter_pct=parameters.jitter_pct, rng=self.rng
        )
        return tuple(Slice(i, quantities[i], offsets[i]) for i in range(count))

    async def execute(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children of ``parent``, each at its time; they sum to it exactly.

        The volume curve hangs on ``start_at``, else on the parent's ``created_at``, never on the
        moment of a restart: a restarted schedule has the same quantities.

        :param params: see :class:`~mts1b_oms_algos.parameters.VwapParameters`.
        :raises AlgoError: before the first child, when the parent can not be sliced as asked.
        """
        parameters = read_parameters(VwapParameters, params)
        require_sliceable(parent, parameters)
        slices = self.schedule(parent, parameters)
        children = run(
            parent, slices, parameters, clock=self.clock, look=self.look, spreads=self.spreads
        )
        async with aclosing(children):
            async for child in children:
                yield child


async def execute(parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
    """Run :class:`Vwap` on the machine's clock and randomness."""
    async for child in Vwap(SystemClock(), SystemRng()).execute(parent, params=params):
        yield child


def _require_participation(
    parent: Order, parameters: VwapParameters, shares: Sequence[Fraction]
) -> None:
    """Hold the parent, and so each slice of the same curve, to its share of the volume."""
    if parameters.average_daily_volume is None:
        return
    expected = Fraction(parameters.average_daily_volume) * sum(shares, Fraction(0))
    allowed = expected * Fraction(parameters.max_participation)
    if Fraction(parent.quantity) > allowed:
        raise ParticipationExceeded(
            f"{parent.order_id} is {parent.quantity}; {parameters.max_participation:.0%} of the "
            f"{float(expected):.0f} expected in {parameters.horizon_minutes:g} minutes is "
            f"{float(allowed):.0f}; lengthen horizon_minutes, or send less"
        )
