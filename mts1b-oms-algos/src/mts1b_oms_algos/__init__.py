"""Slice a parent order into children that sum to it exactly.

Every algorithm is ``async def execute(parent, *, params) -> AsyncIterator[Order]``: iterate, and
each child comes when it is due. ``Twap`` and ``Vwap`` take the clock and the randomness; the
modules' ``execute`` uses the machine's.
"""

from mts1b_oms_algos.almgren_chriss import AlmgrenChriss
from mts1b_oms_algos.errors import (
    AlgoError,
    BadParameter,
    MissingLimitPrice,
    ParticipationExceeded,
    UnknownParameter,
    UnsliceableOrder,
)
from mts1b_oms_algos.is_ import ImplementationShortfall
from mts1b_oms_algos.parameters import (
    AlmgrenChrissParameters,
    ShortfallParameters,
    TwapParameters,
    VwapParameters,
)
from mts1b_oms_algos.shortfall import Shortfall, implementation_shortfall
from mts1b_oms_algos.trajectory import Trajectory, almgren_chriss_trajectory
from mts1b_oms_algos.twap import Twap
from mts1b_oms_algos.vwap import Vwap

__all__ = [
    "AlgoError",
    "AlmgrenChriss",
    "AlmgrenChrissParameters",
    "BadParameter",
    "ImplementationShortfall",
    "MissingLimitPrice",
    "ParticipationExceeded",
    "Shortfall",
    "ShortfallParameters",
    "Trajectory",
    "Twap",
    "TwapParameters",
    "UnknownParameter",
    "UnsliceableOrder",
    "Vwap",
    "VwapParameters",
    "almgren_chriss_trajectory",
    "implementation_shortfall",
]
