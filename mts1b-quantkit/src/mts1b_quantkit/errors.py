"""What can be wrong with the numbers, by what the caller has to do about it."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadInput",
    "Infeasible",
    "NaNInput",
    "NotConverged",
    "NotPositiveDefinite",
    "QuantError",
]


class QuantError(ValueError):
    """The root of every error of this package."""


class BadInput(QuantError):
    """An argument has the wrong type, shape, label or range: change the call."""


class NaNInput(QuantError):
    """A value is missing: drop the row or the asset, or fill it, before the call.

    :ivar asset: label of the first column with a missing value (its position for numpy input).
    :ivar row: label of the first row with a missing value in that column.
    :ivar count: number of missing values in the whole input.
    """

    def __init__(self, what: str, *, asset: Any, row: Any, count: int) -> None:
        self.asset = asset
        self.row = row
        self.count = count
        where = f"at row {row!r}" if asset is None else f"in {asset!r} at row {row!r}"
        super().__init__(
            f"{what}: value missing {where} ({count} missing in all); "
            "drop the row or the asset, or fill the value, before this call"
        )


class NotPositiveDefinite(QuantError):
    """A covariance matrix has no inverse, or is none: shrink it, or repair its source."""


class Infeasible(QuantError):
    """No weights satisfy all the constraints: relax one of them."""


class NotConverged(QuantError):
    """A search ended without an answer: give more data, or other starting points."""
