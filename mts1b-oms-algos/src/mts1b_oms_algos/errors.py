"""Why a parent order can not be sliced, by what the caller has to do about it."""

from __future__ import annotations

__all__ = [
    "AlgoError",
    "BadParameter",
    "MissingLimitPrice",
    "MissingVolume",
    "ParticipationExceeded",
    "UnknownParameter",
    "UnsliceableOrder",
]


class AlgoError(ValueError):
    """The root of every error of this package."""


class UnknownParameter(AlgoError):
    """A parameter is not one of the algorithm's: remove it or correct its name."""


class BadParameter(AlgoError):
    """A parameter has the wrong type or range: correct its value."""


class UnsliceableOrder(AlgoError):
    """The parent's type or time in force allows no slicing: send it as it is, or change it."""


class MissingLimitPrice(AlgoError):
    """A limit child has no price: give the parent a limit_price or reference_price."""


class ParticipationExceeded(AlgoError):
    """The parent is too large for its share of the expected volume: lengthen the horizon."""


class MissingVolume(AlgoError):
    """No volume is observed or expected: give a feed, or average_daily_volume."""
