"""What can go wrong between a strategy and an order, named by who must act."""

from typing import ClassVar

from mts1b_platform.exit_codes import ExitCode

__all__ = [
    "BacktestFailed",
    "NotComparable",
    "ResearchError",
    "StrategyConfigError",
    "StrategyFailed",
    "UnknownStrategy",
]


class ResearchError(Exception):
    """The root of this package's errors; ``exit_code`` is the command's."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class UnknownStrategy(ResearchError):
    """The configuration names a kind of strategy that is not registered: mend the name."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class StrategyConfigError(ResearchError):
    """A strategy's parameters make no sense: mend the configuration."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class StrategyFailed(ResearchError):
    """A strategy's own code raised, or gave what no order can be made of: mend the strategy."""


class BacktestFailed(ResearchError):
    """A service of an event-driven backtest could not go on; the message says which and why."""


class NotComparable(ResearchError):
    """There is nothing to compare: change the panel, the strategy or the terms."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION
