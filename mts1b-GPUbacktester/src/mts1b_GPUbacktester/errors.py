"""What can be wrong with a backtest, named by what to do about it."""

from __future__ import annotations

from mts1b_platform.errors import DataError, FixConfiguration, Refused, RetryLater

__all__ = [
    "BadPanel",
    "BadRule",
    "BadSetting",
    "EngineMissing",
    "ExecutorMissing",
    "NotWritten",
    "WorkersLost",
]


class BadPanel(DataError):
    """The prices can not be used; mend the data."""


class BadRule(Refused):
    """The rule or its parameters make no sense; change them."""


class BadSetting(Refused):
    """A setting of the simulation is outside its set; change it."""


class EngineMissing(FixConfiguration):
    """The engine that was asked for is not installed; install its extra or name another."""


class ExecutorMissing(FixConfiguration):
    """The executor that was asked for is not installed or not connected."""


class NotWritten(RetryLater):
    """Results could not be written, as on a full disk; make room and run again."""


class WorkersLost(RetryLater):
    """The cluster could not finish a block; mend it and run the sweep again."""
