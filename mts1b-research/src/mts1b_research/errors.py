"""What can go wrong between a strategy and an order, named by who must act."""

from typing import ClassVar

from mts1b_platform.exit_codes import ExitCode

__all__ = ["ResearchError", "StrategyConfigError", "UnknownStrategy"]


class ResearchError(Exception):
    """The root of this package's errors; ``exit_code`` is the command's."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class UnknownStrategy(ResearchError):
    """The configuration names a kind of strategy that is not registered: mend the name."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION


class StrategyConfigError(ResearchError):
    """A strategy's parameters make no sense: mend the configuration."""

    exit_code: ClassVar[ExitCode] = ExitCode.CONFIGURATION
