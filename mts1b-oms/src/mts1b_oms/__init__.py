"""Own every order from intent to terminal state.

Names are loaded when they are first used, so that a command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts1b_oms.approved import ApprovedOrder
    from mts1b_oms.client import OmsClient
    from mts1b_oms.errors import (
        IllegalTransition,
        OmsError,
        OrderRefused,
        ReconciliationMismatch,
        RiskUnavailable,
        UnknownAlgorithm,
        UnknownOrder,
    )
    from mts1b_oms.gate import ReconciliationGate
    from mts1b_oms.gateway import Gateway
    from mts1b_oms.ledger import Holding, Ledger, SubBook
    from mts1b_oms.lots import Lot, Lots
    from mts1b_oms.nav import snapshots
    from mts1b_oms.orders import OrderService, RiskChecker
    from mts1b_oms.transitions import TRANSITIONS, OrderEvent, Transition

__all__ = [
    "TRANSITIONS",
    "ApprovedOrder",
    "Gateway",
    "Holding",
    "IllegalTransition",
    "Ledger",
    "Lot",
    "Lots",
    "OmsClient",
    "OmsError",
    "OrderEvent",
    "OrderRefused",
    "OrderService",
    "ReconciliationGate",
    "ReconciliationMismatch",
    "RiskChecker",
    "RiskUnavailable",
    "SubBook",
    "Transition",
    "UnknownAlgorithm",
    "UnknownOrder",
    "snapshots",
]

_HOMES = {
    "TRANSITIONS": "transitions",
    "ApprovedOrder": "approved",
    "Gateway": "gateway",
    "Holding": "ledger",
    "IllegalTransition": "errors",
    "Ledger": "ledger",
    "Lot": "lots",
    "Lots": "lots",
    "OmsClient": "client",
    "OmsError": "errors",
    "OrderEvent": "transitions",
    "OrderRefused": "errors",
    "OrderService": "orders",
    "ReconciliationGate": "gate",
    "ReconciliationMismatch": "errors",
    "RiskChecker": "orders",
    "RiskUnavailable": "errors",
    "SubBook": "ledger",
    "Transition": "transitions",
    "UnknownAlgorithm": "errors",
    "UnknownOrder": "errors",
    "snapshots": "nav",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
