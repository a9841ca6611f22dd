"""The written rules that a row of prices must keep, as expressions over a bar table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["duplicate_rows", "price_rules"]


def price_rules() -> dict[str, pl.Expr]:
    """Return rule -> expression that is true for a row that breaks it.

    Rules are tried in this order; a row is reported under each one that it breaks.
    """
    import polars as pl

    column = pl.col
    prices = [column(name) for name in ("open", "high", "low", "close")]
    finite = pl.all_horizontal([price.is_finite() for price in [*prices, column("volume")]])
    low, high = column("low"), column("high")
    return {
        "not-finite": ~finite,
        "non-positive-price": pl.any_horizontal([price <= 0 for price in prices]),
        "negative-volume": column("volume") < 0,
        "crossed (high < low)": high < low,
        "open-outside-low-high": ~column("open").is_between(low, high) & (low <= high),
        "close-outside-low-high": ~column("close").is_between(low, high) & (low <= high),
    }


def duplicate_rows() -> pl.Expr:
    """Return an expression that is true for the second and later bar of one symbol and time."""
    import polars as pl

    return pl.struct("symbol", "timestamp").is_first_distinct().not_()
