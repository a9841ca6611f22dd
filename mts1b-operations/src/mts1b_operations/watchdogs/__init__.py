"""The watchdogs: each judges what it sees and says so when a limit is broken."""

from mts1b_operations.watchdogs.base import Breach, Watchdog, WatchdogStatus
from mts1b_operations.watchdogs.bus_access import BusAccess, BusRefusals
from mts1b_operations.watchdogs.db_watchdog import DbWatchdog, StoreProbe
from mts1b_operations.watchdogs.dependency_watchdog import DependencyWatchdog, HealthPoll
from mts1b_operations.watchdogs.portfolio_vol_dd import PortfolioVolDd
from mts1b_operations.watchdogs.position_anomaly import PositionAnomaly
from mts1b_operations.watchdogs.predictive_health import PredictiveHealth
from mts1b_operations.watchdogs.runner import WATCHDOGS, WatchdogRunner, find_watchdog
from mts1b_operations.watchdogs.strategy_watchdog import StrategyWatchdog

__all__ = [
    "WATCHDOGS",
    "Breach",
    "BusAccess",
    "BusRefusals",
    "DbWatchdog",
    "DependencyWatchdog",
    "HealthPoll",
    "PortfolioVolDd",
    "PositionAnomaly",
    "PredictiveHealth",
    "StoreProbe",
    "StrategyWatchdog",
    "Watchdog",
    "WatchdogRunner",
    "WatchdogStatus",
    "find_watchdog",
]
