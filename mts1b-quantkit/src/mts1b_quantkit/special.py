"""Distribution functions of scipy, imported when they are first called.

Importing ``scipy.special`` takes longer than the rest of this package together, and most programs
that use a metric never need it.
"""

from __future__ import annotations

from typing import Any

__all__ = ["bdtr", "chdtrc", "ndtr", "ndtri", "stdtrit", "xlogy"]


def ndtr(x: Any) -> Any:
    """Return the standard normal distribution function."""
    from scipy import special

    return special.ndtr(x)


def ndtri(p: Any) -> Any:
    """Return the standard normal quantile."""
    from scipy import special

    return special.ndtri(p)


def stdtrit(df: Any, p: Any) -> Any:
    """Return the quantile of Student's t with ``df`` degrees of freedom."""
    from scipy import special

    return special.stdtrit(df, p)


def bdtr(k: Any, n: Any, p: Any) -> Any:
    """Return P(X <= k) of a binomial variable."""
    from scipy import special

    return special.bdtr(k, n, p)


def chdtrc(df: Any, x: Any) -> Any:
    """Return P(X > x) of a chi-squared variable with ``df`` degrees of freedom."""
    from scipy import special

    return special.chdtrc(df, x)


def xlogy(x: Any, y: Any) -> Any:
    """Return x log(y), and 0 where x is 0."""
    from scipy import special

    return special.xlogy(x, y)
