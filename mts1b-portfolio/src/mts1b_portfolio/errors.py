"""What can be wrong with targets, by what the caller has to do about it.

Numerical arguments raise the errors of ``mts1b_quantkit.errors``.
"""

from __future__ import annotations

__all__ = ["BadTarget", "MissingPrice", "PortfolioError"]


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
