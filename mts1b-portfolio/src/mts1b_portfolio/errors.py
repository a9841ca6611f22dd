"""What can be wrong with targets, by what the caller has to do about it.

Numerical arguments raise the errors of ``mts1b_quantkit.errors``.
"""

from __future__ import annotations

__all__ = ["AllocatorFailed", "BadTarget", "MissingPrice", "PortfolioError"]


class PortfolioError(ValueError):
    """The root of every error of this package."""


class BadTarget(PortfolioError):
    """A target, position or lot is no finite number in its range: correct it."""


class MissingPrice(PortfolioError):
    """A target needs a price that is missing, not finite or not positive: get it, or skip the name.

    :ivar symbol: the name without a price.
    """

    def __init__(self, symbol: str, price: object) -> None:
        self.symbol = symbol
        found = "there is none" if price is None else f"it is {price}"
        super().__init__(
            f"{symbol} has a target weight but no usable price ({found}); "
            "give a positive price, or leave the name out of the weights"
        )


class AllocatorFailed(PortfolioError):
    """An optimiser has no answer: relax its constraints, give more data, or set a policy.

    :ivar allocator: its name.
    :ivar failure: what it said, or what is wrong with its weights.
    """

    def __init__(self, allocator: str, failure: str) -> None:
        self.allocator = allocator
        self.failure = failure
        super().__init__(
            f"{allocator} has no answer ({failure}); relax its constraints, give more data, or set "
            "on_failure to hold, equal or flat"
        )
