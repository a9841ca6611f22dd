"""Implementation shortfall: as long as waiting is worth its risk, and no longer."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mts1b_foundation.orders import Order
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.rng import Rng, SystemRng

from mts1b_oms_algos.almgren_chriss import optimal_shares, trajectory_of
from mts1b_oms_algos.observed_volume import OrderLook
from mts1b_oms_algos.parameters import ShortfallParameters, read_parameters
from mts1b_oms_algos.schedule import (
    Slice,
    require_sliceable,
    run,
    slice_offsets,
    split_quantity,
)

__all__ = ["ImplementationShortfall", "execute", "horizon_of"]


def horizon_of(parameters: ShortfallParameters) -> timedelta:
    """Return the window: ``half_lives`` of the optimal trajectory, or the longest allowed."""
    longest = timedelta(minutes=parameters.max_horizon_minutes)
    half_life = trajectory_of(parameters, longest).half_life
    if math.isinf(half_life):
        return longest
    return longest * min(1.0, parameters.half_lives * half_life)


@dataclass(frozen=True, slots=True)
class ImplementationShortfall:
    """Slice a parent so that cost and risk against the arrival price are least together.

    The trajectory is that of Almgren and Chriss; its window follows from how fast they would trade.

    :ivar clock: tells and waits for the time of each slice.
    :ivar rng: draws the jitter, of which there is none unless asked.
    :ivar look: tells which children are on record: a restart waits for none of them.
    :ivar spreads: whether what is overdue is spread, see :func:`~mts1b_oms_algos.schedule.run`.
    """

    clock: Clock
    rng: Rng
    look: OrderLook | None = None
    spreads: bool = True

    def schedule(self, parent: Order, parameters: ShortfallParameters) -> tuple[Slice, ...]:
        """Return the ``n_slices`` steps; their quantities depend on the arguments alone."""
        horizon = horizon_of(parameters)
        shares = optimal_shares(trajectory_of(parameters, horizon))
        quantities = split_quantity(parent.quantity, shares, lot_size=parameters.lot_size)
        offsets = slice_offsets(
            horizon, parameters.n_slices, jitter_pct=parameters.jitter_pct, rng=self.rng
        )
        return tuple(Slice(i, quantities[i], offsets[i]) for i in range(parameters.n_slices))

    async def execute(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children of ``parent``, each at its time; they sum to it exactly.

        :param params: see :class:`~mts1b_oms_algos.parameters.ShortfallParameters`.
        :raises AlgoError: before the first child, when the parent can not be sliced as asked.
        """
        parameters = read_parameters(ShortfallParameters, params)
        priced = parent
        if parameters.arrival_price is not None:
            priced = parent.with_(reference_price=parameters.arrival_price)
        require_sliceable(priced, parameters)
        slices = self.schedule(priced, parameters)
        children = run(
            priced, slices, parameters, clock=self.clock, look=self.look, spreads=self.spreads
        )
        async with aclosing(children):
            async for child in children:
                yield child


async def execute(parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
    """Run :class:`ImplementationShortfall` on the machine's clock and randomness."""
    algorithm = ImplementationShortfall(SystemClock(), SystemRng())
    async for child in algorithm.execute(parent, params=params):
        yield child
