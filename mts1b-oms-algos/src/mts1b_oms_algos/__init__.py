"""Slice a parent order into children that sum to it exactly.

Every algorithm is ``async def execute(parent, *, params) -> AsyncIterator[Order]``: iterate, and
each child comes when it is due. The classes take the clock and the randomness, ``Pov`` the observed
volume and ``Iceberg`` a look at its children; the modules' ``execute`` uses the machine's clock.
"""

from mts1b_oms_algos.algorithms import Algorithm, algorithms
from mts1b_oms_algos.almgren_chriss import AlmgrenChriss
from mts1b_oms_algos.errors import (
    AlgoError,
    BadParameter,
    MissingLimitPrice,
    MissingVolume,
    ParticipationExceeded,
    UnknownParameter,
    UnsliceableOrder,
)
from mts1b_oms_algos.iceberg import Iceberg
from mts1b_oms_algos.is_ import ImplementationShortfall
from mts1b_oms_algos.observed_volume import OrderLook, VolumeFeed, VolumeTape
from mts1b_oms_algos.parameters import (
    AlmgrenChrissParameters,
    IcebergParameters,
    PovParameters,
    ShortfallParameters,
    TwapParameters,
    VwapParameters,
)
from mts1b_oms_algos.pov import Pov
from mts1b_oms_algos.shortfall import Shortfall, implementation_shortfall
from mts1b_oms_algos.tca import TransactionCosts, transaction_costs
from mts1b_oms_algos.trajectory import Trajectory, almgren_chriss_trajectory
from mts1b_oms_algos.twap import Twap
from mts1b_oms_algos.vwap import Vwap

__all__ = [
    "AlgoError",
    "Algorithm",
    "AlmgrenChriss",
    "AlmgrenChrissParameters",
    "BadParameter",
    "Iceberg",
    "IcebergParameters",
    "ImplementationShortfall",
    "MissingLimitPrice",
    "MissingVolume",
    "OrderLook",
    "ParticipationExceeded",
    "Pov",
    "PovParameters",
    "Shortfall",
    "ShortfallParameters",
    "Trajectory",
    "TransactionCosts",
    "Twap",
    "TwapParameters",
    "UnknownParameter",
    "UnsliceableOrder",
    "VolumeFeed",
    "VolumeTape",
    "Vwap",
    "VwapParameters",
    "algorithms",
    "almgren_chriss_trajectory",
    "implementation_shortfall",
    "transaction_costs",
]
