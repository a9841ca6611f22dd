"""What a trade costs: fees, slippage, impact.

The same objects price a simulation, an optimiser and a report. Quantities and prices may be
Decimal (the result is exact and Decimal), float, or numpy arrays. A quantity's sign is its side:
positive buys. Costs are positive.
"""

from mts1b_quantkit.cost_models.fees import (
    BpsFee,
    FeeModel,
    FeeTier,
    PerShareFee,
    TieredFee,
    VenueFee,
)
from mts1b_quantkit.cost_models.impact import Impact, almgren_impact
from mts1b_quantkit.cost_models.slippage import (
    EwmaSlippage,
    FixedBpsSlippage,
    SlippageModel,
    SpreadSlippage,
    SquareRootSlippage,
)

__all__ = [
    "BpsFee",
    "EwmaSlippage",
    "FeeModel",
    "FeeTier",
    "FixedBpsSlippage",
    "Impact",
    "PerShareFee",
    "SlippageModel",
    "SpreadSlippage",
    "SquareRootSlippage",
    "TieredFee",
    "VenueFee",
    "almgren_impact",
]
