"""The settings of a running system: what they are, how they are read and shown."""

from mts1b_platform.config.load import ConfigError, load_settings, mts_home
from mts1b_platform.config.settings import (
    ApiSettings,
    BusSettings,
    FundSettings,
    LogSettings,
    OperatorSettings,
    OrderSettings,
    ReplaySettings,
    RiskSettings,
    ServiceSettings,
    Settings,
    SignalSourceSettings,
    StoreSettings,
    StrategySettings,
    VenueSettings,
    WatchdogSettings,
)
from mts1b_platform.config.show import described, masked, secret_values

__all__ = [
    "ApiSettings",
    "BusSettings",
    "ConfigError",
    "FundSettings",
    "LogSettings",
    "OperatorSettings",
    "OrderSettings",
    "ReplaySettings",
    "RiskSettings",
    "ServiceSettings",
    "Settings",
    "SignalSourceSettings",
    "StoreSettings",
    "StrategySettings",
    "VenueSettings",
    "WatchdogSettings",
    "described",
    "load_settings",
    "masked",
    "mts_home",
    "secret_values",
]
