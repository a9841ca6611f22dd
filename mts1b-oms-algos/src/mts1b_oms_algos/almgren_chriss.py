"""Optimal liquidation: early slices are larger, the more so the more risk is disliked."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from mts1b_foundation.orders import Order
from mts1b_platform.clock import Clock, SystemClock
from mts1b_platform.rng import Rng, SystemRng

from mts1b_oms_algos.observed_volume import OrderLook
from mts1b_oms_algos.parameters import AlmgrenChrissParameters, read_parameters
from mts1b_oms_algos.schedule import (
    Slice,
    require_sliceable,
    run,
    slice_offsets,
    split_quantity,
)
from mts1b_oms_algos.trajectory import Trajectory, almgren_chriss_trajectory

__all__ = ["AlmgrenChriss", "execute", "optimal_shares", "trajectory_of"]

_BPS = 10_000.0


def trajectory_of(parameters: AlmgrenChrissParameters, horizon: timedelta) -> Trajectory:
    """Return the trajectory of one parent, its size and the horizon being the units.

    :raises BadParameter: when the permanent impact leaves no temporary one.
    """
    minutes = horizon.total_seconds() / 60.0
    spread = parameters.volatility * math.sqrt(minutes / parameters.session_minutes_per_year)
    return almgren_chriss_trajectory(
        1.0,
        1.0,
        parameters.n_slices,
        volatility=spread,
        permanent_impact=parameters.permanent_impact / _BPS,
        temporary_impact=parameters.temporary_impact / _BPS,
        risk_aversion=parameters.risk_aversion,
    )


def optimal_shares(trajectory: Trajectory) -> list[Fraction]:
    """Return the share of the parent that each slice carries; they sum to one."""
    return [Fraction(trade) for trade in trajectory.trades]


@dataclass(frozen=True, slots=True)
class AlmgrenChriss:
    """Slice a parent along the trajectory of Almgren and Chriss 2000.

    :ivar clock: tells and waits for the time of each slice.
    :ivar rng: draws the jitter, of which there is none unless asked.
    :ivar look: tells which children are on record: a restart waits for none of them.
    :ivar spreads: whether what is overdue is spread, see :func:`~mts1b_oms_algos.schedule.run`.
    """

    clock: Clock
    rng: Rng
    look: OrderLook | None = None
    spreads: bool = True

    def schedule(self, parent: Order, parameters: AlmgrenChrissParameters) -> tuple[Slice, ...]:
        """Return the ``n_slices`` steps; their quantities depend on the arguments alone."""
        shares = optimal_shares(trajectory_of(parameters, parameters.horizon))
        quantities = split_quantity(parent.quantity, shares, lot_size=parameters.lot_size)
        offsets = slice_offsets(
            parameters.horizon,
            parameters.n_slices,
            jitter_pct=parameters.jitter_pct,
            rng=self.rng,
        )
        return tuple(Slice(i, quantities[i], offsets[i]) for i in range(parameters.n_slices))

    async def execute(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children of ``parent``, each at its time; they sum to it exactly.

        :param params: see :class:`~mts1b_oms_algos.parameters.AlmgrenChrissParameters`.
        :raises AlgoError: before the first child, when the parent can not be sliced as asked.
        """
        parameters = read_parameters(AlmgrenChrissParameters, params)
        require_sliceable(parent, parameters)
        slices = self.schedule(parent, parameters)
        children = run(
            parent, slices, parameters, clock=self.clock, look=self.look, spreads=self.spreads
        )
        async with aclosing(children):
            async for child in children:
                yield child


async def execute(parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
    """Run :class:`AlmgrenChriss` on the machine's clock and randomness."""
    algorithm = AlmgrenChriss(SystemClock(), SystemRng())
    async for child in algorithm.execute(parent, params=params):
        yield child
