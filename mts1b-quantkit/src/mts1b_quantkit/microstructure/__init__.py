"""Order flow, illiquidity, spreads, and charts that watch a stream for a change of its mean."""

from mts1b_quantkit.microstructure.charts import Cusum, CusumState, EwmaChart, EwmaState
from mts1b_quantkit.microstructure.events import cusum_filter
from mts1b_quantkit.microstructure.flow import Vpin, bulk_buy_fraction, vpin
from mts1b_quantkit.microstructure.spreads import amihud_illiquidity, roll_spread

__all__ = [
    "Cusum",
    "CusumState",
    "EwmaChart",
    "EwmaState",
    "Vpin",
    "amihud_illiquidity",
    "bulk_buy_fraction",
    "cusum_filter",
    "roll_spread",
    "vpin",
]
