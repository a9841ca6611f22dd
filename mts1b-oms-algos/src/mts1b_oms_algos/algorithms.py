"""All algorithms by their documented names, on one clock, one randomness, one market."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

from mts1b_foundation.orders import Order
from mts1b_platform.clock import Clock
from mts1b_platform.rng import Rng

from mts1b_oms_algos.almgren_chriss import AlmgrenChriss
from mts1b_oms_algos.iceberg import Iceberg
from mts1b_oms_algos.is_ import ImplementationShortfall
from mts1b_oms_algos.observed_volume import OrderLook, VolumeFeed
from mts1b_oms_algos.pov import Pov
from mts1b_oms_algos.twap import Twap
from mts1b_oms_algos.vwap import Vwap

__all__ = ["Algorithm", "algorithms"]


class Algorithm(Protocol):
    """Slice a parent into children; each comes when it is due."""

    def __call__(self, parent: Order, *, params: dict[str, Any]) -> AsyncIterator[Order]:
        """Yield the children in the order of their times."""
        ...


def algorithms(
    *,
    clock: Clock,
    rng: Rng,
    volume: VolumeFeed | None = None,
    look: OrderLook | None = None,
    spreads: bool = True,
) -> dict[str, Algorithm]:
    """Return ``twap vwap pov iceberg almgren_chriss is_``.

    :param volume: what POV observes; None: it takes part in an expected volume.
    :param look: tells orders by id, for a restart to be taken up and for the iceberg to see what
        is left of its children; None: whoever asks for a child of an iceberg has filled the last.
    :param spreads: whether a schedule spreads what is overdue; False for a clock that leaps.
    """
    return {
        "twap": Twap(clock, rng, look, spreads).execute,
        "vwap": Vwap(clock, rng, look, spreads).execute,
        "pov": Pov(clock, volume, look).execute,
        "iceberg": Iceberg(clock, look).execute,
        "almgren_chriss": AlmgrenChriss(clock, rng, look, spreads).execute,
        "is_": ImplementationShortfall(clock, rng, look, spreads).execute,
    }
