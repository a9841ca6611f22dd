"""What can go wrong between a strategy and an order, named by who must act."""

__all__ = ["MandateBroken", "ResearchError", "StrategyConfigError", "UnknownStrategy"]


class ResearchError(Exception):
    """The root of this package's errors."""


class UnknownStrategy(ResearchError):
    """The configuration names a kind of strategy that is not registered: mend the name."""


class StrategyConfigError(ResearchError):
    """A strategy's parameters make no sense: mend the configuration."""


class MandateBroken(ResearchError):
    """A strategy wants what its mandate does not allow: mend the strategy or the mandate."""
