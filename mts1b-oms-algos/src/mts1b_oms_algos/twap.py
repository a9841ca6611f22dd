"""Time-weighted average price: equal slices at equal intervals, with some jitter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mts1b_foundation.orders import Order
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.rng import Rng, SystemRng

from mts1b_oms_algos.observed_volume import OrderLook
from mts1b_oms_algos.parameters import TwapParameters, read_parameters
from mts1b_oms_algos.schedule import (
    Slice,
    require_sliceable,
    run,
    slice_offsets,
    split_quantity,
)

__all__ = ["Twap", "execute"]


@dataclass(frozen=True, slots=True)
class Twap:
    """Slice a parent evenly over time.

    :ivar clock: tells and waits for the time of each slice.
    :ivar rng: draws the jitter.
    :ivar look: tells which children are on record: a restart waits for none of them.
    :ivar spreads: whether what is overdue is spread, see :func:`~mts1b_oms_algos.schedule.run`.
    """

    clock: Clock
    rng: Rng
    look: OrderLook | None = None
    spreads: bool = True

    def schedule(self, parent: Order, parameters: TwapParameters) -> tuple[Slice, ...]:
        """Return the ``n_slices`` steps; their quantities depend on the arguments alone."""
        count = parameters.n_slices
        quantities = split_quantity(
            parent.quantity, [Fraction(1)] * count, lot_size=parameters.lot_size
        )
        offsets = slice_offsets(
            parameters.horizon, count, jitter_pct=parameters.jitter_pct, rng=self.rng
        )
        return tuple(Slice(i, quantities[i], offsets[i]) for i in range(count))

    async def execute(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children of ``parent``, each at its time; they sum to it exactly.

        :param params: see :class:`~mts1b_oms_algos.parameters.TwapParameters`.
        :raises AlgoError: before the first child, when the parent can not be sliced as asked.
        """
        parameters = read_parameters(TwapParameters, params)
        require_sliceable(parent, parameters)
        slices = self.schedule(parent, parameters)
        children = run(
            parent, slices, parameters, clock=self.clock, look=self.look, spreads=self.spreads
        )
        async with aclosing(children):
            async for child in children:
                yield child


async def execute(parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
    """Run :class:`Twap` on the machine's clock and randomness."""
    async for child in Twap(SystemClock(), SystemRng()).execute(parent, params=params):
        yield child
