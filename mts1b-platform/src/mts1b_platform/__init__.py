"""The runtime that every service stands on: bus, store, clock, settings, logs, ``mts``.

Names are loaded when they are first used, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mts1b_platform.clock import Clock, SystemClock, VirtualClock
    from mts1b_platform.config import ConfigError, Settings, load_settings, mts_home
    from mts1b_platform.errors import (
        DataError,
        FixConfiguration,
        MustStop,
        PlatformError,
        Refused,
        RetryLater,
    )
    from mts1b_platform.eventbus.port import EventBus
    from mts1b_platform.exit_codes import ExitCode
    from mts1b_platform.halt import HaltStore
    from mts1b_platform.ids import Ids, derive_id
    from mts1b_platform.logging import configure_logging, get_logger
    from mts1b_platform.pump import Event, EventPump
    from mts1b_platform.rng import Rng
    from mts1b_platform.service import Service, ServiceContext
    from mts1b_platform.signing import KeyRing
    from mts1b_platform.store import Store
    from mts1b_platform.symbology import normalize_symbol

__all__ = [
    "Clock",
    "ConfigError",
    "DataError",
    "Event",
    "EventBus",
    "EventPump",
    "ExitCode",
    "FixConfiguration",
    "HaltStore",
    "Ids",
    "KeyRing",
    "MustStop",
    "PlatformError",
    "Refused",
    "RetryLater",
    "Rng",
    "Service",
    "ServiceContext",
    "Settings",
    "Store",
    "SystemClock",
    "VirtualClock",
    "configure_logging",
    "derive_id",
    "get_logger",
    "load_settings",
    "mts_home",
    "normalize_symbol",
]

_HOMES = {
    "Clock": "clock",
    "ConfigError": "config",
    "DataError": "errors",
    "Event": "pump",
    "EventBus": "eventbus.port",
    "EventPump": "pump",
    "ExitCode": "exit_codes",
    "FixConfiguration": "errors",
    "HaltStore": "halt",
    "Ids": "ids",
    "KeyRing": "signing",
    "MustStop": "errors",
    "PlatformError": "errors",
    "Refused": "errors",
    "RetryLater": "errors",
    "Rng": "rng",
    "Service": "service",
    "ServiceContext": "service",
    "Settings": "config",
    "Store": "store",
    "SystemClock": "clock",
    "VirtualClock": "clock",
    "configure_logging": "logging",
    "derive_id": "ids",
    "get_logger": "logging",
    "load_settings": "config",
    "mts_home": "config",
    "normalize_symbol": "symbology",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
