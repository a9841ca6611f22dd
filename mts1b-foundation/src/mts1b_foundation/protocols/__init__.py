"""The shapes that plugins match: structural, checked by ``isinstance``, no base class needed."""

from mts1b_foundation.protocols.broker import (
    AccountQuery,
    AccountSnapshot,
    BrokerProtocol,
    CancelAllOrders,
    CapabilityCard,
    CorrectionHistory,
    DeadManTimer,
    DedupePolicy,
    FillHistory,
    OrderQuery,
    ReplaceOrders,
    SimulatedVenue,
    VenueCard,
)
from mts1b_foundation.protocols.marketdata import MarketDataProtocol
from mts1b_foundation.protocols.portfolio import Allocator, Sizer
from mts1b_foundation.protocols.quant import FactorFn
from mts1b_foundation.protocols.risk import RiskGate

__all__ = [
    "AccountQuery",
    "AccountSnapshot",
    "Allocator",
    "BrokerProtocol",
    "CancelAllOrders",
    "CapabilityCard",
    "CorrectionHistory",
    "DeadManTimer",
    "DedupePolicy",
    "FactorFn",
    "FillHistory",
    "MarketDataProtocol",
    "OrderQuery",
    "ReplaceOrders",
    "RiskGate",
    "SimulatedVenue",
    "Sizer",
    "VenueCard",
]
