"""Venues that take orders. Names are imported when first used, so that the CLI starts fast."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mts1b_brokers.errors import (
        BrokerConfigError,
        BrokerError,
        BrokerRefused,
        DuplicateOrderId,
        KeyReuseMismatch,
        LiveTradingUnavailable,
        UnknownBroker,
        VenueUnavailable,
    )
    from mts1b_brokers.paper import FillPolicy, MaintenanceWindow, PaperClient, VenueProfile
    from mts1b_brokers.registry import create_venue, known_brokers

__all__ = [
    "BrokerConfigError",
    "BrokerError",
    "BrokerRefused",
    "DuplicateOrderId",
    "FillPolicy",
    "KeyReuseMismatch",
    "LiveTradingUnavailable",
    "MaintenanceWindow",
    "PaperClient",
    "UnknownBroker",
    "VenueProfile",
    "VenueUnavailable",
    "create_venue",
    "known_brokers",
]

_ELSEWHERE = {"paper": ("FillPolicy", "MaintenanceWindow", "PaperClient", "VenueProfile")} | {
    "registry": ("create_venue", "known_brokers")
}
_HOME = {name: module for module, names in _ELSEWHERE.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
